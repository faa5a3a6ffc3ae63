"""Prices to the nano-dollar, held against the public price list."""

from datetime import UTC, datetime, timedelta

import pytest

from app.spend.pricing import (
    Price,
    Usage,
    affordable_output_tokens,
    cost_nanousd,
    price_for,
    worst_case_nanousd,
)
from app.spend.shipped_prices import shipped_rows

NOW = datetime(2026, 11, 25, tzinfo=UTC)
BOOK = [Price(id="x", **row) for row in shipped_rows()]


def price(model: str, prompt_tokens: int = 0) -> Price:
    found = price_for([row for row in BOOK if row.model == model], prompt_tokens, NOW)
    assert found is not None
    return found


# A million tokens of each class alone, in nano-dollars: input, output, cache read, write 5 min, write 1 h.
@pytest.mark.parametrize(
    ("model", "prompt", "dollars"),
    [
        ("claude-opus-4-6", 0, (5, 25, 0.5, 6.25, 10)),
        ("claude-sonnet-4-6", 0, (3, 15, 0.3, 3.75, 6)),
        ("claude-haiku-4-5", 0, (1, 5, 0.1, 1.25, 2)),
        ("claude-opus-5-5", 0, (4, 20, 0.2, 5, 8)),
        ("claude-sonnet-5-5", 0, (2, 10, 0.1, 2.5, 4)),
        ("claude-haiku-5-5", 100_000, (0.1, 0.5, 0.01, 0.125, 0.2)),
        ("claude-haiku-5-5", 100_001, (0.5, 2.5, 0.05, 0.625, 1)),
        ("claude-fable-5-1", 0, (10, 50, 0.25, 12.5, 20)),
    ],
)
def test_each_class_of_tokens_has_its_public_price(
    model: str, prompt: int, dollars: tuple[float, ...]
) -> None:
    row = price(model, prompt)
    for place, dollar in enumerate(dollars):
        tokens = [0] * 5
        tokens[place] = 1_000_000
        nanousd = round(dollar * 1_000_000_000)
        assert cost_nanousd(row, Usage(*tokens), batch=False) == nanousd
        assert cost_nanousd(row, Usage(*tokens), batch=True) == nanousd // 2


def test_a_mixed_call_costs_the_sum_of_its_classes() -> None:
    usage = Usage(1_234, 567, 89_012, 3_456, 78)
    # 1234*3000 + 567*15000 + 89012*300 + 3456*3750 + 78*6000 nano-dollars.
    assert cost_nanousd(price("claude-sonnet-4-6"), usage, batch=False) == 52_338_600


def test_a_tier_prices_the_whole_prompt_cached_tokens_included() -> None:
    usage = Usage(input_tokens=1, output_tokens=0, cache_read_input_tokens=100_000)
    assert usage.prompt_tokens == 100_001
    row = price("claude-haiku-5-5", usage.prompt_tokens)
    assert cost_nanousd(row, usage, batch=False) == 500 + 100_000 * 50


@pytest.mark.parametrize(("tokens", "nanousd"), [(1, 62), (2, 125), (3, 188), (5, 312), (7, 438)])
def test_usage_is_rounded_half_to_even_once(tokens: int, nanousd: int) -> None:
    """A cached token of a Haiku 5.5 batch costs 62.5 nano-dollars."""
    usage = Usage(0, 0, cache_creation_5m_input_tokens=tokens)
    assert cost_nanousd(price("claude-haiku-5-5"), usage, batch=True) == nanousd


def test_what_is_held_takes_the_dearest_class_and_is_rounded_up() -> None:
    # One hour of caching is Opus' dearest way in: 200,000 * 10,000 + 32,000 * 25,000 nano-dollars.
    assert worst_case_nanousd(price("claude-opus-4-6"), 200_000, 32_000, batch=False) == 2_800_000_000
    assert worst_case_nanousd(price("claude-haiku-5-5"), 1, 1, batch=True) == 350
    odd = Price("x", "m", NOW, 0, 1, 1, 1, 1, 1, 50)
    assert worst_case_nanousd(odd, 1, 0, batch=False) == 1


def test_no_call_costs_more_than_its_worst_case() -> None:
    for row in BOOK:
        for usage in (
            Usage(1_000, 500),
            Usage(0, 500, 0, 0, 1_000),
            Usage(0, 500, 1_000),
            Usage(0, 500, 0, 1_000),
        ):
            worst = worst_case_nanousd(row, 1_000, 500, batch=False)
            assert cost_nanousd(row, usage, batch=False) <= worst


def test_what_is_affordable_fits_and_one_token_more_does_not() -> None:
    row = price("claude-sonnet-4-6")
    fits = affordable_output_tokens(row, 1_000, 20_000_000, batch=False)
    assert worst_case_nanousd(row, 1_000, fits, batch=False) <= 20_000_000
    assert worst_case_nanousd(row, 1_000, fits + 1, batch=False) > 20_000_000
    assert affordable_output_tokens(row, 1_000, 1, batch=False) == 0


def test_the_latest_price_that_has_begun_holds() -> None:
    old, new = (Price("x", "m", NOW + timedelta(days=day), 0, day + 9, 0, 0, 0, 0, 50) for day in (-5, 3))
    assert price_for([old, new], 1, NOW) == old
    assert price_for([old, new], 1, NOW + timedelta(days=3)) == new
    assert price_for([new], 1, NOW) is None
    assert price_for([], 1, NOW) is None
