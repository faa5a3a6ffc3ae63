"""What may be spent while Usher cannot be asked: a sum for each person and a time for all. Not shared:
every process of the gateway has its own, so the bound of a gateway is this times its processes.
"""

from collections.abc import Callable
from decimal import Decimal

from usher_litellm.settings import FailOpen


class Allowance:
    """A closed one, without bounds, lets nothing pass."""

    def __init__(self, bounds: FailOpen | None, monotonic: Callable[[], float]) -> None:
        self._bounds = bounds
        self._monotonic = monotonic
        self._since: float | None = None
        self._spent: dict[str, Decimal] = {}

    def take(self, person: str) -> bool:
        """Hold the cost of one call for the person, if the time is not over and it fits their sum."""
        bounds = self._bounds
        if bounds is None:
            return False
        now = self._monotonic()
        if self._since is None:
            self._since = now
        spent = self._spent.get(person, Decimal(0))
        if now - self._since > float(bounds.minutes) * 60 or spent + bounds.call_usd > bounds.usd:
            return False
        self._spent[person] = spent + bounds.call_usd
        return True

    def settle(self, person: str, cost_usd: Decimal | None) -> None:
        """Put the true cost in the place of what was held; an unknown one leaves it held."""
        if self._bounds is not None and cost_usd is not None and person in self._spent:
            self._spent[person] += cost_usd - self._bounds.call_usd

    def answered(self) -> None:
        """Usher is back: the next time begins anew."""
        self._since = None
        self._spent.clear()
