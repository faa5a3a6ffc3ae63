"""The ordered list group → role, in a form that can be sent back as it was read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from app.api import edge_ids
from app.api.schemas.common import Answer
from app.api.schemas.fields import EdgeId
from app.core.connection import Row
from app.governance.mappings import MAX_MAPPINGS, NewMapping
from app.governance.models import SEAT_ON
from app.governance.resolver import GroupMapping

GROUP_DELETED = "group_deleted"
# People in a group inside the mapped one are not direct members, and get nothing from the mapping.
NESTED_GROUPS = "nested_groups"


def _seat_on(**options: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(SEAT_ON), **options)


def _ignored() -> fields.Raw:
    return fields.Raw(
        allow_none=True, metadata={"description": "Ignored: what GET gave may be sent back as it is."}
    )


class GroupMappingSchema(Answer):
    type = fields.Constant("group_mapping", required=True)
    id = EdgeId(edge_ids.MAPPING, required=True)
    position = fields.Integer(required=True, metadata={"description": "From 1; the first match decides."})
    group_id = EdgeId(edge_ids.GROUP, required=True)
    role_id = EdgeId(edge_ids.ROLE, required=True)
    seat_on = _seat_on(required=True)
    group_display_name = fields.String(required=True)
    member_count = fields.Integer(required=True)
    warnings = fields.List(
        fields.String(validate=validate.OneOf((GROUP_DELETED, NESTED_GROUPS))), required=True
    )


class GroupMappingList(Answer):
    type = fields.Constant("group_mapping_list", required=True)
    version = fields.Integer(required=True)
    data = fields.List(fields.Nested(GroupMappingSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewGroupMapping(Schema):
    group_id = EdgeId(edge_ids.GROUP, required=True)
    role_id = EdgeId(edge_ids.ROLE, required=True)
    seat_on = _seat_on(load_default="provision")

    @post_load
    def _to_value(self, data: dict[str, Any], **_: object) -> NewMapping:
        return NewMapping(data["group_id"], data["role_id"], data["seat_on"])


class WantedGroupMapping(NewGroupMapping):
    type = _ignored()
    id = _ignored()
    position = _ignored()
    group_display_name = _ignored()
    member_count = _ignored()
    warnings = _ignored()


class NewGroupMappingOrder(Schema):
    data = fields.List(
        fields.Nested(WantedGroupMapping), required=True, validate=validate.Length(max=MAX_MAPPINGS)
    )
    type = _ignored()
    version = _ignored()
    has_more = _ignored()
    next_cursor = _ignored()


def show_mapping(mapping: GroupMapping, groups: Mapping[str, Row]) -> dict[str, Any]:
    group = groups[mapping.group_id]
    return {
        "id": mapping.id,
        "position": mapping.position,
        "group_id": mapping.group_id,
        "role_id": mapping.role_id,
        "seat_on": mapping.seat_on,
        "group_display_name": group.display_name,
        "member_count": group.member_count,
        "warnings": list(_warnings(group)),
    }


def _warnings(group: Row) -> Iterator[str]:
    if group.deleted_at is not None:
        yield GROUP_DELETED
    if group.has_nested_groups:
        yield NESTED_GROUPS


def show_mappings(
    mappings: Sequence[GroupMapping], groups: Mapping[str, Row], version: int
) -> dict[str, Any]:
    return {
        "version": version,
        "data": [show_mapping(mapping, groups) for mapping in mappings],
        "has_more": False,
        "next_cursor": None,
    }
