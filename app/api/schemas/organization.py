"""The organization as its administrators see and adjust it."""

from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer, at_least_one_field
from app.api.schemas.fields import EdgeId, Instant
from app.directory.models import RIGHTS_MODES


def _known_zone(zone: str) -> None:
    if zone not in available_timezones():
        raise ValidationError("Give an IANA time zone such as Europe/Berlin.")


class OrganizationSchema(Answer):
    type = fields.Constant("organization", required=True)
    id = EdgeId(edge_ids.ORGANIZATION, attribute="org_id", required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    zone = fields.String(required=True)
    rights_mode = fields.String(required=True, validate=validate.OneOf(RIGHTS_MODES))
    created_at = Instant(required=True)


class OrganizationChanges(Schema):
    zone = fields.String(validate=_known_zone)
    rights_mode = fields.String(validate=validate.OneOf(RIGHTS_MODES))

    @validates_schema
    def _refuse_empty(self, data: dict[str, object], **_: object) -> None:
        at_least_one_field(data)
