"""Money is integers inside and exact decimal strings outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NANOUSD_PER_USD, format_usd, parse_usd


@given(st.integers(0, 10**9 * NANOUSD_PER_USD))
def test_every_amount_comes_back_as_it_went(nanousd: int) -> None:
    assert parse_usd(format_usd(nanousd)) == nanousd


@pytest.mark.parametrize("text", ["", " 1", "1e400", "NaN", "-1", "1.0000000001", "1000000001", "1,5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Give"):
        parse_usd(text)


@pytest.mark.parametrize(("text", "shown"), [("50", "50"), ("12.50", "12.5"), ("0.000000001", "0.000000001")])
def test_amounts_are_shown_in_their_shortest_form(text: str, shown: str) -> None:
    assert format_usd(parse_usd(text)) == shown
