"""Seats and the pool that they come from."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.audit import Reference
from app.api.schemas.common import MAX_INTEGER, Answer, PageQuery, columns, reason_field
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse
from app.core.connection import Row
from app.directory.models import SEAT_STATES
from app.governance.seat_contracts import SeatContract
from app.governance.seat_pool import Pool

MAX_CONTRACTS = 100


class SeatSource(Answer):
    type = fields.String(required=True, validate=validate.OneOf(("group", "manual", "held")))
    group_id = EdgeId(edge_ids.GROUP, required=True, allow_none=True)
    mapping_id = EdgeId(edge_ids.MAPPING, required=True, allow_none=True)


class Suspension(Answer):
    """It outlives the seat: the next one is suspended as well until it is lifted."""

    by = fields.Nested(Reference, required=True)
    reason = fields.String(required=True, allow_none=True)
    since = fields.String(required=True, metadata={"format": "date-time"})


class SeatSchema(Answer):
    type = fields.Constant("seat", required=True)
    id = EdgeId(edge_ids.SEAT, attribute="user_id", dump_only=True, required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    state = fields.String(required=True, validate=validate.OneOf(SEAT_STATES))
    role_id = EdgeId(edge_ids.ROLE, required=True, allow_none=True)
    surfaces = fields.List(fields.String(), required=True)
    sources = fields.List(fields.Nested(SeatSource), required=True)
    since = Instant(required=True)
    given_by = fields.Nested(
        Reference,
        required=True,
        allow_none=True,
        metadata={"description": "Who gave the manual source."},
    )
    reason = fields.String(required=True, allow_none=True)
    suspension = fields.Nested(Suspension, required=True, allow_none=True)
    waiting_position = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "1 is next; null for who does not wait."},
    )


class SeatQuery(PageQuery):
    state = fields.String(validate=validate.OneOf(SEAT_STATES))


class NewSeat(Schema):
    user_id = EdgeId(edge_ids.USER, required=True)
    role_id = EdgeId(edge_ids.ROLE, required=True)
    reason = reason_field()


class SeatChanges(Schema):
    suspended = TrueOrFalse(required=True)
    reason = reason_field()


class SeatContractSchema(Schema):
    """What was bought, from one day to another in the organization's zone, both included."""

    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(0, MAX_INTEGER))
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(load_default=None, allow_none=True, metadata={"description": "null: for good."})

    @validates_schema
    def _refuse_backwards(self, data: dict[str, Any], **_: object) -> None:
        ends_on = data["ends_on"]
        if ends_on is not None and ends_on < data["starts_on"]:
            raise ValidationError("A contract ends on the day that it starts or later.", "ends_on")
        if ends_on == date.max:
            raise ValidationError("Leave the end out if there is none.", "ends_on")


class SeatPoolSchema(Answer):
    type = fields.Constant("seat_pool", required=True)
    id = EdgeId(edge_ids.ORGANIZATION, attribute="org_id", required=True)
    quantity = fields.Integer(required=True, allow_none=True, metadata={"description": "null: no limit."})
    assigned = fields.Integer(required=True)
    waitlisted = fields.Integer(required=True)
    available = fields.Integer(required=True, allow_none=True)
    kept = fields.Integer(
        required=True, metadata={"description": "Free places that a held change keeps from who waits."}
    )
    over_assigned = fields.Integer(
        required=True,
        metadata={"description": "Seats that an ended contract left people with; nobody is evicted."},
    )
    contracts = fields.List(
        fields.Nested(SeatContractSchema),
        required=True,
        metadata={"description": "Their sum of today is the quantity; without any there is no limit."},
    )


class SeatPoolSize(Schema):
    """Either a quantity from today and for good, or all contracts."""

    quantity = fields.Integer(allow_none=True, strict=True, validate=validate.Range(0, MAX_INTEGER))
    contracts = fields.List(fields.Nested(SeatContractSchema), validate=validate.Length(max=MAX_CONTRACTS))

    @validates_schema
    def _refuse_both_or_neither(self, data: dict[str, Any], **_: object) -> None:
        if len(data) != 1:
            raise ValidationError("Give either quantity or contracts.")
        if sum(contract["quantity"] for contract in data.get("contracts", ())) > MAX_INTEGER:
            raise ValidationError(f"Together at most {MAX_INTEGER}.", "contracts")


def usable_surfaces(seat_state: str | None, surfaces: list[str]) -> list[str]:
    """Only an assigned seat can be used."""
    return surfaces if seat_state == "assigned" else []


def show_seat(seat: Row, waiting_positions: Mapping[str, int]) -> dict[str, Any]:
    given_by, suspension = seat.given_by, seat.suspension
    return {
        **columns(seat),
        "surfaces": usable_surfaces(seat.state, seat.surfaces),
        "given_by": given_by and _actor(given_by),
        "suspension": suspension and {**suspension, "by": _actor(suspension["by"])},
        "waiting_position": waiting_positions.get(seat.user_id),
    }


def _actor(stored: Mapping[str, str]) -> dict[str, str]:
    return edge_ids.reference(stored["type"], stored["id"], {})


def show_pool(pool: Pool, waitlisted: int, contracts: Sequence[SeatContract]) -> dict[str, Any]:
    return {
        "org_id": pool.org_id,
        "quantity": pool.quantity,
        "assigned": pool.assigned,
        "waitlisted": waitlisted,
        "available": pool.available,
        "kept": pool.kept,
        "over_assigned": pool.over_assigned,
        "contracts": contracts,
    }
