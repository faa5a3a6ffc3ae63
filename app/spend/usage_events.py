"""Usage that no gateway saw, reported afterwards: booked in its own windows, never refused for a limit.

An id counts once for ever. Events of people whom nobody knows yet are kept aside and booked when they
appear. How money moves is `usage_booking.py`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, insert, select

from app.core.connection import Row
from app.core.sql import is_one_of_texts, lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import users
from app.directory.organizations import OrganizationService
from app.spend.usage_booking import Booking, UsageBooking
from app.spend.usage_models import usage_events
from app.spend.usage_people import People, Prices, find_people, read_prices
from app.spend.usage_requests import (
    CREATED,
    DUPLICATE,
    INVALID,
    UNKNOWN_EVENT,
    UNKNOWN_PRICE,
    UNKNOWN_USER,
    Correction,
    Invalid,
    Result,
    UsageEvent,
    from_payload,
    to_payload,
)

# How far a reporter's clock may be ahead.
MAX_AHEAD = timedelta(minutes=5)
BATCH = 1_000

_LOCK = select(lock_for_transaction(bindparam("name")))
_KNOWN = select(usage_events.c.event_id).where(
    usage_events.c.org_id == ORG_ID, is_one_of_texts(usage_events.c.event_id, "event_ids")
)
_KEEP = insert(usage_events)
_ASIDE = (
    select(usage_events)
    .where(
        usage_events.c.org_id == ORG_ID,
        usage_events.c.reservation_id.is_(None),
        usage_events.c.event_id > bindparam("after"),
    )
    .order_by(usage_events.c.event_id)
    .limit(bindparam("most"))
)
_MATCHED = (
    select(usage_events.c.event_id, usage_events.c.payload)
    .select_from(
        usage_events.join(
            users,
            and_(
                users.c.org_id == usage_events.c.org_id,
                users.c.user_name_key == usage_events.c.user_name_key,
                users.c.deleted_at.is_(None),
            ),
        )
    )
    .where(usage_events.c.org_id == ORG_ID, usage_events.c.reservation_id.is_(None))
    .order_by(usage_events.c.event_id)
    .limit(BATCH)
)
_HAS_MATCH = _MATCHED.with_only_columns(usage_events.c.event_id).limit(1)


class UsageEvents:
    def __init__(self, uow: UnitOfWork, booking: UsageBooking, organizations: OrganizationService) -> None:
        self._uow = uow
        self._booking = booking
        self._organizations = organizations

    def report(self, events: Sequence[UsageEvent | Correction | Invalid]) -> list[Result]:
        """Book up to `BATCH` events; answers what became of each, in their order."""
        uow = self._uow
        self._lock()
        prices = read_prices(uow, self._organizations.current().fallback_model)
        ids = [event.id for event in events if event.id is not None]
        seen = {row.event_id for row in uow.execute(_KNOWN, {"event_ids": ids})}
        people = find_people(uow, [event.person for event in events if isinstance(event, UsageEvent)])
        results: list[Result] = []
        bookings: list[Booking] = []
        corrections: list[Correction] = []
        for event in events:
            if isinstance(event, Invalid):
                results.append(Result(event.id, INVALID, event.detail))
            elif event.id in seen:
                results.append(Result(event.id, DUPLICATE))
            elif isinstance(event, Correction):
                corrections.append(event)
                seen.add(event.id)
                results.append(Result(event.id, UNKNOWN_EVENT, _NOT_BOOKED))
            else:
                judged = self._judge(event, people, prices)
                if isinstance(judged, Booking):
                    bookings.append(judged)
                    seen.add(event.id)
                    judged = Result(event.id, CREATED, booked_nanousd=judged.nanousd)
                elif judged.result == UNKNOWN_USER:
                    seen.add(event.id)
                results.append(judged)
        differences = self._booking.book(bookings, corrections, prices)
        corrected = {
            correction.id: _corrected(correction.id, difference)
            for correction, difference in zip(corrections, differences, strict=True)
        }
        return [
            corrected.get(result.id or "", result) if result.result == UNKNOWN_EVENT else result
            for result in results
        ]

    def aside(self, *, after: str, limit: int) -> Sequence[Row]:
        """Up to `limit` events that are kept because nobody knows their person, with an id above `after`."""
        return self._uow.execute(_ASIDE, {"after": after, "most": limit}).all()

    def has_match(self) -> bool:
        return self._uow.execute(_HAS_MATCH).first() is not None

    def match(self) -> int:
        """Book up to `BATCH` events whose person has appeared meanwhile; answers how many."""
        self._lock()
        found = [from_payload(row.payload) for row in self._uow.execute(_MATCHED)]
        prices = read_prices(self._uow, None)
        people = find_people(self._uow, [event.person for event, _ in found])
        bookings = [
            Booking(event, person, name, prices.cost(name, event.cost, event.occurred_at, batch=event.batch))
            for event, name in found
            if (person := people.find(event.person)) is not None
        ]
        self._booking.book(bookings, [], prices)
        return len(bookings)

    def _lock(self) -> None:
        """Reports come one after the other, so that an id that two of them hold is seen by the second."""
        self._uow.execute(_LOCK, {"name": f"{self._uow.org_id} usage_events"})

    def _judge(self, event: UsageEvent, people: People, prices: Prices) -> Booking | Result:
        if event.occurred_at > self._uow.now + MAX_AHEAD:
            return Result(event.id, INVALID, "occurred_at: Give a time that is not in the future.")
        priced_as = prices.name_for(event.model, event.occurred_at)
        if priced_as is None and event.cost.usage is not None:
            detail = f"The model {event.model!r} had no price then. Report cost_usd, or set a fallback_model."
            return Result(event.id, UNKNOWN_PRICE, detail)
        priced_as = priced_as or event.model
        person = people.find(event.person)
        if person is None:
            self._keep(event, priced_as)
            return Result(event.id, UNKNOWN_USER, "There is no such user; the event is kept until there is.")
        cost = prices.cost(priced_as, event.cost, event.occurred_at, batch=event.batch)
        return Booking(event, person, priced_as, cost)

    def _keep(self, event: UsageEvent, priced_as: str) -> None:
        name = event.person.user_name
        row: dict[str, Any] = {
            "event_id": event.id,
            "user_id": event.person.id,
            "user_name_key": None if name is None else fold(name),
            "payload": to_payload(event, priced_as),
            "received_at": self._uow.now,
        }
        self._uow.write(_KEEP, row)


def _corrected(id_: str, difference: int | str) -> Result:
    if isinstance(difference, int):
        return Result(id_, CREATED, booked_nanousd=difference)
    return Result(id_, difference, _NOT_PRICED if difference == UNKNOWN_PRICE else _NOT_BOOKED)


_NOT_BOOKED = "No booked event has the id that this corrects; an event is corrected, never its correction."
_NOT_PRICED = "The model of the event that this corrects had no price then. Report cost_usd."
