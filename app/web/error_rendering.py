"""Every failure in the shape of the protocol that was spoken, chosen by path at application level.

Blueprint handlers never see an unknown URL or a wrong method, so the three renderers hang on the
application. What is not in the tree of `core.errors` is a fault of ours: logged whole, answered with
a constant sentence.

Each protocol knows its own addresses, so a renderer comes with the hint that mends an unknown one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from app.core.errors import NotFoundError, PayloadTooLargeError, UsherError
from app.core.tokens import without_tokens
from app.web.context import state
from app.web.render_html import render_html
from app.web.render_problem import render_problem

MAX_PATH_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Protocol:
    """`render` shapes a refusal with its request id; `hint` says where the right addresses are found."""

    render: Callable[[UsherError, str], Response]
    hint: str


JSON = Protocol(render_problem, "Check the address.")
_API = Protocol(render_problem, "All addresses of the API are listed by GET /api/v1/openapi.json.")
_PAGES = Protocol(render_html, "Check the address, or ask whoever gave it to you for the right one.")


class _HttpError(UsherError):
    def __init__(self, status: int, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.status = status
        self.code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
        self.headers = headers


def install(app: Flask, protocols: Mapping[str, Protocol]) -> None:
    """`protocols` maps a path prefix to what is spoken there; the API and pages are known here."""
    known = {"/api/": _API, **protocols}

    def spoken() -> Protocol:
        return next((known[prefix] for prefix in known if request.path.startswith(prefix)), _PAGES)

    def render(error: UsherError) -> Response:
        response = spoken().render(error, state().request_id)
        response.headers.update(error.headers)
        return response

    def from_usher(error: UsherError) -> Response:
        if error.context:
            structlog.get_logger().info(
                "refused", request_id=state().request_id, code=error.code, **error.context
            )
        return render(error)

    def from_http(error: HTTPException) -> Response:
        return render(_in_our_words(error, spoken().hint))

    def from_fault(error: Exception) -> Response:
        structlog.get_logger().error(
            "fault", request_id=state().request_id, path=without_tokens(request.path), exc_info=error
        )
        return render(UsherError("Something went wrong on our side. Quote the request id to the operator."))

    app.register_error_handler(UsherError, from_usher)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_fault)


def _in_our_words(error: HTTPException, hint: str) -> UsherError:
    """What Flask and Werkzeug refused before any of our code ran: what, where, and how to mend it."""
    path = request.path[:MAX_PATH_SHOWN]
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length
        return PayloadTooLargeError(f"The body is larger than {limit} bytes; send less at once.")
    if isinstance(error, NotFound):
        return NotFoundError(f"There is nothing at {path!r}. {hint}")
    response = error.get_response()
    kept = {name: response.headers[name] for name in ("Allow", "Location") if name in response.headers}
    detail = error.description or str(error)
    if "Allow" in kept:
        detail = f"{request.method} is not possible at {path!r}. Use {kept['Allow']}."
    return _HttpError(response.status_code, detail, kept)
