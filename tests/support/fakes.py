"""A clock that stands where a test puts it."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Real time plus an offset, so that rows of one run keep their order."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self.fixed: datetime | None = None

    def now(self) -> datetime:
        return self.fixed or datetime.now(UTC) + self.offset

    def advance(self, **parts: float) -> None:
        self.offset += timedelta(**parts)
        if self.fixed is not None:
            self.fixed += timedelta(**parts)

    def stop(self) -> None:
        """Stand still but for `advance`."""
        self.fixed = self.now()

    def reset(self) -> None:
        self.offset = timedelta(0)
        self.fixed = None
