"""The trace of one SCIM request, and the bounded queue in which it waits to be written.

A request only keeps references here: no masking, no JSON, no formatting. Whoever puts a trace never
waits for the database and never fails; what finds the queue full is lost, and counted.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 33_554_432
# A longer body is not kept: reading it again would cost the requests that come after it.
MAX_BODY_BYTES = 65_536


@dataclass(slots=True, eq=False)
class RequestTrace:
    """One attempt at one request; services name what it is about, the route completes it.

    `user_id` and `group_id` are ids as the client gave or got them, `path` and `query` are as WSGI gives
    them. Of a body that is too long only the length is here.
    """

    queue: "TraceQueue"
    occurred_at: datetime
    user_id: str | None = None
    group_id: str | None = None
    changed: set[str] = field(default_factory=set)
    tolerances: set[str] = field(default_factory=set)
    scim_type: str | None = None
    detail: str | None = None
    org_id: str = ""
    credential_id: str = ""
    request_id: str = ""
    method: str = ""
    path: str = ""
    query: str = ""
    user_agent: str | None = None
    status: int = 0
    duration_seconds: float = 0.0
    request_body: bytes | int | None = None
    response_body: bytes | int | None = None
    # How much memory the bodies hold while the trace waits.
    body_bytes: int = 0

    def keep(self, request_body: bytes, response_body: bytes) -> None:
        """Keep both bodies, or their lengths where they are too long."""
        self.request_body = _bounded(request_body)
        self.response_body = _bounded(response_body)
        kept = (self.request_body, self.response_body)
        self.body_bytes = sum(len(body) for body in kept if isinstance(body, bytes))


def _bounded(body: bytes) -> bytes | int:
    return body if len(body) <= MAX_BODY_BYTES else len(body)


class TraceQueue:
    """First in, first out, for any number of threads; `on_lost` is told how many were lost."""

    def __init__(self, on_lost: Callable[[int], None]) -> None:
        self.on_lost = on_lost
        self._waiting: deque[RequestTrace] = deque()
        self._waiting_bytes = 0
        self._guard = threading.Lock()

    def put(self, trace: RequestTrace) -> None:
        size = trace.body_bytes
        with self._guard:
            if len(self._waiting) < MAX_WAITING and self._waiting_bytes + size <= MAX_WAITING_BYTES:
                self._waiting.append(trace)
                self._waiting_bytes += size
                return
        self.on_lost(1)

    def take(self, count: int) -> list[RequestTrace]:
        """Up to `count` traces, the oldest first; an empty list when none waits."""
        with self._guard:
            taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            self._waiting_bytes -= sum(trace.body_bytes for trace in taken)
        return taken
