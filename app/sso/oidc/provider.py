"""The discovery document of an OpenID provider, read (OpenID Connect Discovery 1.0 section 3); pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.core import strict_json
from app.core.browser_urls import check_browser_url
from app.sso.oidc.keys import ALGORITHMS, DiscoveryError

WELL_KNOWN = "/.well-known/openid-configuration"
# In order of preference; both send the secret to the token endpoint only.
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class Provider:
    """What a connection needs of its provider; absent addresses are null.

    `names_itself` says that its answers carry `iss` (RFC 9207), `tells_logouts` that it knows back-channel
    logout.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    secret_method: str
    scopes: str
    names_itself: bool
    tells_logouts: bool


def discovery_url(issuer: str) -> str:
    """Where the document of an issuer lies (section 4)."""
    return issuer.removesuffix("/") + WELL_KNOWN


def issuers_at(url: str) -> tuple[str, ...]:
    """Who may call themselves issuer in the document at this address; some end in a slash."""
    prefix = url.removesuffix(WELL_KNOWN)
    return () if prefix == url else (prefix, f"{prefix}/")


def read_provider(body: bytes, issuers: Sequence[str], *, allow_http: bool) -> Provider:
    """Read the document; its issuer must be one of `issuers`. Raises `DiscoveryError` and `UrlRefusedError`.

    `allow_http` is for development, and for what the browser visits only: what this server asks is https.
    """
    document = _object(body)
    issuer = _text(document, "issuer")
    if issuer not in issuers:
        raise DiscoveryError(
            f"The document is that of {issuer[:200]!r}, not of {' or '.join(issuers) or 'its address'}.",
            code="issuer_mismatch",
        )
    parts = urlsplit(check_browser_url(issuer, allow_http=False))
    if parts.query:
        raise DiscoveryError("An issuer has no query.")
    _require(document, "response_types_supported", ("code",), None)
    _require(document, "id_token_signing_alg_values_supported", ALGORITHMS, "RS256")
    return Provider(
        issuer=issuer,
        authorization_endpoint=check_browser_url(
            _text(document, "authorization_endpoint"), allow_http=allow_http
        ),
        token_endpoint=check_browser_url(_text(document, "token_endpoint"), allow_http=False),
        jwks_uri=check_browser_url(_text(document, "jwks_uri"), allow_http=False),
        userinfo_endpoint=_url(document, "userinfo_endpoint", allow_http=False),
        end_session_endpoint=_url(document, "end_session_endpoint", allow_http=allow_http),
        secret_method=_require(
            document, "token_endpoint_auth_methods_supported", SECRET_METHODS, SECRET_METHODS[0]
        ),
        scopes=" ".join((*SCOPES, *(["groups"] if "groups" in _list(document, "scopes_supported") else []))),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        tells_logouts=document.get("backchannel_logout_supported") is True,
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = strict_json.loads(body)
    except strict_json.InvalidJsonError as error:
        raise DiscoveryError(f"There is no discovery document: {error.detail}") from error
    if not isinstance(document, dict):
        raise DiscoveryError("There is no discovery document: it must be a JSON object.")
    return document


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise DiscoveryError(f"The discovery document lacks {name}.")
    return value


def _url(document: Mapping[str, Any], name: str, *, allow_http: bool) -> str | None:
    if document.get(name) is None:
        return None
    return check_browser_url(_text(document, name), allow_http=allow_http)


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    return value if isinstance(value, list) else []


def _require(document: Mapping[str, Any], name: str, wanted: Sequence[str], default: str | None) -> str:
    """The first of `wanted` that is offered; `default` is what an absent list means."""
    offered = _list(document, name) if name in document else [wanted[0] if default is None else default]
    found = next((value for value in wanted if value in offered), None)
    if found is None:
        raise DiscoveryError(f"{name} offers none of {', '.join(wanted)}.")
    return found
