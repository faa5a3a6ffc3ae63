"""Books reported usage: each event as a call, by a reservation of nothing that ends with what it cost.

So there is one way in which money moves (`postings.py`). All people and counters of a request are locked
first, in the order of everybody, and only then does anything move. It must not know who reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.audit.outbox import Outbox
from app.core.connection import Row
from app.core.sql import is_one_of_texts
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.organizations import OrganizationService
from app.governance.limits import LimitService
from app.spend.models import ledger_entries, reservations
from app.spend.notices import announce
from app.spend.postings import DONE, End, Postings
from app.spend.pricing import Usage
from app.spend.usage_counters import Spent, UsageCounters
from app.spend.usage_models import usage_events
from app.spend.usage_people import Prices
from app.spend.usage_requests import UNKNOWN_EVENT, UNKNOWN_PRICE, Correction, UsageEvent

TOKENS = tuple(Usage.__dataclass_fields__)
# What a correction takes over from the event that it corrects.
_SHARED = (
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
    "authorized_at",
    "expires_at",
)
_NOTHING_HELD = {
    "state": "open",
    "revoked": False,
    "dispatched": True,
    "reserved_nanousd": 0,
    "max_overrun_nanousd": 0,
}

_new_event = upsert(usage_events)
_STORE = _new_event.on_conflict_do_update(
    index_elements=["org_id", "event_id"],
    set_={
        "reservation_id": _new_event.excluded.reservation_id,
        "user_id": _new_event.excluded.user_id,
        "payload": None,
    },
)
_RESERVE = insert(reservations)
_ORIGINALS = (
    select(usage_events.c.event_id, reservations)
    .select_from(
        usage_events.join(
            reservations,
            and_(
                reservations.c.org_id == usage_events.c.org_id,
                reservations.c.id == usage_events.c.reservation_id,
            ),
        )
    )
    .where(
        usage_events.c.org_id == ORG_ID,
        is_one_of_texts(usage_events.c.event_id, "event_ids"),
        usage_events.c.corrects_event_id.is_(None),
    )
)
# What is booked of an event so far, with all its corrections.
_SO_FAR = (
    select(*(func.sum(ledger_entries.c[name]).label(name) for name in ("amount_nanousd", *TOKENS)))
    .select_from(
        usage_events.join(
            ledger_entries,
            and_(
                ledger_entries.c.org_id == usage_events.c.org_id,
                ledger_entries.c.reservation_id == usage_events.c.reservation_id,
            ),
        )
    )
    .where(
        usage_events.c.org_id == ORG_ID,
        or_(
            usage_events.c.event_id == bindparam("event_id"),
            usage_events.c.corrects_event_id == bindparam("event_id"),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Booking:
    """An event that is to be booked, with whom it is of and what it costs."""

    event: UsageEvent
    person: Row
    priced_as: str
    nanousd: int


class UsageBooking:
    def __init__(
        self,
        uow: UnitOfWork,
        postings: Postings,
        limits: LimitService,
        organizations: OrganizationService,
        outbox: Outbox,
    ) -> None:
        self._uow = uow
        self._postings = postings
        self._limits = limits
        self._organizations = organizations
        self._outbox = outbox

    def book(
        self, bookings: Sequence[Booking], corrections: Sequence[Correction], prices: Prices
    ) -> list[int | str]:
        """Book the events, then what corrects them or earlier ones.

        Answers for each correction the difference that was booked, or why it was not.
        """
        if not bookings and not corrections:
            return []
        originals = list(self._originals(corrections).values())
        spent = self._spent(bookings)
        counters = UsageCounters(self._uow, self._organizations.current().zone)
        opened = counters.open(spent, [row.principal_id for row in originals])
        rows = [self._reservation(*pair) for pair in zip(bookings, opened, strict=True)]
        if rows:
            self._uow.execute_many(_RESERVE, rows)
            self._store([(booking.event.id, row) for booking, row in zip(bookings, rows, strict=True)])
        moving = (*opened, *(row.counter_ids for row in originals))
        counters.lock(spent, (counter_id for each in moving for counter_id in each))
        for booking, row in zip(bookings, rows, strict=True):
            self._end(row, booking.nanousd, _tokens(booking.event.cost.usage))
        # Some may be of this very request.
        booked = self._originals(corrections)
        return [
            self._correct(correction, booked[correction.corrects], prices)
            if correction.corrects in booked
            else UNKNOWN_EVENT
            for correction in corrections
        ]

    def _originals(self, corrections: Sequence[Correction]) -> dict[str, Row]:
        if not corrections:
            return {}
        values = {"event_ids": [correction.corrects for correction in corrections]}
        return {row.event_id: row for row in self._uow.execute(_ORIGINALS, values)}

    def _spent(self, bookings: Sequence[Booking]) -> list[Spent]:
        people = {booking.person.user_id: booking.person for booking in bookings}
        caps = {
            user_id: self._limits.caps(person.principal_id, person.role_id, user_id)
            for user_id, person in people.items()
        }
        return [
            Spent(booking.person.principal_id, caps[booking.person.user_id], booking.event.occurred_at)
            for booking in bookings
        ]

    def _correct(self, event: Correction, original: Row, prices: Prices) -> int | str:
        uow = self._uow
        if prices.is_unknown(original.priced_as, event.cost, original.authorized_at):
            return UNKNOWN_PRICE
        so_far = uow.execute(_SO_FAR, {"event_id": event.corrects}).one()
        cost = prices.cost(original.priced_as, event.cost, original.authorized_at, batch=original.batch)
        wanted = _tokens(event.cost.usage)
        tokens = {
            name: None if value is None else value - int(getattr(so_far, name) or 0)
            for name, value in wanted.items()
        }
        shared = {name: getattr(original, name) for name in _SHARED}
        row = {**_NOTHING_HELD, **shared, "id": uow.ids.new()}
        uow.execute(_RESERVE, row)
        self._store([(event.id, row)], corrects=event.corrects)
        difference = cost - int(so_far.amount_nanousd)
        self._end(row, difference, tokens)
        return difference

    def _reservation(self, booking: Booking, counter_ids: Sequence[str]) -> dict[str, Any]:
        event = booking.event
        return {
            **_NOTHING_HELD,
            "id": self._uow.ids.new(),
            "principal_id": booking.person.principal_id,
            "user_id": booking.person.user_id,
            "surface": event.surface,
            "model": event.model,
            "priced_as": booking.priced_as,
            "batch": event.batch,
            "repository": event.repository,
            "feature": event.feature,
            "session_id": event.session_id,
            "counter_ids": counter_ids,
            "authorized_at": event.occurred_at,
            "expires_at": event.occurred_at,
        }

    def _store(self, made: Sequence[tuple[str, Mapping[str, Any]]], corrects: str | None = None) -> None:
        rows = [
            {
                "event_id": event_id,
                "reservation_id": row["id"],
                "user_id": row["user_id"],
                "corrects_event_id": corrects,
                "received_at": self._uow.now,
            }
            for event_id, row in made
        ]
        self._uow.execute_many(_STORE, rows)

    def _end(self, row: Mapping[str, Any], nanousd: int, tokens: Mapping[str, int | None]) -> None:
        entry = {**tokens, "id": self._uow.ids.new(), "kind": "usage"}
        end = End(row["principal_id"], row["id"], "settled", nanousd, entry)
        outcome = self._postings.end(end, may_notice=True)
        if outcome.verdict != DONE:
            raise RuntimeError(f"A reservation made in this transaction is {outcome.verdict}.")
        announce(self._uow, self._outbox, outcome.moved, row["user_id"])


def _tokens(usage: Usage | None) -> dict[str, int | None]:
    return dict.fromkeys(TOKENS) if usage is None else dict(asdict(usage))
