"""Pages for people who sign in and out: a few words, a form, nothing loaded but our own style and script."""

from collections.abc import Iterable, Mapping

from flask import Response
from markupsafe import Markup

from app.sso.saml.bindings import PostForm
from app.web.pages import document

_HEADING = Markup("<h1>{}</h1>")
_FORM = Markup('<form method="post" action="{action}">{fields}<button>{button}</button></form>')
_FIELD = Markup('<input type="hidden" name="{name}" value="{value}">')
_SUBMIT = Markup('<script src="/sso/submit.js"></script>')
# Sends the only form of the page that it stands on; without it the person presses the button.
SUBMIT_SCRIPT = "document.forms[0].submit();\n"
_POLICY_WITH_SCRIPT = "default-src 'none'; style-src 'self'; script-src 'self'; frame-ancestors 'none'"


def page(title: str, *parts: str, script: Markup | str = "") -> Response:
    """A page of paragraphs and forms; texts are escaped, `Markup` is not."""
    body = Markup("").join(
        part if isinstance(part, Markup) else Markup("<p>{}</p>").format(part) for part in parts
    )
    text = document(title, _HEADING.format(title) + body, script=script)
    return Response(text, content_type="text/html; charset=utf-8")


def form(action: str, fields: Mapping[str, str], button: str) -> Markup:
    hidden = Markup("").join(_FIELD.format(name=name, value=value) for name, value in fields.items())
    return _FORM.format(action=action, fields=hidden, button=button)


def listing(items: Iterable[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(item) for item in items))


def onward(to: PostForm) -> Response:
    """A page that posts a message to the identity provider."""
    response = page(
        "One moment",
        "You are being taken to your identity provider.",
        form(to.action, to.fields, "Continue"),
        script=_SUBMIT,
    )
    response.headers["Content-Security-Policy"] = _POLICY_WITH_SCRIPT
    return response
