"""Every failure in the shape of the protocol that was spoken, chosen by path at application level.

Blueprint handlers never see an unknown URL or a wrong method, so the three renderers hang on the
application. What is not in the tree of `core.errors` is a fault of ours: logged whole, answered with
a constant sentence.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.core.errors import PayloadTooLargeError, UsherError
from app.web.context import state
from app.web.render_html import render_html
from app.web.render_problem import render_problem

Renderer = Callable[[UsherError, str], Response]


class _HttpError(UsherError):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")


def install(app: Flask, renderers: Mapping[str, Renderer]) -> None:
    """`renderers` maps a path prefix to a renderer; `/api/` and HTML are known here."""
    known = {"/api/": render_problem, **renderers}

    def render(error: UsherError) -> Response:
        renderer = next((known[prefix] for prefix in known if request.path.startswith(prefix)), render_html)
        response = renderer(error, state().request_id)
        response.headers.update(error.headers)
        return response

    def from_usher(error: UsherError) -> Response:
        if error.context:
            structlog.get_logger().info(
                "refused", request_id=state().request_id, code=error.code, **error.context
            )
        return render(error)

    def from_http(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            limit = request.max_content_length
            return render(PayloadTooLargeError(f"The body is larger than {limit} bytes; send less at once."))
        response = error.get_response()
        rendered = render(_HttpError(response.status_code, error.description or str(error)))
        if "Allow" in response.headers:
            rendered.headers["Allow"] = response.headers["Allow"]
        if "Location" in response.headers:
            rendered.headers["Location"] = response.headers["Location"]
        return rendered

    def from_fault(error: Exception) -> Response:
        structlog.get_logger().error(
            "fault", request_id=state().request_id, path=request.path, exc_info=error
        )
        return render(UsherError("Something went wrong on our side. Quote the request id to the operator."))

    app.register_error_handler(UsherError, from_usher)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_fault)
