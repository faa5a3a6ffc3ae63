"""The help on refusals: `okta/troubleshooting.md` as a page, with an anchor for each reason and error type.

The text stands once, in that file; whoever refuses links here by `core.urls`.
"""

from functools import cache
from pathlib import Path

from flask import Blueprint, Response
from markdown_it import MarkdownIt
from markupsafe import Markup

from app.core.urls import HELP
from app.web.pages import document

SOURCE = Path(__file__).parents[2] / "okta/troubleshooting.md"

blueprint = Blueprint("help", __name__)


@blueprint.get(HELP)
def show_help() -> Response:
    return Response(_rendered(), content_type="text/html; charset=utf-8")


@cache
def _rendered() -> Markup:
    body = MarkdownIt("commonmark").enable("table").render(SOURCE.read_text())
    return document("Troubleshooting", Markup(body), kind="wide")  # noqa: S704 - a file of this repository
