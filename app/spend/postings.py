"""What moves money: holding an amount for a call, and ending a held amount.

Each is one short transaction that locks the principal first, then the person's counters, then the pools
of groups by id and the organization's counters last, because everybody's calls meet there. PostgreSQL does
it in one function, so that nobody waits for a client while those are held (`postgresql.py`); SQLite does
the same steps one after the other (`sqlite.py`), and ends as reported usage does (`endings.py`). It must
not know prices or how limits come about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from app.core.connection import Row

DONE, REFUSED = "done", "refused"
# The person was changed after they were read; somebody else ended the reservation first; a threshold is
# reached, which must be announced in the same transaction.
STALE, ENDED, NOTICE = "stale", "ended", "notice"

LEVELS = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A counter that a call moves: it is opened until `ends_at` if there is none and `must_open`.

    Without `limit_nanousd` it only counts; a limit that is not `hard` never refuses.
    """

    scope_type: str
    scope_id: str
    window: str
    ends_at: datetime
    limit_nanousd: int | None
    hard: bool
    must_open: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A counter as it is afterwards, or as it was when the answer is a refusal.

    `place` counts from 1: that of the `Wanted`, or of the counter in an ended reservation. `ends_at` is
    null for a window that is not open. `noticed_percent` is what had been announced before.
    """

    place: int
    scope_type: str
    scope_id: str
    window: str
    ends_at: datetime | None
    settled_nanousd: int
    reserved_nanousd: int
    limit_nanousd: int | None
    noticed_percent: int

    @classmethod
    def of(cls, place: int, counter: Row) -> Self:
        """A counter's row as it is."""
        return cls(
            place,
            counter.scope_type,
            counter.scope_id,
            counter.window,
            counter.ends_at,
            counter.settled_nanousd,
            counter.reserved_nanousd,
            counter.limit_nanousd,
            counter.noticed_percent,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: str
    moved: Sequence[Moved] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A reservation that is asked for; `columns` are those of its row that nothing is decided by."""

    principal_id: str
    epoch: int
    amount_nanousd: int
    wanted: Sequence[Wanted]
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """The end of a reservation, `settled`, `voided` or `expired`.

    With `cost_nanousd` that is booked, with the `entry`'s columns, else nothing was spent.
    """

    principal_id: str
    reservation_id: str
    state: str
    cost_nanousd: int | None
    entry: Mapping[str, Any]


class Postings(Protocol):
    def hold(self, hold: Hold) -> Outcome:
        """`DONE`, `REFUSED` or `STALE`; only `DONE` has changed anything."""

    def end(self, end: End, *, may_notice: bool) -> Outcome:
        """`DONE` or `ENDED`; without `may_notice`, `NOTICE` and nothing done when a level is reached."""


def level_reached(settled_nanousd: int, limit_nanousd: int | None) -> int:
    """The highest of `LEVELS` that is spent; 0 below the first and where there is no limit or it is 0."""
    if not limit_nanousd:
        return 0
    return max((level for level in LEVELS if settled_nanousd * 100 >= limit_nanousd * level), default=0)
