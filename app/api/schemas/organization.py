"""The organization as its administrators see and adjust it."""

from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import MAX_INTEGER, Answer, at_least_one_field
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse, Usd
from app.api.schemas.rights import MAX_MODEL_LENGTH, model_names, permission_names, surface_names
from app.directory.models import INFLIGHT_POLICIES, RIGHTS_MODES
from app.directory.organizations import DEFAULTS

MAX_JIT_SEAT_DAYS = 3_650
MAX_WINDOW_MINUTES = 1_440
_ENDS_SESSIONS = {"description": "Whether sessions end when the last mapped group is lost."}
_CEILING = {
    "description": "What nobody can have more than, whatever roles give; null or a list left out: no bound."
}


def _known_zone(zone: str) -> None:
    if zone not in available_timezones():
        raise ValidationError("Give an IANA time zone such as Europe/Berlin.")


def _guarded(name: str, least: int, most: int) -> fields.Integer:
    default = DEFAULTS["removal_guard"][name]
    return fields.Integer(load_default=default, strict=True, validate=validate.Range(least, most))


class Ceiling(Schema):
    surfaces = surface_names(load_default=None, allow_none=True)
    models = model_names(load_default=None, allow_none=True)
    permissions = permission_names(load_default=None, allow_none=True)


class RemovalGuardSchema(Schema):
    """What is a mass removal: so many people and such a share of all seats, lost within the window."""

    enabled = TrueOrFalse(load_default=DEFAULTS["removal_guard"]["enabled"])
    share_percent = _guarded("share_percent", 1, 100)
    minimum_people = _guarded("minimum_people", 1, MAX_INTEGER)
    window_minutes = _guarded("window_minutes", 1, MAX_WINDOW_MINUTES)


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
    removal_guard = fields.Nested(RemovalGuardSchema, required=True)
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
    removal_guard = fields.Nested(RemovalGuardSchema)

    @validates_schema
    def _refuse_empty(self, data: dict[str, object], **_: object) -> None:
        at_least_one_field(data)
