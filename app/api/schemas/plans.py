"""What a new order of the mappings would do, and the earlier orders."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from app.api import edge_ids
from app.api.schemas.common import MAX_INTEGER, Answer
from app.api.schemas.fields import EdgeId, Instant, Usd
from app.api.schemas.mappings import NewGroupMappingOrder
from app.core.connection import Row
from app.core.money import format_usd
from app.directory.models import SEAT_STATES
from app.governance.models import SEAT_ON, WINDOWS
from app.governance.plan_rows import PlanRow
from app.governance.plans import Plan

HASH_LENGTH = 64


def _before_and_after(name: str, make: Any) -> fields.Nested:
    parts = {when: make(required=True, allow_none=True) for when in ("before", "after")}
    return fields.Nested(Answer.from_dict(parts, name=name)(), required=True)


class PlannedLimit(Answer):
    window = fields.String(required=True, validate=validate.OneOf(WINDOWS))
    amount_usd = _before_and_after("PlannedAmount", Usd)


class PlannedPerson(Answer):
    type = fields.Constant("mapping_plan_row", required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    seat_state = _before_and_after(
        "PlannedSeatState", lambda **options: fields.String(validate=validate.OneOf(SEAT_STATES), **options)
    )
    role_id = _before_and_after("PlannedRole", lambda **options: EdgeId(edge_ids.ROLE, **options))
    limits = fields.List(
        fields.Nested(PlannedLimit),
        required=True,
        metadata={"description": "Only windows whose cap changes; null is no cap."},
    )


class PlanTotals(Answer):
    seats_gained = fields.Integer(required=True)
    seats_lost = fields.Integer(required=True)
    waitlisted = fields.Integer(required=True)
    role_changes = fields.Integer(required=True)
    limit_changes = fields.Integer(required=True)
    monthly_usd = fields.String(
        required=True, metadata={"description": "Seat fees more, or with a minus less, each month."}
    )


class PlanConflict(Answer):
    code = fields.String(required=True, validate=validate.OneOf(("roles_differ", "group_has_two_roles")))
    position = fields.Integer(required=True)
    other_position = fields.Integer(required=True)
    people = fields.Integer(required=True)
    detail = fields.String(required=True)


class MappingPlan(Answer):
    type = fields.Constant("mapping_plan", required=True)
    plan_hash = fields.String(required=True)
    base_version = fields.Integer(required=True)
    totals = fields.Nested(PlanTotals, required=True)
    conflicts = fields.List(fields.Nested(PlanConflict), required=True)
    data = fields.List(fields.Nested(PlannedPerson), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PlannedOrder(NewGroupMappingOrder):
    plan_hash = fields.String(required=True, validate=validate.Length(equal=HASH_LENGTH))


class EarlierVersion(Schema):
    version = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_INTEGER))


class StoredMapping(Answer):
    id = EdgeId(edge_ids.MAPPING, required=True)
    position = fields.Integer(required=True)
    group_id = EdgeId(edge_ids.GROUP, required=True)
    role_id = EdgeId(edge_ids.ROLE, required=True)
    seat_on = fields.String(required=True, validate=validate.OneOf(SEAT_ON))
    effective_at = fields.String(required=True, allow_none=True)
    expires_at = fields.String(required=True, allow_none=True)


class Actor(Answer):
    type = fields.String(required=True)
    id = fields.String(required=True)


class MappingVersion(Answer):
    type = fields.Constant("group_mapping_version", required=True)
    id = EdgeId(edge_ids.MAPPING_VERSION, required=True)
    version = fields.Integer(required=True)
    actor = fields.Nested(Actor, required=True)
    created_at = Instant(required=True)
    data = fields.List(fields.Nested(StoredMapping), required=True)


def show_plan(plan: Plan, page: Mapping[str, Any]) -> dict[str, Any]:
    totals = plan.totals
    shown = {name: getattr(totals, name) for name in PlanTotals().fields if hasattr(totals, name)}
    return {
        "plan_hash": plan.hash,
        "base_version": plan.base_version,
        "totals": {**shown, "monthly_usd": format_usd(totals.monthly_nanousd)},
        "conflicts": plan.conflicts,
        **page,
    }


def show_plan_row(row: PlanRow) -> dict[str, Any]:
    return {
        "user_id": row.user_id,
        "seat_state": {"before": row.state_before, "after": row.state_after},
        "role_id": {"before": row.role_before, "after": row.role_after},
        "limits": [
            {
                "window": window,
                "amount_usd": {"before": row.caps_before[window], "after": row.caps_after[window]},
            }
            for window in WINDOWS
            if row.caps_before[window] != row.caps_after[window]
        ],
    }


def show_version(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "version": row.version,
        "actor": edge_ids.reference(row.actor_type, row.actor_id, {}),
        "created_at": row.created_at,
        "data": row.mappings,
    }
