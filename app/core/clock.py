"""Where time comes from. Services get a `Clock`; nothing else reads the system's."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

# So much may the clocks of others differ from ours, at every bound of every message.
CLOCK_SKEW = timedelta(seconds=180)


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T09:30:00.123456Z`: fixed width, so that text order is time order."""
    # isoformat pads years before 1000, which Entra's delta reads ask for; strftime does not.
    # In UTC it ends with +00:00.
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
