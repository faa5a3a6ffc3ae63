"""Windows end by the clock on the wall of the organization's zone."""

from datetime import UTC, datetime

import pytest

from app.governance.windows import resets_at


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "zone", "ends"),
    [
        ("daily", "2026-11-22T10:00", "UTC", "2026-11-23T00:00"),
        ("daily", "2026-11-22T23:30", "Europe/Berlin", "2026-11-23T23:00"),
        # The day on which Berlin's clock goes back has 25 hours, the one on which it goes forward 23.
        ("daily", "2026-10-24T23:00", "Europe/Berlin", "2026-10-25T23:00"),
        ("daily", "2026-03-28T23:30", "Europe/Berlin", "2026-03-29T22:00"),
        ("weekly", "2026-11-22T10:00", "UTC", "2026-11-23T00:00"),
        ("weekly", "2026-11-23T00:00", "UTC", "2026-11-30T00:00"),
        ("monthly", "2026-12-31T23:59", "UTC", "2027-01-01T00:00"),
        ("monthly", "2026-01-31T12:00", "America/New_York", "2026-02-01T05:00"),
        ("monthly", "2024-02-29T12:00", "Asia/Kolkata", "2024-02-29T18:30"),
    ],
)
def test_a_window_ends_at_local_midnight(window: str, now: str, zone: str, ends: str) -> None:
    assert resets_at(window, at(now), zone) == at(ends)


def test_five_hours_have_no_end_before_their_first_use() -> None:
    assert resets_at("five_hour", at("2026-11-22T10:00"), "UTC") is None
