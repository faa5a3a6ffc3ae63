"""Spending windows in an organization's own zone; pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

FIVE_HOURS = timedelta(hours=5)


def window_end(window: str, now: datetime, zone: str) -> datetime:
    """When a window that opens now ends."""
    return resets_at(window, now, zone) or now + FIVE_HOURS


def resets_at(window: str, now: datetime, zone: str) -> datetime | None:
    """When the window that contains `now` ends, in UTC.

    Daily at 00:00, weekly on Monday 00:00, monthly on day 1, all by the clock on the wall of `zone`,
    so that a day of 23 or 25 hours is one day. `five_hour` opens at its first use: null until then.
    """
    local = now.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if window == "daily":
        end = midnight + timedelta(days=1)
    elif window == "weekly":
        end = midnight + timedelta(days=7 - midnight.weekday())
    elif window == "monthly":
        end = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    else:
        return None
    return end.astimezone(UTC)
