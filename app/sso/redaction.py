"""A SAML message as its trace may show it: structure and times as sent, no secret, nobody's name.

Of a text that may name a person only the first letter stays, and the domain of an address, because both
tell an administrator which attribute was sent. Fails closed: what cannot be parsed is not shown.
"""

from lxml import etree

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


def masked(text: str) -> str:
    local, at, domain = text.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else f"{text[:1]}***"
