"""The one verifier of JSON Web Tokens from a provider (RFC 7515, 7519, 8725); pure.

In this order: size, shape, header (strict JSON, algorithm from a fixed list, type, nothing critical), key
from the provider's set and from nowhere else, signature, claims (strict JSON), issuer, audience, times. A key
or an address in the header is never followed.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from app.core import strict_json
from app.core.clock import CLOCK_SKEW
from app.sso.oidc.keys import ALGORITHMS, Jwk, candidates, imported
from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step

MAX_LIFETIME = timedelta(hours=24)
MAX_TOKEN_LENGTH = 65_536
MAX_HEADER_LENGTH = 8_192
# Two keys of one name are tried in turn, more of them are no honest set.
MAX_TRIED = 4
_LATEST = 2**33
_PART = re.compile(r"[A-Za-z0-9_-]+")


class _Registry(jws.JWSRegistry):
    max_header_length = MAX_HEADER_LENGTH
    max_payload_length = MAX_TOKEN_LENGTH


# Members of a header that nobody knows say nothing, unless they are critical, which is refused before.
_REGISTRY = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Whose tokens for whom, by which keys."""

    issuer: str
    client_id: str
    keys: Sequence[Jwk]


@dataclass(frozen=True, slots=True)
class Token:
    """A believed token: its algorithm and what it says."""

    alg: str
    claims: Mapping[str, Any]
    issued_at: datetime
    expires_at: datetime


def verify(text: str, expected: Expectation, types: Sequence[str], now: datetime) -> Token:
    """Judge a compact token whose lower-case `typ` must be one of `types`, where "" is none at all.

    Raises `OidcRefusedError` and nothing else.
    """
    header, body = parts_of(text)
    alg = _check_header(header, types)
    if not _is_signed(text, candidates_of(expected.keys, alg, header.get("kid"))):
        raise OidcRefusedError(
            ReasonCode.TOKEN_SIGNATURE_INVALID, Step.SIGNATURE, received=f"{alg} by {header.get('kid')}"
        )
    claims = _object(body)
    _check_issuer(claims, expected.issuer)
    _check_audience(claims, expected.client_id)
    issued_at, expires_at = _check_times(claims, now)
    return Token(alg, claims, issued_at, expires_at)


def parts_of(text: str) -> tuple[Mapping[str, Any], bytes]:
    """Header and body of a compact token, not verified."""
    parts = text.split(".")
    if len(text) > MAX_TOKEN_LENGTH or len(parts) != 3:  # noqa: PLR2004 - RFC 7515 section 7.1
        raise _malformed(f"{len(parts)} parts, {len(text)} characters")
    header, body, signature = (_decoded(part) for part in parts)
    if len(header) > MAX_HEADER_LENGTH or not signature:
        raise _malformed("the header or the signature")
    return _object(header), body


def candidates_of(keys: Sequence[Jwk], alg: str, kid: object) -> Sequence[Jwk]:
    found = candidates(keys, alg, kid)
    if not found:
        raise OidcRefusedError(
            ReasonCode.TOKEN_KEY_UNKNOWN,
            Step.SIGNATURE,
            expected=", ".join(str(key.get("kid")) for key in keys),
            received=f"{alg} by {kid}",
        )
    return found[:MAX_TRIED]


def moment(claims: Mapping[str, Any], name: str, *, required: bool = False) -> datetime | None:
    """A NumericDate (RFC 7519 section 2)."""
    value = claims.get(name)
    if value is None and not required:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise OidcRefusedError(
            ReasonCode.TOKEN_TIME_MALFORMED, Step.CLAIMS, expected=f"{name} in seconds", received=repr(value)
        )
    return datetime.fromtimestamp(value, UTC)


def check_not_future(name: str, when: datetime, now: datetime) -> None:
    if when > now + CLOCK_SKEW:
        raise OidcRefusedError(
            ReasonCode.TOKEN_NOT_YET_VALID,
            Step.CLAIMS,
            expected=_until(now),
            received=f"{name} {when.isoformat()}",
        )


def _check_header(header: Mapping[str, Any], types: Sequence[str]) -> str:
    alg, kind = header.get("alg"), header.get("typ", "")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise OidcRefusedError(
            ReasonCode.TOKEN_ALGORITHM, Step.TOKEN, expected=", ".join(ALGORITHMS), received=repr(alg)
        )
    # RFC 7515 section 4.1.11: what is critical must be understood, and nothing of the kind is.
    if "crit" in header or "b64" in header:
        raise _malformed("crit or b64 in the header")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise OidcRefusedError(
            ReasonCode.TOKEN_TYPE, Step.TOKEN, expected=" or ".join(types), received=repr(kind)
        )
    if not isinstance(header.get("kid", ""), str):
        raise _malformed("the kid is no text")
    return alg


def _is_signed(text: str, keys: Sequence[Jwk]) -> bool:
    for key in keys:
        try:
            jws.deserialize_compact(text, imported(key), registry=_REGISTRY)
        except (JoseError, ValueError):
            continue
        return True
    return False


def _check_issuer(claims: Mapping[str, Any], expected: str) -> None:
    if claims.get("iss") != expected:
        raise OidcRefusedError(
            ReasonCode.TOKEN_ISSUER_MISMATCH,
            Step.CLAIMS,
            expected=expected,
            received=repr(claims.get("iss")),
        )


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """OpenID Connect Core 3.1.3.7: among several audiences the token must name us as its party."""
    given, party = claims.get("aud"), claims.get("azp")
    audiences = given if isinstance(given, list) else [given]
    is_ours = client_id in audiences and all(isinstance(audience, str) for audience in audiences)
    named = party == client_id if party is not None else len(audiences) == 1
    if not is_ours or not named:
        raise OidcRefusedError(
            ReasonCode.TOKEN_AUDIENCE_MISMATCH,
            Step.CLAIMS,
            expected=client_id,
            received=f"aud {given!r}, azp {party!r}",
        )


def _check_times(claims: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    expires_at, issued_at = (moment(claims, name, required=True) for name in ("exp", "iat"))
    if expires_at is None or issued_at is None:
        raise LookupError("A required time is never null.")
    for name, when in (("iat", issued_at), ("nbf", moment(claims, "nbf"))):
        if when is not None:
            check_not_future(name, when, now)
    if expires_at <= now - CLOCK_SKEW:
        raise OidcRefusedError(
            ReasonCode.TOKEN_EXPIRED,
            Step.CLAIMS,
            expected=_until(now),
            received=f"exp {expires_at.isoformat()}",
        )
    return issued_at, expires_at


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = strict_json.loads(body)
    except strict_json.InvalidJsonError as error:
        raise _malformed(error.detail) from error
    if not isinstance(value, dict):
        raise _malformed("no JSON object")
    return value


def _decoded(part: str) -> bytes:
    if not _PART.fullmatch(part) or len(part) % 4 == 1:
        raise _malformed("a part is not base64url")
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _malformed(what: str) -> OidcRefusedError:
    return OidcRefusedError(
        ReasonCode.TOKEN_MALFORMED, Step.TOKEN, expected="a JWT in compact form", received=what
    )


def _until(now: datetime) -> str:
    return f"now is {now.isoformat()}, {CLOCK_SKEW.seconds} s are allowed"
