"""How a domain's standing moves: a pure function of what stood, who owns the name and what a look told.

    pending ──▶ verified ──▶ grace ──▶ lapsed
       │           ▲ ▲─────────┴──────────┘    the record is there again
       └─▶ disputed ┘                          a second organization proves control of an owned name

An owner's `verified`, `grace`, `lapsed` and `disputed` all keep the name; only the end of a dispute that it
did not answer, or a removal, takes it away.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

GRACE = timedelta(days=14)
DISPUTE = timedelta(days=7)
NO_NEW_DISPUTE = timedelta(days=30)
ABSENT_CHECKS = 3
ABSENT_FOR = timedelta(hours=72)
ABSENT_EVERY = ABSENT_FOR / (ABSENT_CHECKS - 1)
RECHECK_EVERY = timedelta(days=7)
UNKNOWN_EVERY = timedelta(hours=1)
URGENT_EVERY = timedelta(days=1)
# How long after the claim the worker looks, and how often from there on.
_FIRST_LOOKS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60))
HOURLY_UNTIL = timedelta(days=7)
DAILY_UNTIL = timedelta(days=30)


class Look(Enum):
    """`PUBLISHED`: the zone's own servers have the record, resolvers do not see it yet."""

    PRESENT = "present"
    PUBLISHED = "published"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Owner(Enum):
    """Who holds the name, as one organization sees it."""

    NOBODY = "nobody"
    US = "us"
    OTHERS = "others"


class Step(Enum):
    """What the look-ups must be told beside the new standing."""

    NONE = "none"
    TAKE = "take"
    DISPUTE = "dispute"
    KEEP = "keep"
    HAND_OVER = "hand_over"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Standing:
    """`by_operator`: control was proved by the operator's word, which no look at DNS takes back."""

    state: str
    by_operator: bool
    created_at: datetime
    due_at: datetime | None
    absent_since: datetime | None
    absences: int
    state_ends_at: datetime | None
    disputable_at: datetime | None

    def settled(self, state: str, due_at: datetime | None) -> "Standing":
        """In this state, with nothing running out."""
        return replace(self, state=state, due_at=due_at, absent_since=None, absences=0, state_ends_at=None)

    def verified(self, now: datetime) -> "Standing":
        return self.settled("verified", None if self.by_operator else now + RECHECK_EVERY)


def after_look(standing: Standing, owner: Owner, look: Look, now: datetime) -> tuple[Standing, Step]:
    """The standing after a look at the record."""
    if owner is Owner.US:
        return _owners(standing, look, now)
    if look is Look.PRESENT:
        return _proved(standing, owner, now)
    if standing.state == "disputed" and look is Look.ABSENT and not standing.by_operator:
        # Whoever takes the record away gives the dispute up.
        return standing.settled("pending", next_look(standing.created_at, now)), Step.WITHDRAW
    if standing.state == "disputed":
        return replace(standing, due_at=now + URGENT_EVERY), Step.NONE
    return replace(standing, due_at=next_look(standing.created_at, now)), Step.NONE


def after_others(
    standing: Standing, owner: Owner, *, is_disputed: bool, is_lapsed: bool, now: datetime
) -> tuple[Standing, Step]:
    """The standing once another organization has begun, given up, won or lost a dispute.

    `is_disputed` says whether a dispute about the name is under way, `is_lapsed` whether the owner's proof
    had lapsed before it.
    """
    is_open = standing.state == "disputed"
    if owner is Owner.US and is_disputed and not is_open:
        return replace(standing, state="disputed", state_ends_at=now + DISPUTE, due_at=now), Step.NONE
    if owner is Owner.US and is_open and not is_disputed:
        # Nobody's giving up proves anything for us.
        return standing.settled("lapsed", now) if is_lapsed else standing.verified(now), Step.NONE
    if owner is Owner.NOBODY and is_open:
        # The owner removed the domain; the proof has been given.
        return standing.verified(now), Step.TAKE
    if owner is Owner.OTHERS and is_open and not is_disputed:
        return replace(standing.settled("pending", None), disputable_at=now + NO_NEW_DISPUTE), Step.NONE
    return standing, Step.NONE


def next_look(created_at: datetime, now: datetime) -> datetime | None:
    """When a claim is looked at next: minutes after it was made, then hourly, then daily, then no more."""
    for moment in (created_at + delay for delay in _FIRST_LOOKS):
        if moment > now:
            return moment
    age = now - created_at
    if age < HOURLY_UNTIL:
        return now + timedelta(hours=1)
    return now + timedelta(days=1) if age < DAILY_UNTIL else None


def _proved(standing: Standing, owner: Owner, now: datetime) -> tuple[Standing, Step]:
    if owner is Owner.NOBODY:
        return standing.verified(now), Step.TAKE
    if standing.state == "disputed":
        return replace(standing, due_at=now + URGENT_EVERY), Step.NONE
    if standing.disputable_at is not None and now < standing.disputable_at:
        return replace(standing, due_at=None), Step.NONE
    return standing.settled("disputed", now + URGENT_EVERY), Step.DISPUTE


def _owners(standing: Standing, look: Look, now: datetime) -> tuple[Standing, Step]:
    if look in (Look.PRESENT, Look.PUBLISHED):
        step = Step.KEEP if standing.state == "disputed" else Step.NONE
        return standing.verified(now), step
    if standing.by_operator and standing.state == "verified":
        return standing, Step.NONE
    if look is Look.UNKNOWN:
        return replace(standing, due_at=now + UNKNOWN_EVERY), Step.NONE
    is_over = standing.state_ends_at is not None and standing.state_ends_at <= now
    if standing.state == "disputed":
        if is_over:
            return standing.settled("pending", None), Step.HAND_OVER
        return _until_end(standing, now), Step.NONE
    return _lapsing(standing, now, is_over=is_over), Step.NONE


def _lapsing(standing: Standing, now: datetime, *, is_over: bool) -> Standing:
    if standing.state == "verified":
        return _missed(standing, now)
    if standing.state == "grace" and not is_over:
        return _until_end(standing, now)
    return standing.settled("lapsed", now + RECHECK_EVERY)


def _missed(standing: Standing, now: datetime) -> Standing:
    """One absence more of a verified domain; enough of them over enough time begin the grace."""
    since = standing.absent_since or now
    missed = replace(standing, absent_since=since, absences=standing.absences + 1)
    if missed.absences < ABSENT_CHECKS or now - since < ABSENT_FOR:
        return replace(missed, due_at=now + ABSENT_EVERY)
    return replace(missed, state="grace", state_ends_at=now + GRACE, due_at=now + URGENT_EVERY)


def _until_end(standing: Standing, now: datetime) -> Standing:
    assert standing.state_ends_at is not None  # noqa: S101 - grace and dispute have an end
    return replace(standing, due_at=min(now + URGENT_EVERY, standing.state_ends_at))
