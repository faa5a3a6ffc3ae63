"""Errors shown to a person in a browser: one sentence and a reference number."""

from http import HTTPStatus

from flask import Response
from markupsafe import Markup

from app.core.errors import UsherError
from app.core.urls import help_path
from app.web.pages import document

_BODY = Markup("<h1>{title}</h1><p>{detail}</p><p>Reference: {reference}</p>{help}")
_HELP = Markup('<p><a href="{path}">Help for administrators</a></p>')


def render_html(error: UsherError, request_id: str) -> Response:
    topic = error.help_topic
    title = HTTPStatus(error.status).phrase
    body = _BODY.format(
        title=title,
        detail=error.detail,
        reference=request_id,
        help="" if topic is None else _HELP.format(path=help_path(topic)),
    )
    return Response(document(title, body), status=error.status, content_type="text/html; charset=utf-8")
