"""Losses that wait for an administrator."""

from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.schemas.audit import Reference
from app.api.schemas.common import Answer, PageQuery, columns
from app.api.schemas.fields import EdgeId, Instant
from app.core.connection import Row
from app.governance.models import HELD_CAUSES, HELD_STATES

_CAUSE = {
    "description": "`mass_removal`: members left a group. `mass_deactivation`: freed places are kept from "
    "the waiting list. `last_owner`: nobody else would be an owner."
}
_STATE = {"description": "`ended`: everybody has come back or left for good before it was decided."}


class HeldChangeSchema(Answer):
    type = fields.Constant("held_change", required=True)
    id = EdgeId(edge_ids.HELD_CHANGE, required=True)
    cause = fields.String(required=True, validate=validate.OneOf(HELD_CAUSES), metadata=_CAUSE)
    group_id = EdgeId(edge_ids.GROUP, required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(HELD_STATES), metadata=_STATE)
    people = fields.Integer(
        required=True, metadata={"description": "Of how many people something is still held."}
    )
    created_at = Instant(required=True)
    decided_at = Instant(required=True, allow_none=True)
    decided_by = fields.Nested(Reference, required=True, allow_none=True)


class HeldPersonSchema(Answer):
    type = fields.Constant("held_person", required=True)
    id = EdgeId(edge_ids.USER, attribute="user_id", dump_only=True, required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    held_at = Instant(required=True)


class HeldChangeQuery(PageQuery):
    state = fields.String(validate=validate.OneOf(HELD_STATES))


def show_held_change(change: Row) -> dict[str, Any]:
    decider = change.decided_by
    by = None if decider is None else edge_ids.reference(decider["type"], decider["id"], {})
    return {**columns(change), "decided_by": by}
