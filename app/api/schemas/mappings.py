"""The ordered list group → role, in a form that can be sent back as it was read."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer
from app.api.schemas.fields import EdgeId, Instant
from app.core.connection import Row
from app.governance.mappings import MAX_MAPPINGS, NewMapping
from app.governance.models import SEAT_ON
from app.governance.resolver import GroupMapping

GROUP_DELETED = "group_deleted"
# People in a group inside the mapped one are not direct members, and get nothing from the mapping.
NESTED_GROUPS = "nested_groups"
NOT_YET = "not_yet_effective"
EXPIRED = "expired"


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
    effective_at = Instant(required=True, allow_none=True)
    expires_at = Instant(required=True, allow_none=True)
    group_display_name = fields.String(required=True)
    member_count = fields.Integer(required=True)
    warnings = fields.List(
        fields.String(validate=validate.OneOf((GROUP_DELETED, NESTED_GROUPS, NOT_YET, EXPIRED))),
        required=True,
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
    effective_at = Instant(load_default=None, allow_none=True)
    expires_at = Instant(load_default=None, allow_none=True)

    @validates_schema
    def _begins_before_it_ends(self, data: dict[str, Any], **_: object) -> None:
        begin, end = data.get("effective_at"), data.get("expires_at")
        if begin is not None and end is not None and begin >= end:
            raise ValidationError("Must be after effective_at.", "expires_at")

    @post_load
    def _to_value(self, data: dict[str, Any], **_: object) -> NewMapping:
        return NewMapping(**{name: data[name] for name in NewMapping.__match_args__})


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


def show_mapping(mapping: GroupMapping, groups: Mapping[str, Row], now: datetime) -> dict[str, Any]:
    group = groups[mapping.group_id]
    return {
        "id": mapping.id,
        "position": mapping.position,
        "group_id": mapping.group_id,
        "role_id": mapping.role_id,
        "seat_on": mapping.seat_on,
        "effective_at": mapping.effective_at,
        "expires_at": mapping.expires_at,
        "group_display_name": group.display_name,
        "member_count": group.member_count,
        "warnings": list(_warnings(mapping, group, now)),
    }


def _warnings(mapping: GroupMapping, group: Row, now: datetime) -> Iterator[str]:
    if mapping.effective_at is not None and now < mapping.effective_at:
        yield NOT_YET
    if mapping.expires_at is not None and mapping.expires_at <= now:
        yield EXPIRED
    if group.deleted_at is not None:
        yield GROUP_DELETED
    if group.has_nested_groups:
        yield NESTED_GROUPS


def show_mappings(
    mappings: Sequence[GroupMapping], groups: Mapping[str, Row], version: int, now: datetime
) -> dict[str, Any]:
    return {
        "version": version,
        "data": [show_mapping(mapping, groups, now) for mapping in mappings],
        "has_more": False,
        "next_cursor": None,
    }
