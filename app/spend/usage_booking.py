"""Books reported usage: each event as a call, by a reservation of nothing that ends with what it cost.

All people of a request are locked first; its counters, in the order of everybody, only when all else is
done, and each moves once for all events. It must not know who reports.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.audit.outbox import Outbox
from app.core.connection import Row
from app.core.sql import is_one_of_texts
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.organizations import OrganizationService
from app.governance.limits import LimitService
from app.spend.endings import SHARED, Endings
from app.spend.models import ledger_entries, reservations
from app.spend.notices import announce
from app.spend.postings import End
from app.spend.pricing import Usage
from app.spend.usage_counters import Spent, UsageCounters
from app.spend.usage_models import usage_events
from app.spend.usage_people import Prices
from app.spend.usage_requests import UNKNOWN_EVENT, UNKNOWN_PRICE, Correction, UsageEvent

TOKENS = tuple(Usage.__dataclass_fields__)
# What a correction takes over from the event that it corrects.
_TAKEN_OVER = (*SHARED, "authorized_at", "expires_at")
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
_original = func.coalesce(usage_events.c.corrects_event_id, usage_events.c.event_id)
# What is booked of events so far, each with all its corrections.
_SO_FAR = (
    select(
        _original.label("event_id"),
        *(func.sum(ledger_entries.c[name]).label(name) for name in ("amount_nanousd", *TOKENS)),
    )
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
            is_one_of_texts(usage_events.c.event_id, "event_ids"),
            is_one_of_texts(usage_events.c.corrects_event_id, "event_ids"),
        ),
    )
    .group_by(_original)
)


@dataclass(frozen=True, slots=True)
class Booking:
    """An event that is to be booked, with whom it is of and what it costs."""

    event: UsageEvent
    person: Row
    priced_as: str
    nanousd: int


@dataclass(frozen=True, slots=True)
class _Posting:
    """A reservation to make and to end at once; `corrects` is the id of the event that it corrects."""

    event_id: str
    row: Mapping[str, Any]
    nanousd: int
    tokens: Mapping[str, int | None]
    corrects: str | None = None


class UsageBooking:
    def __init__(
        self,
        uow: UnitOfWork,
        endings: Endings,
        limits: LimitService,
        organizations: OrganizationService,
        outbox: Outbox,
    ) -> None:
        self._uow = uow
        self._endings = endings
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
        postings = [self._posting(*pair) for pair in zip(bookings, opened, strict=True)]
        moving = {counter_id for each in opened for counter_id in each}
        moving.update(counter_id for row in originals for counter_id in row.counter_ids)
        self._post(postings, lambda: counters.lock(spent, moving))
        return self._correct(corrections, prices)

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

    def _correct(self, corrections: Sequence[Correction], prices: Prices) -> list[int | str]:
        # Some may be of this very request.
        originals = self._originals(corrections)
        so_far = self._so_far(originals)
        answers: list[int | str] = []
        postings = []
        for event in corrections:
            original = originals.get(event.corrects)
            if original is None:
                answers.append(UNKNOWN_EVENT)
                continue
            if prices.is_unknown(original.priced_as, event.cost, original.authorized_at):
                answers.append(UNKNOWN_PRICE)
                continue
            cost = prices.cost(original.priced_as, event.cost, original.authorized_at, batch=original.batch)
            wanted = {"amount_nanousd": cost, **_tokens(event.cost.usage)}
            booked = so_far[event.corrects]
            change = {name: None if value is None else value - booked[name] for name, value in wanted.items()}
            booked.update({name: value for name, value in wanted.items() if value is not None})
            difference = change.pop("amount_nanousd") or 0
            shared = {name: getattr(original, name) for name in _TAKEN_OVER}
            row = {**_NOTHING_HELD, **shared, "id": self._uow.ids.new()}
            postings.append(_Posting(event.id, row, difference, change, corrects=event.corrects))
            answers.append(difference)
        # Their counters are locked already.
        self._post(postings, lambda: None)
        return answers

    def _so_far(self, originals: Mapping[str, Row]) -> dict[str, dict[str, int]]:
        if not originals:
            return {}
        rows = self._uow.execute(_SO_FAR, {"event_ids": sorted(originals)})
        return {
            row.event_id: {name: int(getattr(row, name) or 0) for name in ("amount_nanousd", *TOKENS)}
            for row in rows
        }

    def _posting(self, booking: Booking, counter_ids: Sequence[str]) -> _Posting:
        event = booking.event
        row = {
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
        return _Posting(event.id, row, booking.nanousd, _tokens(event.cost.usage))

    def _post(self, postings: Sequence[_Posting], lock_counters: Callable[[], None]) -> None:
        if not postings:
            lock_counters()
            return
        self._uow.execute_many(_RESERVE, [posting.row for posting in postings])
        self._uow.execute_many(_STORE, [self._event(posting) for posting in postings])
        pairs = [(self._settled(posting), posting.row) for posting in postings]
        # The limits of groups and of the organization are nobody's own.
        users = {posting.row["principal_id"]: posting.row["user_id"] for posting in postings}
        for counter in self._endings.end_all(pairs, lock_counters):
            announce(self._uow, self._outbox, [counter], users.get(counter.scope_id, ""))

    def _event(self, posting: _Posting) -> dict[str, Any]:
        return {
            "event_id": posting.event_id,
            "reservation_id": posting.row["id"],
            "user_id": posting.row["user_id"],
            "corrects_event_id": posting.corrects,
            "received_at": self._uow.now,
        }

    def _settled(self, posting: _Posting) -> End:
        entry = {**posting.tokens, "id": self._uow.ids.new(), "kind": "usage"}
        row = posting.row
        return End(row["principal_id"], row["id"], "settled", posting.nanousd, entry)


def _tokens(usage: Usage | None) -> dict[str, int | None]:
    return dict.fromkeys(TOKENS) if usage is None else dict(asdict(usage))
