"""The organization as its administrators see and adjust it."""

from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer, at_least_one_field
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse, Usd
from app.api.schemas.rights import MAX_MODEL_LENGTH, model_names, permission_names, surface_names
from app.directory.models import INFLIGHT_POLICIES, RIGHTS_MODES

MAX_JIT_SEAT_DAYS = 3_650
_ENDS_SESSIONS = {"description": "Whether sessions end when the last mapped group is lost."}
_CEILING = {
    "description": "What nobody can have more than, whatever roles give; null or a list left out: no bound."
}


def _known_zone(zone: str) -> None:
    if zone not in available_timezones():
        raise ValidationError("Give an IANA time zone such as Europe/Berlin.")


class Ceiling(Schema):
    surfaces = surface_names(load_default=None, allow_none=True)
    models = model_names(load_default=None, allow_none=True)
    permissions = permission_names(load_default=None, allow_none=True)


def _days(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(1, MAX_JIT_SEAT_DAYS), **options)


class OrganizationSchema(Answer):
    type = fields.Constant("organization", required=True)
    id = EdgeId(edge_ids.ORGANIZATION, attribute="org_id", required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    zone = fields.String(required=True)
    rights_mode = fields.String(required=True, validate=validate.OneOf(RIGHTS_MODES))
    end_sessions_on_group_loss = fields.Boolean(required=True, metadata=_ENDS_SESSIONS)
    jit_seat_days = _days(required=True)
    seat_fee_usd = Usd(attribute="seat_fee_nanousd", required=True)
    inflight_policy = fields.String(required=True, validate=validate.OneOf(INFLIGHT_POLICIES))
    fallback_model = fields.String(required=True, allow_none=True)
    ceiling = fields.Nested(Ceiling, required=True, allow_none=True, metadata=_CEILING)
    created_at = Instant(required=True)


class OrganizationChanges(Schema):
    zone = fields.String(validate=_known_zone)
    rights_mode = fields.String(validate=validate.OneOf(RIGHTS_MODES))
    end_sessions_on_group_loss = TrueOrFalse(metadata=_ENDS_SESSIONS)
    jit_seat_days = _days()
    seat_fee_usd = Usd(attribute="seat_fee_nanousd")
    inflight_policy = fields.String(validate=validate.OneOf(INFLIGHT_POLICIES))
    fallback_model = fields.String(allow_none=True, validate=validate.Length(1, MAX_MODEL_LENGTH))
    ceiling = fields.Nested(Ceiling, allow_none=True, metadata=_CEILING)

    @validates_schema
    def _refuse_empty(self, data: dict[str, object], **_: object) -> None:
        at_least_one_field(data)
