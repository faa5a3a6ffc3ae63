"""Days and months of an organization's calendar as integers, and what a window comes to; pure."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from app.governance.windows import resets_at

_MOMENT = timedelta(microseconds=1)
# A forecast from less of a window than this is a guess.
_ENOUGH_PERCENT = 10


def day_of(moment: datetime, zone: str) -> int:
    return moment.astimezone(ZoneInfo(zone)).date().toordinal()


def month_of(day: int) -> int:
    at = date.fromordinal(day)
    return at.year * 12 + at.month - 1


def first_day(month: int) -> int:
    return date(month // 12, month % 12 + 1, 1).toordinal()


def month_name(month: int) -> str:
    """`2026-11`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def start_of(day: int, zone: str) -> datetime:
    at = date.fromordinal(day)
    return datetime(at.year, at.month, at.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def window_start(window: str, ends_at: datetime, zone: str) -> datetime:
    """When the daily, weekly or monthly window that ends then began."""
    last = day_of(ends_at - _MOMENT, zone)
    at = date.fromordinal(last)
    back = {"daily": 0, "weekly": at.weekday(), "monthly": at.day - 1}[window]
    return start_of(last - back, zone)


def present_window(window: str, now: datetime, zone: str) -> tuple[datetime, datetime]:
    ends_at = resets_at(window, now, zone)
    if ends_at is None:
        raise ValueError(f"A window of {window} has no calendar.")
    return window_start(window, ends_at, zone), ends_at


def forecast_nanousd(spent_nanousd: int, starts_at: datetime, ends_at: datetime, now: datetime) -> int | None:
    """What the window comes to if it goes on as so far; null before a tenth of it has passed."""
    passed, whole = (now - starts_at) // _MOMENT, (ends_at - starts_at) // _MOMENT
    if passed * 100 < whole * _ENOUGH_PERCENT:
        return None
    return spent_nanousd if passed >= whole else round(Fraction(spent_nanousd * whole, passed))
