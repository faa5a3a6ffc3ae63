"""A message as its trace may show it: structure and times as sent, no secret, nobody's name.

Of a text that may name a person only the first letter stays, and the domain of an address, because both
tell an administrator which attribute was sent. Fails closed: what cannot be parsed is not shown.
"""

import json
from typing import Any

from lxml import etree

from app.core import strict_json
from app.sso.oidc.reasons import OidcRefusedError
from app.sso.oidc.tokens import parts_of
from app.sso.saml.parsing import decode_base64, parse_message
from app.sso.saml.reasons import RefusedError

# A larger one is nobody's honest message, and would only cost time and room.
MAX_ENCODED = 98_304
MAX_SHOWN = 32_768
# Elements whose text names servers, rules and keys, which are public.
_KEPT = frozenset(
    {
        "Issuer",
        "Audience",
        "AuthnContextClassRef",
        "AuthenticatingAuthority",
        "SessionIndex",
        "StatusMessage",
        "X509Certificate",
    }
)
# Claims that name servers, apps, rules and tenants.
_KEPT_CLAIMS = frozenset(
    {"iss", "aud", "azp", "acr", "amr", "alg", "typ", "kid", "crit", "tid", "ver", "events", "_claim_names"}
)
_SECRET_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "jti", "sid", "rh", "uti"})
_SECRET = frozenset({"SignatureValue", "DigestValue", "CipherValue"})


def redacted(encoded: str) -> str | None:
    """The message of a `SAMLResponse` field, masked; null when there is nothing that could be shown."""
    if len(encoded) > MAX_ENCODED:
        return None
    try:
        root = parse_message(decode_base64(encoded))
    except RefusedError:
        return None
    for element in root.iter():
        name = etree.QName(element).localname
        if element.text and element.text.strip() and name not in _KEPT:
            element.text = "***" if name in _SECRET else masked(element.text.strip())
        # Text between elements has no place in SAML, and could be anybody's name.
        element.tail = (
            None if element.tail is None or element.tail.isspace() else masked(element.tail.strip())
        )
    shown: str = etree.tostring(root, encoding="unicode")
    return shown[:MAX_SHOWN]


def redacted_token(token: str) -> str | None:
    """Header and claims of a token that need not be believed, masked; null when it has none to show."""
    try:
        header, body = parts_of(token)
        claims = strict_json.loads(body)
    except (OidcRefusedError, strict_json.InvalidJsonError):
        return None
    shown = {"header": _masked_members(header), "claims": _masked_members(claims)}
    return json.dumps(shown, ensure_ascii=False)[:MAX_SHOWN]


def _masked_members(value: Any, name: str = "") -> Any:
    if name in _SECRET_CLAIMS:
        return "***"
    if isinstance(value, dict):
        kept = name in _KEPT_CLAIMS
        return {key: part if kept else _masked_members(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked_members(part, name) for part in value]
    return masked(value) if isinstance(value, str) and name not in _KEPT_CLAIMS else value


def masked(text: str) -> str:
    local, at, domain = text.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else f"{text[:1]}***"
