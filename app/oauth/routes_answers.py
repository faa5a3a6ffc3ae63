"""How OAuth is read and answered: forms in, JSON or a redirect out, refusals as RFC 6749 has them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from app.core.errors import UsherError
from app.oauth.parameters import read_parameters
from app.oauth.refusals import OAuthError
from app.web.error_rendering import Protocol

_FORM = "application/x-www-form-urlencoded"
_FAULT = 500
# Where programs ask; at all other addresses of ours a person is at a browser.
ROOTS = tuple(f"/oauth/{name}" for name in ("token", "introspect", "revoke", "userinfo", "jwks"))


def form() -> Mapping[str, str]:
    """The form of a POST; raises `OAuthError` for any other body."""
    if request.mimetype != _FORM:
        raise OAuthError(f"Send the parameters in the body, as {_FORM}.")
    return read_parameters(request.get_data())


def json_response(body: Any) -> Response:
    return Response(json.dumps(body), content_type="application/json")


def see_other(address: str, parameters: Mapping[str, str]) -> Response:
    """Take the browser to an address with parameters added to its own."""
    text = urlencode(parameters)
    separator = "" if not text else "&" if "?" in address else "?"
    return Response(status=303, headers={"Location": f"{address}{separator}{text}"})


def _render(error: UsherError, _request_id: str) -> Response:
    code = error.code
    if not isinstance(error, OAuthError):
        code = "server_error" if error.status >= _FAULT else "invalid_request"
    body = {"error": code, "error_description": error.detail}
    return Response(json.dumps(body), status=error.status, content_type="application/json")


PROTOCOL = Protocol(_render, "All addresses are listed by GET /.well-known/openid-configuration.")
