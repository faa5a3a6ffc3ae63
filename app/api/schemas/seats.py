"""Seats and the pool that they come from."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api import edge_ids
from app.api.schemas.common import MAX_INTEGER, Answer, PageQuery, columns, reason_field
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse
from app.core.connection import Row
from app.directory.models import SEAT_STATES


class SeatSource(Answer):
    type = fields.String(required=True, validate=validate.OneOf(("group", "manual")))
    group_id = EdgeId(edge_ids.GROUP, required=True, allow_none=True)
    mapping_id = EdgeId(edge_ids.MAPPING, required=True, allow_none=True)


class SeatSchema(Answer):
    type = fields.Constant("seat", required=True)
    id = EdgeId(edge_ids.SEAT, attribute="user_id", dump_only=True, required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    state = fields.String(required=True, validate=validate.OneOf(SEAT_STATES))
    role_id = EdgeId(edge_ids.ROLE, required=True, allow_none=True)
    surfaces = fields.List(fields.String(), required=True)
    sources = fields.List(fields.Nested(SeatSource), required=True)
    since = Instant(required=True)
    reason = fields.String(required=True, allow_none=True)


class SeatQuery(PageQuery):
    state = fields.String(validate=validate.OneOf(SEAT_STATES))


class NewSeat(Schema):
    user_id = EdgeId(edge_ids.USER, required=True)
    role_id = EdgeId(edge_ids.ROLE, required=True)
    reason = reason_field()


class SeatChanges(Schema):
    suspended = TrueOrFalse(required=True)
    reason = reason_field()


class SeatPoolSchema(Answer):
    type = fields.Constant("seat_pool", required=True)
    id = EdgeId(edge_ids.ORGANIZATION, attribute="org_id", required=True)
    quantity = fields.Integer(required=True, allow_none=True, metadata={"description": "null: no limit."})
    assigned = fields.Integer(required=True)
    waitlisted = fields.Integer(required=True)
    available = fields.Integer(required=True, allow_none=True)


class SeatPoolSize(Schema):
    quantity = fields.Integer(
        required=True, allow_none=True, strict=True, validate=validate.Range(0, MAX_INTEGER)
    )


def usable_surfaces(seat_state: str | None, surfaces: list[str]) -> list[str]:
    """Only an assigned seat can be used."""
    return surfaces if seat_state == "assigned" else []


def show_seat(seat: Row) -> dict[str, Any]:
    surfaces = usable_surfaces(seat.state, seat.surfaces)
    return {**columns(seat), "surfaces": surfaces}


def show_pool(pool: Row, waitlisted: int) -> dict[str, Any]:
    return {
        "org_id": pool.org_id,
        "quantity": pool.quantity,
        "assigned": pool.assigned,
        "waitlisted": waitlisted,
        "available": None if pool.quantity is None else pool.quantity - pool.assigned,
    }
