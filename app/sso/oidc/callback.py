"""What a browser brings back from the provider, and the tokens that are given for it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core import strict_json
from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step

MAX_LENGTH = 8_192
_NAMES = ("state", "code", "iss", "error", "error_description")
_OK = 200
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Callback:
    """`state` is there always, and one of `code` and `error`."""

    state: str
    code: str | None
    error: str | None
    issuer: str | None


def read_callback(query: Sequence[tuple[str, str]]) -> Callback:
    """The parameters of RFC 6749 section 4.1.2 and RFC 9207, none twice; raises `OidcRefusedError`."""
    found: dict[str, str] = {}
    for name, value in query:
        if name not in _NAMES:
            continue
        if name in found or len(value) > MAX_LENGTH:
            raise _malformed(f"{name} twice or too long")
        found[name] = value
    if not found.get("state") or bool(found.get("code")) == ("error" in found):
        raise _malformed(", ".join(sorted(found)))
    error = found.get("error")
    if error is not None:
        error = f"{error} {found.get('error_description', '')}".strip()
    return Callback(found["state"], found.get("code"), error, found.get("iss"))


def check_issuer(callback: Callback, issuer: str, *, required: bool) -> None:
    """RFC 9207 section 2.4: who answered is who was asked."""
    if callback.issuer is None and required:
        raise OidcRefusedError(ReasonCode.RESPONSE_ISSUER_MISSING, Step.CALLBACK, expected=issuer)
    if callback.issuer not in (None, issuer):
        raise OidcRefusedError(
            ReasonCode.RESPONSE_ISSUER_MISMATCH,
            Step.CALLBACK,
            expected=issuer,
            received=callback.issuer or "",
        )


def code_of(callback: Callback) -> str:
    """The code, unless the provider said no."""
    if callback.code is None or callback.error is not None:
        raise OidcRefusedError(ReasonCode.PROVIDER_REFUSED, Step.CALLBACK, received=callback.error or "")
    return callback.code


@dataclass(frozen=True, slots=True)
class Tokens:
    id_token: str
    access_token: str | None


def read_tokens(status: int, body: bytes) -> Tokens:
    """The token endpoint's answer (RFC 6749 section 5); raises `OidcRefusedError`."""
    if status >= _SERVER_ERROR:
        raise OidcRefusedError(
            ReasonCode.TOKEN_REQUEST_FAILED, Step.TOKEN_REQUEST, received=f"status {status}"
        )
    answer = _object(body)
    if status != _OK:
        said = " ".join(str(answer.get(name, "")) for name in ("error", "error_description"))
        raise OidcRefusedError(
            ReasonCode.TOKEN_REQUEST_REFUSED, Step.TOKEN_REQUEST, received=f"status {status} {said}".strip()
        )
    id_token, access_token = answer.get("id_token"), answer.get("access_token")
    if not isinstance(id_token, str) or not isinstance(access_token, str | None):
        raise _no_tokens("no id_token")
    return Tokens(id_token, access_token)


def read_userinfo(status: int, body: bytes, sub: str) -> Mapping[str, Any]:
    """The claims about `sub` (OpenID Connect Core 5.3.2); raises `OidcRefusedError`."""
    try:
        claims = strict_json.loads(body) if status == _OK else None
    except strict_json.InvalidJsonError:
        claims = None
    if not isinstance(claims, dict):
        raise OidcRefusedError(
            ReasonCode.USERINFO_FAILED,
            Step.USERINFO,
            expected="a JSON object",
            received=f"status {status}, {len(body)} bytes",
        )
    if claims.get("sub") != sub:
        raise OidcRefusedError(
            ReasonCode.USERINFO_SUBJECT_MISMATCH,
            Step.USERINFO,
            expected=sub,
            received=repr(claims.get("sub")),
        )
    return claims


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = strict_json.loads(body)
    except strict_json.InvalidJsonError as error:
        raise _no_tokens(error.detail) from error
    if not isinstance(answer, dict):
        raise _no_tokens("no JSON object")
    return answer


def _malformed(what: str) -> OidcRefusedError:
    return OidcRefusedError(
        ReasonCode.CALLBACK_MALFORMED,
        Step.CALLBACK,
        expected="state, and code or error, each once",
        received=what,
    )


def _no_tokens(what: str) -> OidcRefusedError:
    return OidcRefusedError(
        ReasonCode.TOKEN_ANSWER_MALFORMED, Step.TOKEN_REQUEST, expected="JSON with an id_token", received=what
    )
