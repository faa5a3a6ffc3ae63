"""Refusals in OAuth's own words: `error` is the code of RFC 6749, 6750 or OpenID Connect.

Their sentences go into headers and addresses, so they hold nothing that a caller sent and neither quotes nor
backslashes (RFC 6749 section 5.2).
"""

from collections.abc import Mapping

from app.core.errors import UsherError


class OAuthError(UsherError):
    """`code` is what OAuth calls `error`."""

    status = 400
    code = "invalid_request"


class InvalidGrantError(OAuthError):
    code = "invalid_grant"


class InvalidClientError(OAuthError):
    """RFC 6749 section 5.2: an application that cannot prove itself, by whatever means it tried."""

    status = 401
    code = "invalid_client"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Basic realm="usher"'}


class InvalidTokenError(OAuthError):
    """RFC 6750 section 3.1."""

    status = 401
    code = "invalid_token"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="usher", error="invalid_token"'}


class MissingTokenError(OAuthError):
    """RFC 6750 section 3: who sends no token at all is told no error code in the header."""

    status = 401
    code = "invalid_token"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="usher"'}


class DeniedError(OAuthError):
    """Goes back to the application by way of the browser; `help_path` is where the person reads more."""

    def __init__(self, code: str, detail: str, *, help_path: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.help_path = help_path
