"""Judges logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.6); pure."""

from dataclasses import dataclass
from datetime import datetime

from app.core.clock import CLOCK_SKEW
from app.sso.oidc.profile import MAX_SUBJECT_LENGTH
from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step
from app.sso.oidc.tokens import MAX_LIFETIME, Expectation, Token, verify

# The type is demanded, so that no token of another kind is ever taken for one (section 4).
TYPES = ("logout+jwt",)
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whose sessions end: `subject`, or `session_index` (`sid`), or that one of that subject.

    `token_id` is to be remembered until `replay_until`.
    """

    token_id: str
    replay_until: datetime
    subject: str | None
    session_index: str | None


def verify_logout_token(text: str, expected: Expectation, now: datetime) -> LogoutToken:
    """Raises `OidcRefusedError` and nothing else."""
    token = verify(text, expected, TYPES, now)
    claims = token.claims
    if token.expires_at - token.issued_at > MAX_LIFETIME:
        raise OidcRefusedError(
            ReasonCode.TOKEN_LIVES_TOO_LONG,
            Step.CLAIMS,
            expected=f"at most {MAX_LIFETIME}",
            received=token.expires_at.isoformat(),
        )
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise OidcRefusedError(
            ReasonCode.LOGOUT_TOKEN_EVENT, Step.CLAIMS, expected=EVENT, received=repr(events)
        )
    if "nonce" in claims:
        raise OidcRefusedError(ReasonCode.LOGOUT_TOKEN_NONCE, Step.CLAIMS, expected="no nonce")
    token_id = _text(token, "jti", ReasonCode.LOGOUT_TOKEN_ID)
    subject, session = (_text(token, name, ReasonCode.LOGOUT_TOKEN_SUBJECT) for name in ("sub", "sid"))
    if token_id is None:
        raise OidcRefusedError(ReasonCode.LOGOUT_TOKEN_ID, Step.CLAIMS, expected="jti")
    if subject is None and session is None:
        raise OidcRefusedError(ReasonCode.LOGOUT_TOKEN_SUBJECT, Step.CLAIMS, expected="sub or sid")
    return LogoutToken(token_id, token.expires_at + CLOCK_SKEW, subject, session)


def _text(token: Token, name: str, reason: ReasonCode) -> str | None:
    value = token.claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUBJECT_LENGTH:
        raise OidcRefusedError(reason, Step.CLAIMS, expected=f"{name} as a text", received=repr(value))
    return value
