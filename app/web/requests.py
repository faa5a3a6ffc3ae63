"""What surrounds every request: id, size cap, log line, metrics, safe headers."""

import re
import time
from functools import lru_cache

import structlog
from flask import Flask, Response, request
from prometheus_client import Counter, Histogram

from app.core.ids import IdFactory
from app.core.tokens import without_tokens
from app.web.context import RequestState, begin_request, state
from app.web.metrics import REQUESTS, SECONDS

MAX_BODY_BYTES = 1_048_576
MAX_GROUP_BODY_BYTES = 8 * MAX_BODY_BYTES
_SAFE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
# Of every answer that does not bring its own.
_DEFAULTS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
)
_log = structlog.get_logger()
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_SURFACES = ("scim", "api", "sso", "oauth", "console")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def install(app: Flask, ids: IdFactory) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else ids.new()
        begin_request(RequestState(request_id, time.perf_counter()))
        if request.path.startswith("/scim/v2/Groups"):
            request.max_content_length = MAX_GROUP_BODY_BYTES

    app.before_request(begin)
    app.after_request(_finish)


@lru_cache(maxsize=100)
def _surface(root: str) -> str:
    return root if root in _SURFACES else "other"


@lru_cache(maxsize=1_000)
def _counters(surface: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """The counters of one kind of answer, which prometheus-client looks up anew each time it is asked.

    It keeps each for good, so a method that a client has made up gets none of its own.
    """
    known = method if method in _METHODS else "other"
    return REQUESTS.labels(surface, known, str(status)), SECONDS.labels(surface, known)


def _finish(response: Response) -> Response:
    current = state()
    seconds = time.perf_counter() - current.started
    method, path, status = request.method, request.path, response.status_code
    answered, lasting = _counters(_surface(path[1:].partition("/")[0]), method, status)
    answered.inc()
    lasting.observe(seconds)
    defaults = [default for default in _DEFAULTS if default[0] not in response.headers]
    response.headers.extend(
        [("X-Request-Id", current.request_id), *_SAFE_HEADERS, *defaults, *current.headers.items()]
    )
    _log.info(
        "request",
        request_id=current.request_id,
        method=method,
        # A base URL that was put together wrongly has the token in it.
        path=without_tokens(path),
        status=status,
        ms=round(seconds * 1000, 1),
        org_id=current.org_id,
        actor=current.actor.id if current.actor else None,
    )
    return response
