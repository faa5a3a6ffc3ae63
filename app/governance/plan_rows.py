"""A plan as values: whom a new order changes and how, what it all comes to, and the hash that holds it.

Pure. It must not know how people are read or changed; what it says of the waiting list is what
`seat_pool` does: free places go in mapping order, then in the order of asking, then by id.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.governance.removal_guard import HOLDING

# Window to nano-dollars; null is no cap.
Caps = Mapping[str, int | None]


@dataclass(slots=True)
class PlanRow:
    """One person before and after; `state_after` is settled last, when all who want a seat are known."""

    user_id: str
    state_before: str | None
    state_after: str | None
    role_before: str | None
    role_after: str | None
    caps_before: Caps
    caps_after: Caps

    @property
    def is_change(self) -> bool:
        return (self.state_before, self.role_before, self.caps_before) != (
            self.state_after,
            self.role_after,
            self.caps_after,
        )

    @property
    def is_newly_waiting(self) -> bool:
        return self.state_after == "waitlisted" and self.state_before != "waitlisted"

    @property
    def has_role_change(self) -> bool:
        return self.role_before != self.role_after


@dataclass(frozen=True, slots=True, order=True)
class Applicant:
    """Somebody who wants a place, as the waiting list orders them."""

    rank: int
    since: datetime
    user_id: str


@dataclass(frozen=True, slots=True)
class Totals:
    seats_gained: int
    seats_lost: int
    waitlisted: int
    role_changes: int
    limit_changes: int
    monthly_nanousd: int


def served(applicants: Iterable[Applicant], places: int | None) -> set[str]:
    """Who of them gets one of so many places; null is no limit."""
    ordered = sorted(applicants)
    return {applicant.user_id for applicant in (ordered if places is None else ordered[: max(0, places)])}


def totals_of(rows: Sequence[PlanRow], seat_fee_nanousd: int) -> Totals:
    before = [row.state_before in HOLDING for row in rows]
    after = [row.state_after in HOLDING for row in rows]
    gained = sum(has and not had for had, has in zip(before, after, strict=True))
    lost = sum(had and not has for had, has in zip(before, after, strict=True))
    return Totals(
        seats_gained=gained,
        seats_lost=lost,
        waitlisted=sum(row.is_newly_waiting for row in rows),
        role_changes=sum(row.has_role_change for row in rows),
        limit_changes=sum(row.caps_before != row.caps_after for row in rows),
        monthly_nanousd=(gained - lost) * seat_fee_nanousd,
    )


def hash_of(base_version: int, proposal: object, rows: Sequence[PlanRow]) -> str:
    """The same for the same proposal, base and outcome of each person, whatever they had before."""
    digest = hashlib.sha256(json.dumps([base_version, proposal], sort_keys=True).encode())
    for row in rows:
        outcome = [row.user_id, row.state_after, row.role_after, sorted(row.caps_after.items())]
        digest.update(json.dumps(outcome).encode())
    return digest.hexdigest()
