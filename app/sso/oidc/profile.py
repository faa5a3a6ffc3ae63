"""What the claims of a provider mean: who the subject is, and what is told of them; pure.

The values are the provider's word; whether a domain may be asserted is the caller's to judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step

# OpenID Connect Core section 2.
MAX_SUBJECT_LENGTH = 255
# Our names to the claims'. The address is not to be mapped: `email_verified` speaks of this claim alone.
USUAL_CLAIMS: Mapping[str, str] = {
    "first_name": "given_name",
    "last_name": "family_name",
    "display_name": "name",
    "groups": "groups",
}
_ENTRA = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "sts.windows.net",
    }
)
# Entra sends `xms_edov` as a boolean, as a number and as a text.
_ENTRA_TRUE = (True, "1", "true")


@dataclass(frozen=True, slots=True)
class Subject:
    """`key` tells people of one issuer apart for good; `external_id` is what provisioning calls them."""

    key: str
    external_id: str
    sub: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Absent texts are empty. `groups` is null when they are unknown, which is not the same as none."""

    email: str
    is_email_verified: bool
    first_name: str
    last_name: str
    display_name: str
    groups: tuple[str, ...] | None


def is_entra(issuer: str) -> bool:
    host = urlsplit(issuer).hostname or ""
    return host in _ENTRA or host.endswith(".ciamlogin.com")


def read_subject(claims: Mapping[str, Any], issuer: str) -> Subject:
    """`sub`, or for Entra tenant and object id, because its `sub` differs for each app.

    Raises `OidcRefusedError`.
    """
    sub = _id(claims, "sub")
    if not is_entra(issuer):
        return Subject(sub, sub, sub)
    tenant, object_id = (claims.get(name) for name in ("tid", "oid"))
    if not isinstance(tenant, str) or tenant not in urlsplit(issuer).path.split("/"):
        raise OidcRefusedError(
            ReasonCode.TOKEN_TENANT_MISMATCH, Step.CLAIMS, expected=issuer, received=f"tid {tenant!r}"
        )
    if object_id is None:
        raise OidcRefusedError(ReasonCode.TOKEN_TENANT_MISMATCH, Step.CLAIMS, expected="oid")
    found = _id(claims, "oid")
    return Subject(f"{tenant}/{found}", found, sub)


def read_profile(claims: Mapping[str, Any], issuer: str, names: Mapping[str, str]) -> Profile:
    """Read the claims; `names` maps some of `USUAL_CLAIMS` to the connection's own.

    Raises `OidcRefusedError`.
    """
    called = {**USUAL_CLAIMS, **names}
    is_verified = claims.get("email_verified") is True or (
        is_entra(issuer) and claims.get("xms_edov") in _ENTRA_TRUE
    )
    return Profile(
        email=_text(claims, "email"),
        is_email_verified=is_verified,
        first_name=_text(claims, called["first_name"]),
        last_name=_text(claims, called["last_name"]),
        display_name=_text(claims, called["display_name"]),
        groups=_groups(claims, called["groups"]),
    )


def session_index(claims: Mapping[str, Any]) -> str:
    """`sid`, by which a logout may name the session."""
    return _id(claims, "sid") if claims.get("sid") is not None else ""


def _groups(claims: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    elsewhere = claims.get("_claim_names")
    # Entra's overage: more groups than a token holds are said to be found elsewhere.
    if claims.get("hasgroups") or (isinstance(elsewhere, dict) and name in elsewhere):
        return None
    value = claims.get(name)
    if value is None:
        return None
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(group, str) for group in listed):
        raise OidcRefusedError(
            ReasonCode.CLAIM_MALFORMED,
            Step.CLAIMS,
            expected=f"{name} as a list of texts",
            received=repr(value),
        )
    return tuple(dict.fromkeys(group for group in listed if group))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise OidcRefusedError(
            ReasonCode.CLAIM_MALFORMED, Step.CLAIMS, expected=f"{name} as a text", received=repr(value)
        )
    return value.strip()


def _id(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUBJECT_LENGTH or not value.strip():
        raise OidcRefusedError(
            ReasonCode.TOKEN_SUBJECT_MALFORMED,
            Step.CLAIMS,
            expected=f"{name} of 1 to {MAX_SUBJECT_LENGTH} characters",
            received=repr(value),
        )
    return value
