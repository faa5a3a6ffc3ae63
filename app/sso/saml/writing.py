"""Small hands for writing messages with lxml; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from lxml import etree

from app.sso.saml.names import DS, MD, SAML, SAMLP, Element, tag

_PREFIXES = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS}


def root_element(name: str, attributes: Mapping[str, str]) -> Element:
    """A root with the usual prefixes; an empty attribute is left out."""
    used = {
        prefix: _PREFIXES[prefix] for prefix in (["md", "ds"] if name[:3] == "md:" else ["saml", "samlp"])
    }
    element = etree.Element(tag(name), nsmap=used)
    _set(element, attributes)
    return element


def add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    """Append a child; an empty text or attribute is left out."""
    element = etree.SubElement(parent, tag(name))
    element.text = text or None
    _set(element, attributes)
    return element


def serialized(root: Element) -> bytes:
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=False))


def instant_text(moment: datetime) -> str:
    """SAML core 1.3.3; whole seconds, which every identity provider reads."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _set(element: Element, attributes: Mapping[str, str]) -> None:
    for name, value in attributes.items():
        if value:
            element.set(name, value)
