"""/Me (RFC 7644 section 3.11): a SCIM token is an identity provider's, and no resource stands for it."""

from flask import Response

from app.scim.protocol.errors import UnsupportedError
from app.scim.routes import route

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@route("/Me/", *_METHODS, with_slash=True)
def me() -> Response:
    raise _unsupported()


@route("/Me/<path:_below>", *_METHODS)
def below_me(_below: str) -> Response:
    raise _unsupported()


def _unsupported() -> UnsupportedError:
    return UnsupportedError("/Me is not supported, because a SCIM token belongs to no user. Use /Users/{id}.")
