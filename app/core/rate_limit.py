"""Token buckets in the process: so many at once, so many a second, by key."""

import ipaddress
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import TooManyRequestsError

MAX_KEYS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """`ticks` answers monotonic seconds; the rates are those of this one process."""

    def __init__(self, *, per_second: float, burst: float, ticks: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._ticks = ticks
        self._buckets: dict[str, _Bucket] = {}
        self._guard = threading.Lock()

    def check(self, key: str) -> None:
        """Take one token or raise `TooManyRequestsError` with the whole seconds to wait."""
        now = self._ticks()
        with self._guard:
            bucket = self._buckets.get(key)
            if bucket is None:
                if len(self._buckets) >= MAX_KEYS:
                    self._forget_full(now)
                bucket = self._buckets[key] = _Bucket(self._burst, now)
            bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
            bucket.filled_at = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return
            wait = math.ceil((1 - bucket.tokens) / self._per_second)
        raise TooManyRequestsError(
            f"Too many requests; slow down to {self._per_second:g} a second.", retry_after_seconds=wait
        )

    def has_room(self, key: str) -> bool:
        """Take one token if there is one."""
        try:
            self.check(key)
        except TooManyRequestsError:
            return False
        return True

    def _forget_full(self, now: float) -> None:
        # A bucket that is full again is as good as none.
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.filled_at) * self._per_second < self._burst
        }


class ScimRate(RateLimiter):
    """Requests of one organization's SCIM clients."""


class ApiRate(RateLimiter):
    """Requests of one API key."""


class SignInRate:
    """Sign-ins that begin: so many a minute from one network address, a sixth of that for one e-mail."""

    def __init__(self, *, per_minute: float, ticks: Callable[[], float]) -> None:
        self._addresses = RateLimiter(per_second=per_minute / 60, burst=per_minute, ticks=ticks)
        self._emails = RateLimiter(per_second=per_minute / 360, burst=per_minute / 6, ticks=ticks)

    def check_address(self, address: str | None) -> None:
        self._addresses.check(_network(address or ""))

    def check_email(self, key: str) -> None:
        self._emails.check(key)


def _network(address: str) -> str:
    """One customer's network: an IPv6 host has as many addresses in its own as it likes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address  # noqa: PLR2004 - of IPv6
