"""The proof that no money is lost: every counter equals the sums of the ledger and of what is held, and the
sums that reports read equal the entries that are marked as summed up.

Each is read in one statement, so that it sees one moment, however busy that is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    cast,
    column,
    func,
    or_,
    select,
    true,
)

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.database import Id
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.models import ledger_entries, reservations, spend_counters
from app.spend.usage_models import ledger_attributions, usage_rollups


@dataclass(frozen=True, slots=True)
class Found:
    """How many counters and entries there are, those that reports do not have yet, and what differs."""

    counters: int
    entries: int
    entries_not_summed_up: int
    differences: Sequence[Mapping[str, Any]]


def _sums(table: Table, amount: Any, dialect: str) -> Any:
    """For each counter the sum of the amounts of all rows that name it."""
    spread = func.unnest if dialect == "postgresql" else func.json_each
    each = spread(table.c.counter_ids, type_=Text()).table_valued(column("value", Id)).render_derived()
    if dialect != "postgresql":
        each = spread(table.c.counter_ids, type_=Text()).table_valued(column("value", Id))
    rows = select(each.c.value.label("counter_id"), cast(func.sum(amount), BigInteger).label("nanousd"))
    return rows.select_from(table.join(each, true())).group_by(each.c.value)


def _verify(dialect: str) -> Select[Any]:
    settled = _sums(ledger_entries, ledger_entries.c.amount_nanousd, dialect)
    settled = settled.where(ledger_entries.c.org_id == ORG_ID).subquery("booked")
    held = _sums(reservations, reservations.c.reserved_nanousd, dialect)
    holding = or_(reservations.c.state == "open", reservations.c.state == "closing")
    held = held.where(reservations.c.org_id == ORG_ID, holding).subquery("held")
    return (
        select(
            spend_counters,
            func.coalesce(settled.c.nanousd, 0).label("booked_nanousd"),
            func.coalesce(held.c.nanousd, 0).label("held_nanousd"),
        )
        .select_from(
            spend_counters.outerjoin(settled, settled.c.counter_id == spend_counters.c.id).outerjoin(
                held, held.c.counter_id == spend_counters.c.id
            )
        )
        .where(and_(spend_counters.c.org_id == ORG_ID))
        .order_by(spend_counters.c.id)
    )


def _total(source: FromClause, *columns: ColumnElement[Any], org_id: ColumnElement[str]) -> Select[Any]:
    return select(*columns).select_from(source).where(org_id == ORG_ID)


def _sum(amount: ColumnElement[int], name: str) -> ColumnElement[int]:
    return func.coalesce(cast(func.sum(amount), BigInteger), 0).label(name)


_marked = ledger_entries.join(
    ledger_attributions,
    and_(
        ledger_attributions.c.org_id == ledger_entries.c.org_id,
        ledger_attributions.c.entry_id == ledger_entries.c.id,
    ),
)
_entries = _total(ledger_entries, func.count().label("entries"), org_id=ledger_entries.c.org_id).subquery()
_summed_up = _total(
    _marked,
    func.count().label("summed_up"),
    _sum(ledger_entries.c.amount_nanousd, "ledger_nanousd"),
    org_id=ledger_entries.c.org_id,
).subquery()
_reported = _total(
    usage_rollups,
    _sum(usage_rollups.c.amount_nanousd, "reported_nanousd"),
    org_id=usage_rollups.c.org_id,
).subquery()
_VERIFY_SUMS = select(*_entries.c, *_summed_up.c, *_reported.c).select_from(
    _entries.join(_summed_up, true()).join(_reported, true())
)
_VERIFY = {dialect: _verify(dialect) for dialect in ("postgresql", "sqlite")}


class SpendCheck:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def verify(self) -> Found:
        rows = self._uow.execute(_VERIFY[self._uow.dialect]).all()
        different = [
            row
            for row in rows
            if (row.settled_nanousd, row.reserved_nanousd) != (row.booked_nanousd, row.held_nanousd)
        ]
        differences = [_difference(row) for row in different]
        sums = self._uow.execute(_VERIFY_SUMS).one()
        if sums.ledger_nanousd != sums.reported_nanousd:
            amounts = {name: getattr(sums, name) for name in ("ledger_nanousd", "reported_nanousd")}
            differences.append({"scope_type": "reports", **amounts})
        return Found(len(rows), sums.entries, sums.entries - sums.summed_up, differences)


def _difference(row: Row) -> dict[str, Any]:
    return {
        "scope_type": row.scope_type,
        "scope_id": row.scope_id,
        "window": row.window,
        "starts_at": rfc3339(row.starts_at),
        "settled_nanousd": row.settled_nanousd,
        "ledger_nanousd": row.booked_nanousd,
        "reserved_nanousd": row.reserved_nanousd,
        "held_nanousd": row.held_nanousd,
    }
