"""Takes traces out of the queue, masks them and has them stored, beside the requests.

It must not know the database: `app.wiring` gives it the function that stores rows of one organization.
What cannot be stored is logged and counted as lost; nothing is tried twice, because a database that is
in trouble has requests to serve first.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.ids import is_uuid
from app.core.logs import MASK, is_secret
from app.core.tokens import without_tokens
from app.scim.protocol.masking import MAX_SENTENCE_LENGTH, Masking
from app.scim.trace import RequestTrace, TraceQueue

REST_SECONDS = 0.5
BATCH = 500
MAX_PATH_LENGTH = 4_096
MAX_USER_AGENT_LENGTH = 400

_GROUPS = "/scim/v2/Groups"
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))

Store = Callable[[str, Sequence[Mapping[str, Any]]], None]


class TraceWriter:
    """`store(org_id, rows)` writes rows of one organization in a transaction of their own."""

    def __init__(self, queue: TraceQueue, store: Store) -> None:
        self.queue = queue
        self._store = store

    def start(self) -> None:
        """Write in the background as long as the process lives.

        The thread is a daemon, because a server that is told to stop must not wait for its traces: those
        of the last half second go with it.
        """
        threading.Thread(target=self._run, name="usher-traces", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(REST_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Write all that waits now."""
        while traces := self.queue.take(BATCH):
            self._write(traces)

    def _write(self, traces: Sequence[RequestTrace]) -> None:
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for trace in traces:
            rows.setdefault(trace.org_id, []).append(row_of(trace))
        for org_id, its_rows in rows.items():
            try:
                self._store(org_id, its_rows)
            except SQLAlchemyError as error:
                structlog.get_logger().warning(
                    "scim_traces.lost", count=len(its_rows), error=type(error).__name__
                )
                self.queue.on_lost(len(its_rows))


def row_of(trace: RequestTrace) -> dict[str, Any]:
    """The columns of `scim_requests` but `id` and `org_id`, as JSON can carry them; bodies masked.

    What is null is left out, because reading the list takes the database as long as storing it.
    """
    masking = Masking(of_group=trace.path.startswith(_GROUPS))
    request_body = masking.request(trace.request_body) if trace.request_body else None
    response_body = masking.answer(trace.response_body) if trace.response_body else None
    row = {
        "occurred_at": trace.occurred_at.isoformat(sep=" ", timespec="microseconds"),
        "method": trace.method,
        "path": _path(trace)[:MAX_PATH_LENGTH],
        "status": trace.status,
        "scim_type": trace.scim_type,
        "detail": _line(trace.detail and masking.sentence(trace.detail), MAX_SENTENCE_LENGTH),
        "duration_microseconds": round(trace.duration_seconds * 1_000_000),
        "credential_id": trace.credential_id,
        "user_agent": _user_agent(trace.user_agent),
        "request_id": trace.request_id,
        "user_id": _id(trace.user_id),
        "group_id": _id(trace.group_id),
        "tolerances": sorted(trace.tolerances),
        "changed": sorted(trace.changed),
        "request_body": request_body,
        "response_body": response_body,
    }
    return {name: value for name, value in row.items() if value is not None}


@lru_cache(maxsize=1_000)
def _user_agent(text: str | None) -> str | None:
    return _line(text, MAX_USER_AGENT_LENGTH)


def _path(trace: RequestTrace) -> str:
    """Path and query as they were sent; filters stay, secrets that do not belong there do not."""
    path = without_tokens(quote(trace.path, encoding="latin-1"))
    if not trace.query:
        return path
    return f"{path}?{'&'.join(_parameters(quote(trace.query, _PRINTABLE, encoding='latin-1')))}"


def _parameters(query: str) -> Iterator[str]:
    for parameter in query.split("&"):
        name, equals, value = parameter.partition("=")
        yield f"{name}={MASK}" if is_secret(name) else without_tokens(f"{name}{equals}{value}")


def _line(text: str | None, max_length: int) -> str | None:
    """Foreign text without control characters, tokens and what is beyond `max_length`."""
    if text is None:
        return None
    printable = text if text.isprintable() else "".join(filter(str.isprintable, text))
    return without_tokens(printable)[:max_length]


def _id(text: str | None) -> str | None:
    return text if text is not None and is_uuid(text) else None
