"""Judges ID tokens (OpenID Connect Core 3.1.3.7 and 3.1.3.6); pure."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime

from app.sso.oidc.callback import Tokens
from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step
from app.sso.oidc.tokens import Expectation, Token, check_not_future, moment, verify

# Some providers leave the type out; a token of any other kind is none.
TYPES = ("jwt", "")


def verify_id_token(tokens: Tokens, code: str, nonce: str, expected: Expectation, now: datetime) -> Token:
    """The ID token if it answers the login of `nonce` and goes with its code; raises `OidcRefusedError`."""
    token = verify(tokens.id_token, expected, TYPES, now)
    given = token.claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise OidcRefusedError(
            ReasonCode.TOKEN_NONCE_MISMATCH, Step.CLAIMS, expected="the nonce of this login"
        )
    for name, value in (("at_hash", tokens.access_token), ("c_hash", code)):
        _check_hash(token, name, value)
    authenticated_at(token, now)
    return token


def authenticated_at(token: Token, now: datetime) -> datetime:
    """When the provider saw the person, as far as it says."""
    when = moment(token.claims, "auth_time")
    if when is None:
        return token.issued_at
    check_not_future("auth_time", when, now)
    return when


def _check_hash(token: Token, name: str, value: str | None) -> None:
    """A hash that is there must hold; without the value that it is of, it does not."""
    if name not in token.claims:
        return
    digest = hashlib.new(f"sha{token.alg[-3:]}", (value or "").encode()).digest()
    expected = urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    if value is None or token.claims[name] != expected:
        raise OidcRefusedError(
            ReasonCode.TOKEN_HASH_MISMATCH,
            Step.CLAIMS,
            expected=f"{name} {expected}",
            received=repr(token.claims[name]),
        )
