"""One transaction around each view: committed below status 400, rolled back otherwise.

Views are wrapped once, in `create_app`, because only around the view can a failing commit still be
answered properly. A request that lost a race is repeated from its buffered body with a fresh
transaction, a bounded number of times; then the caller is asked to come back.
"""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import IO, Any

import structlog
from flask import Flask, Response, request
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge

from app.core.context import SYSTEM, Caller
from app.core.errors import ConcurrentUpdateError, ConflictError, UnavailableError
from app.core.retries import ATTEMPTS, Verdict, judge
from app.web.context import Begin, state
from app.web.metrics import RETRIES

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BACKOFF_SECONDS = 0.01

View = Callable[..., Any]


def wrap_views(app: Flask, begin: Begin) -> None:
    """Wrap every registered view; call it after the last blueprint."""
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = _transactional(app, view, begin)


def _transactional(app: Flask, view: View, begin: Begin) -> View:
    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        # The body is read before a transaction is open, so a slow sender holds no lock.
        _read_body()
        try:
            return _attempt_repeatedly(app, view, begin, arguments)
        finally:
            _run_afterwards(begin)

    return wrapper


def _read_body() -> None:
    """Buffer the body; one that comes in chunks and is too long is refused as any other that is.

    Werkzeug only cuts it, so that what was sent could be taken for something else. What only reads has none
    that means anything (RFC 9110 section 9.3.1).
    """
    if request.method in SAFE_METHODS:
        return
    body = request.get_data()
    if request.content_length is None and len(body) == request.max_content_length:
        source: IO[bytes] = request.environ["wsgi.input"]
        if source.read(1):
            raise RequestEntityTooLarge


def _attempt_repeatedly(app: Flask, view: View, begin: Begin, arguments: dict[str, Any]) -> Response:
    attempt = 0
    while True:
        attempt += 1
        committing = False
        try:
            caller = Caller(SYSTEM, state().request_id)
            with begin(write=is_writing(view), caller=caller) as services:
                state().services = services
                response = app.make_response(view(**arguments))
                if response.status_code < 400:  # noqa: PLR2004 - where HTTP refusals begin
                    committing = True
                    services.commit()
                return response
        except (SQLAlchemyError, ConcurrentUpdateError) as error:
            verdict = judge(error, committing=committing)
            if verdict is Verdict.RAISE:
                raise
            if verdict is Verdict.UNAVAILABLE or attempt == ATTEMPTS:
                raise _final(error) from error
            RETRIES.inc()
            time.sleep(BACKOFF_SECONDS * attempt * random.random())  # noqa: S311 - jitter is no secret
        finally:
            state().services = None


def writes(view: View) -> View:
    """Mark a GET that also writes, so that SQLite begins its transaction as a writing one."""
    view.writes = True  # type: ignore[attr-defined]  # functions take attributes, their type does not say so
    return view


def reads(view: View) -> View:
    """Mark a POST that only reads, so that on SQLite it does not stand in line with the writers."""
    view.writes = False  # type: ignore[attr-defined]  # as above
    return view


def is_writing(view: View) -> bool:
    """Whether the view of the request at hand may change anything."""
    return bool(getattr(view, "writes", request.method not in SAFE_METHODS))


def _final(error: Exception) -> Exception:
    if isinstance(error, ConcurrentUpdateError):
        return error
    if isinstance(error, IntegrityError):
        return ConflictError("The request conflicts with what is stored; read the object again.")
    structlog.get_logger().error("database.unavailable", error=type(error).__name__)
    return UnavailableError("The database cannot serve this request now; repeat it shortly.")


def _run_afterwards(begin: Begin) -> None:
    current = state()
    for task in current.afterwards:
        try:
            caller = Caller(current.actor or SYSTEM, current.request_id)
            with begin(write=True, caller=caller) as services:
                task(services)
                services.commit()
        except SQLAlchemyError as error:
            # The answer is decided; what follows it is worth a line, not a failure.
            structlog.get_logger().warning("afterwards.failed", error=type(error).__name__)
    current.afterwards.clear()
