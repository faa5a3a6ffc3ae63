"""Reservations after they were made: settled, voided, extended, closed with their person, expired.

Each ends exactly once. The same end again answers what it answered before.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from app.audit.outbox import Outbox
from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations, principals
from app.spend.events import ReservationExpired, ReservationOverrun
from app.spend.models import reservations
from app.spend.notices import announce
from app.spend.postings import DONE, NOTICE, End, Postings
from app.spend.prices import PriceBook, UnknownPriceError
from app.spend.pricing import cost_nanousd, price_for
from app.spend.requests import Cost

EXTENDED_BY = timedelta(minutes=15)

_BY_ID = select(reservations).where(reservations.c.org_id == ORG_ID, reservations.c.id == bindparam("id"))
_HOLDING = or_(reservations.c.state == "open", reservations.c.state == "closing")
_EXPIRED = (
    select(reservations)
    .where(reservations.c.org_id == ORG_ID, _HOLDING, reservations.c.expires_at <= bindparam("moment"))
    .order_by(reservations.c.expires_at)
    .limit(2)
)
_HAS_EXPIRED = _EXPIRED.with_only_columns(reservations.c.id).limit(1)
_LOCK_PERSON = (
    select(principals.c.id)
    .where(principals.c.org_id == ORG_ID, principals.c.id == bindparam("id"))
    .with_for_update(key_share=True)
)
_EXTEND = (
    update(reservations)
    .where(
        reservations.c.org_id == ORG_ID,
        reservations.c.id == bindparam("row_id"),
        reservations.c.state == "open",
    )
    .values(expires_at=bindparam("until"), dispatched=True)
)
_CLOSE = (
    update(reservations)
    .where(
        reservations.c.org_id == ORG_ID,
        reservations.c.state == "open",
        is_one_of(reservations.c.user_id, "ids"),
    )
    .values(
        state="closing",
        revoked=select(organizations.c.inflight_policy == "cut")
        .where(organizations.c.org_id == ORG_ID)
        .scalar_subquery(),
    )
)


class Reservations:
    def __init__(self, uow: UnitOfWork, postings: Postings, book: PriceBook, outbox: Outbox) -> None:
        self._uow = uow
        self._postings = postings
        self._book = book
        self._outbox = outbox

    def get(self, reservation_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"id": reservation_id}).first()
        if row is None:
            raise NotFoundError(
                f"There is no authorization with the id {reservation_id!r}.", code="authorization_not_found"
            )
        return row

    def settle(self, reservation_id: str, cost: Cost) -> Row:
        """Book what the call cost, also if that is more than was held, and free the rest."""
        held = self.get(reservation_id)
        nanousd = self._priced(held, cost)
        if held.state == "settled" and held.settled_nanousd == nanousd:
            return held
        usage = cost.usage
        entry = {
            "input_tokens": usage and usage.input_tokens,
            "output_tokens": usage and usage.output_tokens,
            "cache_read_input_tokens": usage and usage.cache_read_input_tokens,
            "cache_creation_5m_input_tokens": usage and usage.cache_creation_5m_input_tokens,
            "cache_creation_1h_input_tokens": usage and usage.cache_creation_1h_input_tokens,
        }
        self._end(held, "settled", nanousd, {**entry, "kind": "usage"})
        if nanousd > held.reserved_nanousd:
            overrun = nanousd - held.reserved_nanousd
            data = {"authorization_id": held.id, "overrun_nanousd": overrun}
            self._uow.add(ReservationOverrun(held.user_id, data))
        return held._replace(state="settled", settled_nanousd=nanousd, ended_at=self._uow.now)

    def void(self, reservation_id: str) -> Row:
        """Free the money of a call that was not made."""
        held = self.get(reservation_id)
        if held.state == "voided":
            return held
        self._end(held, "voided", None, {})
        return held._replace(state="voided", ended_at=self._uow.now)

    def extend(self, reservation_id: str) -> Row:
        """A call that runs keeps its money longer; from now on it counts as sent."""
        uow = self._uow
        held = self.get(reservation_id)
        values = {"row_id": reservation_id, "until": uow.now + EXTENDED_BY}
        uow.execute(_LOCK_PERSON, {"id": held.principal_id})
        if uow.execute(_EXTEND, values).rowcount == 0:
            raise _ended(self.get(reservation_id))
        return self.get(reservation_id)

    def close(self, user_ids: Sequence[str]) -> None:
        """The held money of these locked people can only be settled or voided from now on."""
        values = {"ids": sorted(user_ids)}
        self._uow.write(_CLOSE, values, key=(_CLOSE, *values["ids"]))

    def has_expired(self) -> bool:
        return self._uow.execute(_HAS_EXPIRED, {"moment": self._uow.now}).first() is not None

    def expire(self) -> bool:
        """Book what was held for a call of which nobody told the end, or free what was never sent.

        Answers whether there are more. One for each transaction, because each locks counters in order.
        """
        rows = self._uow.execute(_EXPIRED, {"moment": self._uow.now}).all()
        for row in rows[:1]:
            self._expire(row)
        return len(rows) > 1

    def _expire(self, held: Row) -> None:
        # The one who settled it at this very moment was first.
        self._uow.execute(_LOCK_PERSON, {"id": held.principal_id})
        if self.get(held.id).state not in ("open", "closing"):
            return
        cost = held.reserved_nanousd if held.dispatched else None
        self._end(held, "expired", cost, {"kind": "expired"})
        data = {"authorization_id": held.id, "booked_nanousd": cost or 0}
        self._uow.add(ReservationExpired(held.user_id, data))

    def _priced(self, held: Row, cost: Cost) -> int:
        if cost.usage is None:
            return cost.nanousd or 0
        price = price_for(self._book.of_model(held.priced_as), cost.usage.prompt_tokens, held.authorized_at)
        if price is None:
            raise UnknownPriceError(f"The model {held.priced_as!r} had no price then.")
        return cost_nanousd(price, cost.usage, batch=held.batch)

    def _end(self, held: Row, state: str, cost: int | None, entry: dict[str, Any]) -> None:
        uow = self._uow
        if cost is not None:
            entry = {**entry, "id": uow.ids.new()}
        end = End(held.principal_id, held.id, state, cost, entry)
        # What is announced must happen with what is announced, so then there is a transaction around both.
        is_told = state == "expired" or (cost or 0) > held.reserved_nanousd
        if is_told:
            uow.execute(_LOCK_PERSON, {"id": held.principal_id})
        outcome = self._postings.end(end, may_notice=is_told)
        if outcome.verdict == NOTICE:
            uow.execute(_LOCK_PERSON, {"id": held.principal_id})
            outcome = self._postings.end(end, may_notice=True)
        if outcome.verdict != DONE:
            raise _ended(self.get(held.id))
        announce(uow, self._outbox, outcome.moved, held.user_id)


def _ended(held: Row) -> ConflictError:
    if held.state == "closing":
        return ConflictError(
            "The person was taken away: the authorization can be settled or voided, not extended.",
            code="authorization_closing",
        )
    return ConflictError(f"The authorization is {held.state} already.", code="authorization_ended")
