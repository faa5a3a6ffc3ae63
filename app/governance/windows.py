"""Spending windows in an organization's own zone; pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

FIVE_HOURS = timedelta(hours=5)


def window_ends(now: datetime, zone: str) -> dict[str, datetime]:
    """For each kind of window, when one that opens now ends."""
    return {"five_hour": now + FIVE_HOURS, **_calendar_ends(now, zone)}


def resets_at(window: str, now: datetime, zone: str) -> datetime | None:
    """When the window that contains `now` ends; `five_hour` opens at its first use: null until then."""
    return _calendar_ends(now, zone).get(window)


def _calendar_ends(now: datetime, zone: str) -> dict[str, datetime]:
    """Daily at 00:00, weekly on Monday 00:00, monthly on day 1, all by the clock on the wall of `zone`,
    so that a day of 23 or 25 hours is one day.
    """
    local = now.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return {
        "daily": (midnight + timedelta(days=1)).astimezone(UTC),
        "weekly": (midnight + timedelta(days=7 - midnight.weekday())).astimezone(UTC),
        "monthly": (midnight.replace(day=1) + timedelta(days=32)).replace(day=1).astimezone(UTC),
    }
