"""`/api/docs`: the OpenAPI document as a page for people. No script; one style sheet, ours.

Both answers stay the same while the process lives. The style sheet's address names its content, so that
it may be kept for ever; the page is asked for again and answered 304.
"""

import gzip
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, render_template, request, url_for

from app.api.docs_page import Page
from app.api.openapi import describe
from app.api.routes import endpoints
from app.core.urls import PublicUrls
from app.web.context import service
from app.web.pages import serve_style, style_digest

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = Path(__file__).parent / "docs.css"

blueprint = Blueprint("docs", __name__, url_prefix="/api/docs", template_folder="templates")


@blueprint.get("")
def show_docs() -> Response:
    page = _page(service(PublicUrls).base_url)
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    if request.accept_encodings["gzip"]:
        response.set_data(_compressed(page))
        response.headers["Content-Encoding"] = "gzip"
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/<digest>.css")
def show_style(digest: str) -> Response:
    return serve_style(_STYLE, digest)


@cache
def _page(base_url: str) -> str:
    style = url_for("docs.show_style", digest=style_digest(_STYLE))
    return render_template("docs.html", page=Page(describe(endpoints()), base_url), style=style)


@cache
def _compressed(page: str) -> bytes:
    """A fifteenth of it: the answers of each operation read alike."""
    return gzip.compress(page.encode(), mtime=0)
