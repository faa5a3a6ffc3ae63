"""The postings on SQLite: the steps of the functions on PostgreSQL, in the same order.

The transaction holds the database's one write lock from its start, so nothing can change between them.
"""

from dataclasses import replace

from sqlalchemy import bindparam, insert, select, update

from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.spend.endings import Endings
from app.spend.models import reservations, spend_counters
from app.spend.postings import DONE, REFUSED, STALE, End, Hold, Moved, Outcome, Wanted

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
_INSERT_COUNTER = insert(spend_counters)
_HOLD = (
    update(spend_counters)
    .where(spend_counters.c.org_id == ORG_ID, spend_counters.c.id == bindparam("row_id"))
    .values(
        reserved_nanousd=spend_counters.c.reserved_nanousd + bindparam("amount"),
        limit_nanousd=bindparam("cap"),
    )
)
_INSERT_RESERVATION = insert(reservations)


class SqlitePostings:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._endings = Endings(uow)

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
        return self._endings.end(end, may_notice=may_notice)

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


def _key(wanted: Wanted) -> dict[str, str]:
    return {"scope_type": wanted.scope_type, "scope_id": wanted.scope_id, "window": wanted.window}


def _is_over(wanted: Wanted, row: Row | None, amount: int) -> bool:
    used = 0 if row is None else row.settled_nanousd + row.reserved_nanousd
    return wanted.hard and wanted.limit_nanousd is not None and used + amount > wanted.limit_nanousd


def _looked_at(place: int, wanted: Wanted, row: Row | None) -> Moved:
    if row is None:
        key = (wanted.scope_type, wanted.scope_id, wanted.window)
        return Moved(place, *key, None, 0, 0, wanted.limit_nanousd, 0)
    return replace(Moved.of(place, row), limit_nanousd=wanted.limit_nanousd)
