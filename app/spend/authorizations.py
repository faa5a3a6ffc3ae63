"""May this person spend this now? Holds the money if so, and says what stands in the way if not.

Who may, what it costs at most and which limits bind is decided here; that the person is still the same
when the money is held, and that it fits, is made sure by the posting itself.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.core.errors import (
    ConcurrentUpdateError,
    ForbiddenError,
    NotFoundError,
    PaymentRequiredError,
)
from app.core.unit_of_work import UnitOfWork
from app.governance.models import WINDOWS
from app.governance.windows import resets_at, window_ends
from app.spend.estimates import Estimate, Estimator
from app.spend.lookups import Spender, find_spender
from app.spend.postings import DONE, REFUSED, Hold, Moved, Outcome, Postings, Wanted
from app.spend.prices import PriceBook, UnknownPriceError
from app.spend.pricing import Price, affordable_output_tokens, price_for
from app.spend.requests import Call, Granted, Used

# A provider's own time-out of ten minutes and a margin.
HELD_FOR = timedelta(minutes=15)
# How often a person who changes meanwhile is looked at again.
_LOOKS = 3
# The windows in which spending is always counted, limit or not, so that a limit set in the middle of one
# knows what was spent before it. Of the organization's just one: everybody's calls meet there.
_ALWAYS = {"user": ("daily", "weekly", "monthly"), "organization": ("monthly",)}


class SpendLimitReachedError(PaymentRequiredError):
    """`used` is the cap that stands in the way, `moved` its counter."""

    code = "spend_limit_reached"

    def __init__(
        self, detail: str, *, used: Used, moved: Moved, user_id: str, affordable: int | None
    ) -> None:
        super().__init__(detail)
        self.used = used
        self.moved = moved
        self.user_id = user_id
        self.affordable = affordable


class AuthorizationService:
    def __init__(
        self,
        uow: UnitOfWork,
        postings: Postings,
        book: PriceBook,
        estimator: Estimator,
    ) -> None:
        self._uow = uow
        self._postings = postings
        self._book = book
        self._estimator = estimator

    def authorize(self, call: Call) -> Granted:
        """Hold the money for a call, or raise what stands in the way."""
        for _ in range(_LOOKS):
            spender = self._spender(call)
            priced_as, price = self._price(call, spender)
            row, caps = spender.row, spender.caps
            estimate = self._estimator.estimate(call, price, caps)
            hold = Hold(
                row.principal_id,
                row.epoch,
                estimate.amount_nanousd,
                self._wanted(spender),
                self._columns(call, spender, estimate, priced_as),
            )
            outcome = self._postings.hold(hold)
            if outcome.verdict == REFUSED:
                raise _refusal(call, price, hold, self._used(spender, outcome), outcome.moved)
            if outcome.verdict == DONE:
                return Granted(self._made(hold), self._used(spender, outcome))
        raise ConcurrentUpdateError("The person's rights keep changing at this moment; ask again.")

    def _spender(self, call: Call) -> Spender:
        spender = find_spender(self._uow, call.person, call.model)
        if spender is None:
            raise NotFoundError("There is no such user here.", code="unknown_user")
        row = spender.row
        if not row.active:
            raise ForbiddenError("The person is inactive.", code="user_inactive")
        if row.seat_state != "assigned":
            raise ForbiddenError("The person has no assigned seat.", code="no_seat")
        if call.surface not in row.surfaces:
            raise ForbiddenError(
                f"The person's role does not include the surface {call.surface!r}.",
                code="surface_not_allowed",
            )
        if not spender.may_use_model:
            raise ForbiddenError(
                f"The person's role does not include the model {call.model!r}.", code="model_not_allowed"
            )
        return spender

    def _price(self, call: Call, spender: Spender) -> tuple[str, Price]:
        """Under which name the call is priced, and the row for its size."""
        prices: Sequence[Price] = spender.prices
        fallback = spender.row.fallback_model
        if not prices and fallback is not None:
            prices = self._book.of_model(fallback)
        price = price_for(prices, call.input_tokens, self._uow.now)
        if price is None:
            raise UnknownPriceError(
                f"The model {call.model!r} has no price. Add one on /prices, or set the organization's "
                "fallback_model."
            )
        return price.model, price

    def _wanted(self, spender: Spender) -> list[Wanted]:
        """Every counter that the call moves, in the order in which they lock."""
        row, ends = spender.row, window_ends(self._uow.now, spender.row.zone)
        by_key = {(cap.scope_type, cap.scope_id, cap.window): cap for cap in spender.caps}
        own = [("user", row.principal_id, window) for window in WINDOWS]
        groups = [key for key in by_key if key[0] == "group"]
        everybody = [("organization", self._uow.org_id, window) for window in WINDOWS]
        wanted = []
        for key in (*own, *groups, *everybody):
            cap = by_key.get(key)
            must_open = cap is not None or key[2] in _ALWAYS.get(key[0], ())
            # Somebody's windows move while they are open, also after their limit is gone.
            if must_open or key[0] == "user":
                limit = None if cap is None else cap.amount_nanousd
                is_hard = cap is not None and cap.mode == "hard"
                wanted.append(Wanted(*key, ends[key[2]], limit, is_hard, must_open))
        return wanted

    def _columns(self, call: Call, spender: Spender, estimate: Estimate, priced_as: str) -> dict[str, Any]:
        return {
            "id": self._uow.ids.new(),
            "user_id": spender.row.user_id,
            "surface": call.surface,
            "model": call.model,
            "priced_as": priced_as,
            "repository": call.repository,
            "feature": call.feature,
            "session_id": call.session_id,
            "batch": call.batch,
            "dispatched": call.dispatched,
            "max_overrun_nanousd": estimate.max_overrun_nanousd,
            "expires_at": self._uow.now + HELD_FOR,
        }

    def _made(self, hold: Hold) -> dict[str, Any]:
        return {
            **hold.columns,
            "state": "open",
            "revoked": False,
            "reserved_nanousd": hold.amount_nanousd,
            "settled_nanousd": None,
            "authorized_at": self._uow.now,
            "ended_at": None,
        }

    def _used(self, spender: Spender, outcome: Outcome) -> list[Used]:
        """Every cap with its counter, in the order of the caps."""
        moved = {(row.scope_type, row.scope_id, row.window): row for row in outcome.moved}
        used = []
        for cap in spender.caps:
            row = moved[cap.scope_type, cap.scope_id, cap.window]
            closes_at = row.ends_at or resets_at(cap.window, self._uow.now, spender.row.zone)
            used.append(Used(cap, row.settled_nanousd, row.reserved_nanousd, closes_at))
        return used


def _refusal(
    call: Call, price: Price, hold: Hold, used: Sequence[Used], moved: Sequence[Moved]
) -> SpendLimitReachedError:
    """Name the first limit that the amount does not fit, and what would still fit all of them."""
    hard = [one for one in used if one.cap.mode == "hard"]
    first = next(one for one in hard if _is_short(one, hold.amount_nanousd))
    key = (first.cap.scope_type, first.cap.scope_id, first.cap.window)
    affordable = None
    if call.max_cost_nanousd is None:
        left = min(one.remaining_nanousd for one in hard)
        affordable = affordable_output_tokens(price, call.input_tokens, left, batch=call.batch)
    whose = {"user": "person's", "group": "group's", "organization": "organization's"}[key[0]]
    return SpendLimitReachedError(
        f"The call does not fit the {whose} {key[2]} limit. Wait until the window resets, ask for less, "
        "or raise the limit.",
        used=first,
        moved=next(row for row in moved if (row.scope_type, row.scope_id, row.window) == key),
        user_id=hold.columns["user_id"],
        affordable=affordable,
    )


def _is_short(used: Used, amount_nanousd: int) -> bool:
    return used.settled_nanousd + used.reserved_nanousd + amount_nanousd > used.cap.amount_nanousd
