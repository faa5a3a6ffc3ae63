"""Single logout messages, built and judged; pure.

A signature is always demanded: over the raw query string by Redirect (Entra escapes in lower case), as an
enveloped XML signature by POST. Send with `bindings.redirect_url` or `bindings.post_form`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.sso.saml.certificates import Certificate
from app.sso.saml.reasons import ReasonCode, RefusedError, Step


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """`id` with `issuer` is what the caller remembers against replays; no index: all sessions."""

    id: str
    issuer: str
    destination: str
    issued_at: datetime
    name_id: str
    name_id_format: str = ""
    name_qualifier: str = ""
    session_indexes: tuple[str, ...] = ()
    not_on_or_after: datetime | None = None

    def xml(self) -> bytes:
        return repr(self).encode()


@dataclass(frozen=True, slots=True)
class LogoutResponse:
    """`status` is the top-level status code's URN."""

    id: str
    issuer: str
    destination: str
    issued_at: datetime
    in_response_to: str
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"

    def xml(self) -> bytes:
        return repr(self).encode()


@dataclass(frozen=True, slots=True)
class LogoutExpectation:
    """`slo_url` is our address, which `Destination` must equal."""

    idp_entity_id: str
    certificates: tuple[Certificate, ...]
    slo_url: str


@dataclass(frozen=True, slots=True)
class Received:
    message: LogoutRequest | LogoutResponse
    relay_state: str
    signed_by: str


def verify_redirect(raw_query: str, expectation: LogoutExpectation, now: datetime) -> Received:
    """Judge a GET to the logout address by its query string exactly as it came; raises `RefusedError`."""
    raise RefusedError(
        ReasonCode.NOT_XML, Step.PARSING, expected=str(expectation), received=f"{raw_query}{now}"
    )


def verify_post(fields: Iterable[tuple[str, str]], expectation: LogoutExpectation, now: datetime) -> Received:
    """Judge a POST to the logout address by its form fields; raises `RefusedError`."""
    raise RefusedError(ReasonCode.NOT_XML, Step.PARSING, expected=str(expectation), received=f"{fields}{now}")
