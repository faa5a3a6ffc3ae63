"""People and groups, read-only: the identity provider is their source."""

from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery, columns
from app.api.schemas.fields import EdgeId, Instant
from app.api.schemas.seats import usable_surfaces
from app.core.connection import Row
from app.directory.models import SEAT_STATES


class UserSchema(Answer):
    type = fields.Constant("user", required=True)
    id = EdgeId(edge_ids.USER, required=True)
    user_name = fields.String(required=True)
    external_id = fields.String(required=True, allow_none=True)
    display_name = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    active = fields.Boolean(required=True)
    seat_state = fields.String(required=True, allow_none=True, validate=validate.OneOf(SEAT_STATES))
    role_id = EdgeId(edge_ids.ROLE, required=True, allow_none=True)
    surfaces = fields.List(fields.String(), required=True)
    created_at = Instant(required=True)
    updated_at = Instant(attribute="last_modified_at", required=True)


class UserQuery(PageQuery):
    user_name = fields.String()
    email = fields.String()
    group_id = EdgeId(edge_ids.GROUP)
    seat_state = fields.String(validate=validate.OneOf(SEAT_STATES))


class GroupSchema(Answer):
    type = fields.Constant("group", required=True)
    id = EdgeId(edge_ids.GROUP, required=True)
    display_name = fields.String(required=True)
    external_id = fields.String(required=True, allow_none=True)
    member_count = fields.Integer(
        required=True,
        metadata={"description": "The people who are direct members; groups in the group are not counted."},
    )
    created_at = Instant(required=True)
    updated_at = Instant(attribute="last_modified_at", required=True)


def show_user(person: Row) -> dict[str, Any]:
    surfaces = usable_surfaces(person.seat_state, person.surfaces)
    return {**columns(person), "surfaces": surfaces}
