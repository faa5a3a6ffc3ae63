"""What contracts say at a moment: summed by day, turning at midnight of the organization's zone."""

from datetime import UTC, date, datetime

import pytest

from app.governance.seat_contracts import Agreed, SeatContract, agreed

SPRING = SeatContract(50, date(2026, 3, 1), date(2026, 3, 31))
YEAR = SeatContract(20, date(2026, 1, 1), date(2026, 12, 31))
GOOD = SeatContract(5, date(2026, 6, 1))


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_without_contracts_there_is_no_limit() -> None:
    assert agreed([], at(2026, 3, 1), "UTC") == Agreed(None, None)


@pytest.mark.parametrize(
    ("now", "quantity", "turns_at"),
    [
        (at(2025, 12, 31, 23), 0, at(2026, 1, 1)),
        (at(2026, 1, 1), 20, at(2026, 3, 1)),
        (at(2026, 3, 31, 23, 59), 70, at(2026, 4, 1)),
        (at(2026, 4, 1), 20, at(2026, 6, 1)),
        (at(2026, 6, 1), 25, at(2027, 1, 1)),
        (at(2027, 1, 1), 5, None),
    ],
)
def test_contracts_of_a_day_are_summed_until_the_next_one_begins_or_has_ended(
    now: datetime, quantity: int, turns_at: datetime | None
) -> None:
    assert agreed([SPRING, YEAR, GOOD], now, "UTC") == Agreed(quantity, turns_at)


def test_a_day_begins_at_midnight_of_the_zone() -> None:
    """Honolulu is ten hours behind UTC."""
    assert agreed([GOOD], at(2026, 6, 1, 9, 59), "Pacific/Honolulu") == Agreed(0, at(2026, 6, 1, 10))
    assert agreed([GOOD], at(2026, 6, 1, 10), "Pacific/Honolulu") == Agreed(5, None)
