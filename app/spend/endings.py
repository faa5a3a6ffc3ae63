"""Ends reservations by plain statements: the one of a call, or a thousand of reported usage at once.

Each counter moves once, by the sum of all. The transaction holds the people already. A single call on
PostgreSQL is ended by a function instead, so that nobody waits for a client (`postgresql.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from app.core.connection import Row
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.models import ledger_entries, reservations, spend_counters
from app.spend.postings import DONE, ENDED, NOTICE, End, Moved, Outcome, level_reached

_RESERVATION = select(reservations).where(
    reservations.c.org_id == ORG_ID, reservations.c.id == bindparam("id")
)
_COUNTERS = select(spend_counters).where(
    spend_counters.c.org_id == ORG_ID, is_one_of(spend_counters.c.id, "ids")
)
_MOVE = (
    update(spend_counters)
    .where(spend_counters.c.org_id == ORG_ID, spend_counters.c.id == bindparam("row_id"))
    .values(
        reserved_nanousd=spend_counters.c.reserved_nanousd - bindparam("held"),
        settled_nanousd=spend_counters.c.settled_nanousd + bindparam("cost"),
        noticed_percent=bindparam("noticed"),
    )
)
_END = (
    update(reservations)
    .where(reservations.c.org_id == ORG_ID, reservations.c.id == bindparam("row_id"))
    .values(state=bindparam("new_state"), settled_nanousd=bindparam("cost"), ended_at=bindparam("moment"))
)
_BOOK = insert(ledger_entries)
# What an entry of the ledger has from its reservation.
SHARED = (
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

# A reservation's columns by name.
Reservation = Mapping[str, Any]


@dataclass(slots=True)
class _Sum:
    held_nanousd: int = 0
    cost_nanousd: int = 0


class Endings:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def end(self, end: End, *, may_notice: bool) -> Outcome:
        """`DONE` or `ENDED`; without `may_notice`, `NOTICE` and nothing done when a level is reached."""
        held = self._uow.execute(_RESERVATION, {"id": end.reservation_id}).one()._asdict()
        if held["state"] not in ("open", "closing"):
            return Outcome(ENDED)
        pairs = [(end, held)]
        sums = _sums(pairs)
        counters = self._in_order(sums)
        is_reached = any(_level(row, sums[row.id]) > row.noticed_percent for row in counters)
        if is_reached and not may_notice:
            return Outcome(NOTICE)
        self._close(pairs)
        return Outcome(DONE, self._move(counters, sums))

    def end_all(
        self, pairs: Sequence[tuple[End, Reservation]], lock_counters: Callable[[], None]
    ) -> Sequence[Moved]:
        """End one or more reservations that this transaction has made; answers each counter as it is then.

        The counters, where everybody else has to wait, are locked when all else is done.
        """
        self._close(pairs)
        lock_counters()
        sums = _sums(pairs)
        return self._move(self._in_order(sums), sums)

    def _close(self, pairs: Sequence[tuple[End, Reservation]]) -> None:
        self._uow.execute_many(_END, [self._ended(end) for end, _ in pairs])
        entries = [self._entry(end, held) for end, held in pairs if end.cost_nanousd is not None]
        if entries:
            self._uow.execute_many(_BOOK, entries)

    def _move(self, counters: Sequence[Row], sums: Mapping[str, _Sum]) -> Sequence[Moved]:
        moves = [
            {
                "row_id": row.id,
                "held": sums[row.id].held_nanousd,
                "cost": sums[row.id].cost_nanousd,
                "noticed": max(_level(row, sums[row.id]), row.noticed_percent),
            }
            for row in counters
        ]
        if moves:
            self._uow.execute_many(_MOVE, moves)
        return [
            replace(
                Moved.of(place, row),
                settled_nanousd=row.settled_nanousd + sums[row.id].cost_nanousd,
                reserved_nanousd=row.reserved_nanousd - sums[row.id].held_nanousd,
            )
            for place, row in enumerate(counters, start=1)
        ]

    def _in_order(self, counter_ids: Iterable[str]) -> list[Row]:
        ids = list(counter_ids)
        found = {row.id: row for row in self._uow.execute(_COUNTERS, {"ids": ids})}
        return [found[counter_id] for counter_id in ids]

    def _ended(self, end: End) -> dict[str, Any]:
        return {
            "row_id": end.reservation_id,
            "new_state": end.state,
            "cost": end.cost_nanousd,
            "moment": self._uow.now,
        }

    def _entry(self, end: End, held: Reservation) -> dict[str, Any]:
        return {
            **end.entry,
            **{name: held[name] for name in SHARED},
            "reservation_id": held["id"],
            "amount_nanousd": end.cost_nanousd,
            "occurred_at": held["authorized_at"],
            "recorded_at": self._uow.now,
        }


def _sums(pairs: Iterable[tuple[End, Reservation]]) -> dict[str, _Sum]:
    """What each counter is moved by, in the order in which the reservations name them."""
    sums: dict[str, _Sum] = {}
    for end, held in pairs:
        for counter_id in held["counter_ids"]:
            its = sums.setdefault(counter_id, _Sum())
            its.held_nanousd += held["reserved_nanousd"]
            its.cost_nanousd += end.cost_nanousd or 0
    return sums


def _level(row: Row, its: _Sum) -> int:
    return level_reached(row.settled_nanousd + its.cost_nanousd, row.limit_nanousd)
