"""What tokens cost: pure, exact, in integers.

Rates are pico-dollars for each token. Everything is multiplied out and rounded once: half to even for
what was used, up for what is held. It must not know where prices are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

PICOUSD_PER_NANOUSD = 1_000
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """Five classes of tokens, as the model's provider reports them."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_5m_input_tokens: int = 0
    cache_creation_1h_input_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The size that decides the tier: all that went in, from a cache or not."""
        return (
            self.input_tokens
            + self.cache_read_input_tokens
            + self.cache_creation_5m_input_tokens
            + self.cache_creation_1h_input_tokens
        )


@dataclass(frozen=True, slots=True)
class Price:
    """One row of the price book; the rates are in pico-dollars."""

    id: str
    model: str
    starts_at: datetime
    above_prompt_tokens: int
    input_picousd: int
    output_picousd: int
    cache_read_picousd: int
    cache_write_5m_picousd: int
    cache_write_1h_picousd: int
    batch_percent: int

    @property
    def dearest_input_picousd(self) -> int:
        return max(
            self.input_picousd,
            self.cache_read_picousd,
            self.cache_write_5m_picousd,
            self.cache_write_1h_picousd,
        )


def price_for(prices: Sequence[Price], prompt_tokens: int, moment: datetime) -> Price | None:
    """Of all rows of one model the one that holds at that moment for a prompt of that size.

    A prompt above a tier's bound is priced as a whole by that tier.
    """
    tiers = tiers_at(prices, moment)
    reached = [price for price in tiers if prompt_tokens > price.above_prompt_tokens]
    return reached[-1] if reached else next(iter(tiers), None)


def tiers_at(prices: Sequence[Price], moment: datetime) -> list[Price]:
    """Of all rows of one model those that hold at that moment, by size; the latest ones to have begun."""
    begun = [price for price in prices if price.starts_at <= moment]
    latest = max((price.starts_at for price in begun), default=None)
    return sorted((price for price in begun if price.starts_at == latest), key=_bound)


def cost_nanousd(price: Price, usage: Usage, *, batch: bool) -> int:
    """What was used costs, half to even."""
    total = (
        usage.input_tokens * price.input_picousd
        + usage.output_tokens * price.output_picousd
        + usage.cache_read_input_tokens * price.cache_read_picousd
        + usage.cache_creation_5m_input_tokens * price.cache_write_5m_picousd
        + usage.cache_creation_1h_input_tokens * price.cache_write_1h_picousd
    )
    whole, rest = divmod(total * _share(price, batch), PICOUSD_PER_NANOUSD * _PERCENT)
    doubled = 2 * rest
    half = PICOUSD_PER_NANOUSD * _PERCENT
    return whole + int(doubled > half or (doubled == half and whole % 2 == 1))


def worst_case_nanousd(price: Price, input_tokens: int, output_tokens: int, *, batch: bool) -> int:
    """The most that a call of this size can cost, rounded up: nobody knows yet what of it is cached."""
    total = input_tokens * price.dearest_input_picousd + output_tokens * price.output_picousd
    return -(-total * _share(price, batch) // (PICOUSD_PER_NANOUSD * _PERCENT))


def affordable_output_tokens(price: Price, input_tokens: int, nanousd: int, *, batch: bool) -> int:
    """How many output tokens such a call can have within that money; 0 when not even its input fits."""
    share = _share(price, batch)
    left = nanousd * PICOUSD_PER_NANOUSD * _PERCENT - input_tokens * price.dearest_input_picousd * share
    return max(0, left // (price.output_picousd * share)) if price.output_picousd * share else 0


def _share(price: Price, batch: bool) -> int:
    return price.batch_percent if batch else _PERCENT


def _bound(price: Price) -> int:
    return price.above_prompt_tokens
