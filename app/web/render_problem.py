"""Errors of the REST API: RFC 9457 problem+json with a stable `code`."""

import json
from http import HTTPStatus

from flask import Response

from app.core.errors import UsherError


def render_problem(error: UsherError, request_id: str) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
        **error.members,
    }
    return Response(json.dumps(body), status=error.status, content_type="application/problem+json")
