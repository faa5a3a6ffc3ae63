"""The postings on SQLite: the steps of the functions on PostgreSQL, in the same order.

The transaction holds the database's one write lock from its start, so nothing can change between them.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, insert, select, update

from app.core.connection import Row
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.spend.models import ledger_entries, reservations, spend_counters
from app.spend.postings import (
    DONE,
    ENDED,
    NOTICE,
    REFUSED,
    STALE,
    End,
    Hold,
    Moved,
    Outcome,
    Wanted,
    level_reached,
)

_PERSON = select(principals.c.active, principals.c.seat_state, principals.c.epoch).where(
    principals.c.org_id == ORG_ID, principals.c.id == bindparam("id")
)
_OPEN = (
    select(spend_counters)
    .where(
        spend_counters.c.org_id == ORG_ID,
        spend_counters.c.scope_type == bindparam("scope_type"),
        spend_counters.c.scope_id == bindparam("scope_id"),
        spend_counters.c.window == bindparam("window"),
        spend_counters.c.ends_at > bindparam("moment"),
    )
    .order_by(spend_counters.c.ends_at)
    .limit(1)
)
_BY_IDS = select(spend_counters).where(
    spend_counters.c.org_id == ORG_ID, is_one_of(spend_counters.c.id, "ids")
)
_INSERT_COUNTER = insert(spend_counters)
_HOLD = (
    update(spend_counters)
    .where(spend_counters.c.org_id == ORG_ID, spend_counters.c.id == bindparam("row_id"))
    .values(
        reserved_nanousd=spend_counters.c.reserved_nanousd + bindparam("amount"),
        limit_nanousd=bindparam("cap"),
    )
)
_END = (
    update(spend_counters)
    .where(spend_counters.c.org_id == ORG_ID, spend_counters.c.id == bindparam("row_id"))
    .values(
        reserved_nanousd=spend_counters.c.reserved_nanousd - bindparam("held"),
        settled_nanousd=spend_counters.c.settled_nanousd + bindparam("cost"),
        noticed_percent=bindparam("noticed"),
    )
)
_RESERVATION = select(reservations).where(
    reservations.c.org_id == ORG_ID, reservations.c.id == bindparam("id")
)
_INSERT_RESERVATION = insert(reservations)
_END_RESERVATION = (
    update(reservations)
    .where(reservations.c.org_id == ORG_ID, reservations.c.id == bindparam("row_id"))
    .values(state=bindparam("new_state"), settled_nanousd=bindparam("cost"), ended_at=bindparam("moment"))
)
_INSERT_ENTRY = insert(ledger_entries)


class SqlitePostings:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def hold(self, hold: Hold) -> Outcome:
        uow = self._uow
        person = uow.execute(_PERSON, {"id": hold.principal_id}).one()
        if not person.active or person.seat_state != "assigned" or person.epoch != hold.epoch:
            return Outcome(STALE)
        found = [(wanted, self._find(wanted)) for wanted in hold.wanted]
        amount = hold.amount_nanousd
        if any(_is_over(wanted, row, amount) for wanted, row in found):
            return Outcome(REFUSED, [_looked_at(place, *pair) for place, pair in enumerate(found, start=1)])
        moving = [
            (place, wanted, row or self._open(wanted))
            for place, (wanted, row) in enumerate(found, start=1)
            if row is not None or wanted.must_open
        ]
        for _, wanted, row in moving:
            uow.execute(_HOLD, {"row_id": row.id, "amount": amount, "cap": wanted.limit_nanousd})
        values = {
            **hold.columns,
            "principal_id": hold.principal_id,
            "state": "open",
            "revoked": False,
            "reserved_nanousd": amount,
            "counter_ids": [row.id for _, _, row in moving],
            "authorized_at": uow.now,
        }
        uow.execute(_INSERT_RESERVATION, values)
        moved = [_looked_at(place, wanted, row) for place, wanted, row in moving]
        return Outcome(DONE, [replace(row, reserved_nanousd=row.reserved_nanousd + amount) for row in moved])

    def end(self, end: End, *, may_notice: bool) -> Outcome:
        uow = self._uow
        held = uow.execute(_RESERVATION, {"id": end.reservation_id}).one()
        if held.state not in ("open", "closing"):
            return Outcome(ENDED)
        cost = end.cost_nanousd or 0
        rows = self._in_order(held.counter_ids)
        levels = [
            max(row.noticed_percent, level_reached(row.settled_nanousd + cost, row.limit_nanousd))
            for row in rows
        ]
        before = [_moved(place, row) for place, row in enumerate(rows, start=1)]
        if not may_notice and any(
            level > row.noticed_percent for level, row in zip(levels, rows, strict=True)
        ):
            return Outcome(NOTICE)
        for row, level in zip(rows, levels, strict=True):
            values = {"row_id": row.id, "held": held.reserved_nanousd, "cost": cost, "noticed": level}
            uow.execute(_END, values)
        ended = {"row_id": held.id, "new_state": end.state, "cost": end.cost_nanousd, "moment": uow.now}
        uow.execute(_END_RESERVATION, ended)
        if end.cost_nanousd is not None:
            self._book(end, held)
        return Outcome(
            DONE,
            [
                replace(
                    row,
                    settled_nanousd=row.settled_nanousd + cost,
                    reserved_nanousd=row.reserved_nanousd - held.reserved_nanousd,
                )
                for row in before
            ],
        )

    def _find(self, wanted: Wanted) -> Row | None:
        return self._uow.execute(_OPEN, {**_key(wanted), "moment": self._uow.now}).first()

    def _open(self, wanted: Wanted) -> Row:
        uow = self._uow
        values = {
            **_key(wanted),
            "id": uow.ids.new(),
            "starts_at": uow.now,
            "ends_at": wanted.ends_at,
            "settled_nanousd": 0,
            "reserved_nanousd": 0,
            "noticed_percent": 0,
        }
        uow.execute(_INSERT_COUNTER, values)
        return uow.execute(_OPEN, {**_key(wanted), "moment": uow.now}).one()

    def _in_order(self, counter_ids: Sequence[str]) -> list[Row]:
        found = {row.id: row for row in self._uow.execute(_BY_IDS, {"ids": list(counter_ids)})}
        return [found[counter_id] for counter_id in counter_ids]

    def _book(self, end: End, held: Row) -> None:
        shared = (
            "principal_id",
            "user_id",
            "surface",
            "model",
            "priced_as",
            "batch",
            "repository",
            "feature",
            "session_id",
            "counter_ids",
        )
        values = {
            **end.entry,
            **{name: getattr(held, name) for name in shared},
            "reservation_id": held.id,
            "amount_nanousd": end.cost_nanousd,
            "occurred_at": held.authorized_at,
            "recorded_at": self._uow.now,
        }
        self._uow.execute(_INSERT_ENTRY, values)


def _key(wanted: Wanted) -> dict[str, str]:
    return {"scope_type": wanted.scope_type, "scope_id": wanted.scope_id, "window": wanted.window}


def _is_over(wanted: Wanted, row: Row | None, amount: int) -> bool:
    used = 0 if row is None else row.settled_nanousd + row.reserved_nanousd
    return wanted.hard and wanted.limit_nanousd is not None and used + amount > wanted.limit_nanousd


def _looked_at(place: int, wanted: Wanted, row: Row | None) -> Moved:
    if row is None:
        key = (wanted.scope_type, wanted.scope_id, wanted.window)
        return Moved(place, *key, None, 0, 0, wanted.limit_nanousd, 0)
    return replace(_moved(place, row), limit_nanousd=wanted.limit_nanousd)


def _moved(place: int, row: Row) -> Moved:
    return Moved(
        place,
        row.scope_type,
        row.scope_id,
        row.window,
        row.ends_at,
        row.settled_nanousd,
        row.reserved_nanousd,
        row.limit_nanousd,
        row.noticed_percent,
    )
