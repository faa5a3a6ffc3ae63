"""Bills by month, their lines by person, and contracts."""

import re
from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery, name_field
from app.api.schemas.fields import EdgeId, Instant, Usd
from app.core.connection import Row
from app.spend.billing import Bill, Line
from app.spend.billing_contracts import Drawn
from app.spend.usage_calendar import month_name

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
# Of the database's integers.
MAX_TOKENS = 9_000_000_000_000_000_000
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)


class Month(fields.String):
    """`2026-11` outside, a number of months inside."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> str | None:
        text = None if value is None else month_name(value)
        return super()._serialize(text, attr, obj, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        match = _MONTH.fullmatch(super()._deserialize(value, attr, data, **options))
        if match is None:
            raise ValidationError("Give a month such as 2026-11.")
        return int(match[1]) * 12 + int(match[2]) - 1


class BillSchema(Answer):
    type = fields.Constant("bill", required=True)
    id = Month(required=True, attribute="month", dump_only=True)
    month = Month(required=True)
    state = fields.String(required=True, validate=validate.OneOf(("open", "closed")))
    seat_days = fields.Integer(required=True)
    seats_usd = Usd(required=True)
    usage_usd = Usd(required=True)
    total_usd = Usd(required=True)
    closed_at = Instant(required=True, allow_none=True)


class BillLineSchema(Answer):
    type = fields.Constant("bill_line", required=True)
    id = EdgeId(edge_ids.USER, required=True, attribute="user_id", dump_only=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    user_name = fields.String(required=True)
    month = Month(required=True)
    seat_days = fields.Integer(required=True)
    seats_usd = Usd(required=True)
    usage_usd = Usd(required=True)
    total_usd = Usd(required=True)


class BillQuery(PageQuery):
    """Bills in pages."""


class BillLineQuery(PageQuery):
    month = Month(load_default=None, metadata={"description": "The present one unless it is given."})


class ContractQuery(PageQuery):
    """Contracts in pages."""


class NewContract(Schema):
    name = name_field(required=True)
    starts_on = fields.Date(required=True, validate=validate.Range(EARLIEST, LATEST))
    ends_on = fields.Date(required=True, validate=validate.Range(EARLIEST, LATEST))
    cap_usd = Usd(load_default=None, allow_none=True)
    cap_tokens = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(1, MAX_TOKENS)
    )

    @validates_schema
    def _has_a_cap_and_a_length(self, data: dict[str, Any], **_: object) -> None:
        if data["ends_on"] < data["starts_on"]:
            raise ValidationError("Give a day from starts_on on.", "ends_on")
        if data["cap_usd"] is None and data["cap_tokens"] is None:
            raise ValidationError("Give cap_usd, cap_tokens or both.")

    @post_load
    def _to_columns(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        return {
            "name": data["name"],
            "starts_on": data["starts_on"].toordinal(),
            "ends_on": data["ends_on"].toordinal(),
            "cap_nanousd": data["cap_usd"],
            "cap_tokens": data["cap_tokens"],
        }


class ContractUser(Answer):
    user_id = EdgeId(edge_ids.USER, required=True)
    user_name = fields.String(required=True)
    cost_usd = Usd(required=True, attribute="amount_nanousd")


class ContractRepository(Answer):
    repository = fields.String(required=True, allow_none=True)
    cost_usd = Usd(required=True, attribute="amount_nanousd")


class ContractSchema(Answer):
    type = fields.Constant("contract", required=True)
    id = EdgeId(edge_ids.CONTRACT, required=True)
    name = fields.String(required=True)
    starts_on = fields.String(required=True)
    ends_on = fields.String(required=True)
    cap_usd = Usd(required=True, allow_none=True)
    cap_tokens = fields.Integer(required=True, allow_none=True)
    used_usd = Usd(required=True)
    used_tokens = fields.Integer(required=True)
    exhausted_on = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "By the pace of the last 28 days; null when it lasts to its end."},
    )
    top_users = fields.List(fields.Nested(ContractUser), required=True)
    top_repositories = fields.List(fields.Nested(ContractRepository), required=True)
    created_at = Instant(required=True)


def show_bill(bill: Bill) -> dict[str, Any]:
    return {
        "month": bill.month,
        "state": "open" if bill.closed_at is None else "closed",
        "seat_days": bill.seat_days,
        "closed_at": bill.closed_at,
        **_amounts(bill),
    }


def show_line(month: int, line: Line, person: Row) -> dict[str, Any]:
    return {
        "user_id": person.user_id,
        "user_name": person.user_name,
        "month": month,
        "seat_days": line.seat_days,
        **_amounts(line),
    }


def show_contract(drawn: Drawn) -> dict[str, Any]:
    contract = drawn.contract
    return {
        "id": contract.id,
        "name": contract.name,
        "starts_on": date.fromordinal(contract.starts_on).isoformat(),
        "ends_on": date.fromordinal(contract.ends_on).isoformat(),
        "cap_usd": contract.cap_nanousd,
        "cap_tokens": contract.cap_tokens,
        "used_usd": drawn.used_nanousd,
        "used_tokens": drawn.used_tokens,
        "exhausted_on": None
        if drawn.exhausted_on is None
        else date.fromordinal(drawn.exhausted_on).isoformat(),
        "top_users": drawn.most_users,
        "top_repositories": drawn.most_repositories,
        "created_at": contract.created_at,
    }


def _amounts(of: Bill | Line) -> dict[str, int]:
    return {
        "seats_usd": of.seats_nanousd,
        "usage_usd": of.usage_nanousd,
        "total_usd": of.seats_nanousd + of.usage_nanousd,
    }
