"""The frame of every page for people outside `/api/docs`: its head, its one style sheet, no script.

The style sheet's address names its content, so that browsers may keep it for ever.
"""

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, url_for
from markupsafe import Markup

from app.core.errors import NotFoundError

_STYLE = Path(__file__).parent / "pages.css"
_DOCUMENT = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title>'
    '<link rel="stylesheet" href="{style}"></head>'
    '<body class="{kind}"><main>{body}</main>{script}</body></html>'
)

blueprint = Blueprint("pages", __name__, url_prefix="/pages")


@blueprint.get("/<digest>.css")
def show_style(digest: str) -> Response:
    return serve_style(_STYLE, digest)


def document(title: str, body: Markup, *, script: Markup | str = "", kind: str = "card") -> Markup:
    """A page around a body; `kind` is `card`, or `wide` for what is read rather than answered."""
    style = url_for("pages.show_style", digest=style_digest(_STYLE))
    return _DOCUMENT.format(title=title, body=body, script=script, kind=kind, style=style)


@cache
def style_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def serve_style(path: Path, digest: str) -> Response:
    """The style sheet at the address that names its content; raises `NotFoundError` at another one."""
    if digest != style_digest(path):
        raise NotFoundError("There is no such style sheet; load the page again.")
    response = Response(path.read_bytes(), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
