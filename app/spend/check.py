"""The proof that no money is lost: every counter equals the sums of the ledger and of what is held.

It reads everything in one statement, so that it sees one moment, however busy that is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Select, Table, Text, and_, cast, column, func, or_, select, true

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.database import Id
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.models import ledger_entries, reservations, spend_counters


@dataclass(frozen=True, slots=True)
class Found:
    """How many counters there are, and those that differ with what they should be."""

    counters: int
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
        return Found(len(rows), [_difference(row) for row in different])


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
