"""The help on refusals: `okta/troubleshooting.md` as a page, with an anchor for each reason and error type.

The text stands once, in that file; whoever refuses links here by `core.urls`.
"""

from functools import cache
from pathlib import Path

from flask import Blueprint, Response
from markdown_it import MarkdownIt
from markupsafe import Markup

from app.core.urls import HELP

SOURCE = Path(__file__).parents[2] / "okta/troubleshooting.md"
_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>Troubleshooting</title></head>'
    "<body><main>{body}</main></body></html>"
)

blueprint = Blueprint("help", __name__)


@blueprint.get(HELP)
def show_help() -> Response:
    return Response(_rendered(), content_type="text/html; charset=utf-8")


@cache
def _rendered() -> Markup:
    body = MarkdownIt("commonmark").enable("table").render(SOURCE.read_text())
    return _PAGE.format(body=Markup(body))  # noqa: S704 - a file of this repository
