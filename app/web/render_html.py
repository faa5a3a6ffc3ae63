"""Errors shown to a person in a browser: one sentence and a reference number."""

from http import HTTPStatus

from flask import Response
from markupsafe import Markup

from app.core.errors import UsherError

_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    "<body><h1>{title}</h1><p>{detail}</p><p>Reference: {reference}</p></body></html>"
)


def render_html(error: UsherError, request_id: str) -> Response:
    page = _PAGE.format(title=HTTPStatus(error.status).phrase, detail=error.detail, reference=request_id)
    return Response(page, status=error.status, content_type="text/html; charset=utf-8")
