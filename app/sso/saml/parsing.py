"""From the text of a parameter to a tree: capped, strict, hardened; pure.

What could hide something (DOCTYPE, comments, processing instructions, another encoding) or cost much (tags,
attributes, namespaces without end) is refused. A message is parsed once; the same tree is judged and read.
"""

import binascii
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from lxml import etree

from app.sso.saml.names import Element
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

MAX_MESSAGE_BYTES = 262_144
# Enough for 1,700 plain groups, or for the 1,100 of Okta's (each with two namespaces and a type) that 256 KB
# hold. Every further tag or attribute costs, so these bounds keep any message under 50 ms.
MAX_TAGS = 3_500
MAX_EQUAL_SIGNS = 6_000
MAX_NAMESPACE_DECLARATIONS = 3_000
MAX_NAMESPACES = 40
MAX_ATTRIBUTES_OF_AN_ELEMENT = 24

_DECLARATION = re.compile(r"<\?xml(?=\s)[^?<>]{0,200}\?>")
_ENCODING = re.compile(r"\sencoding\s*=\s*[\"']([^\"']*)[\"']")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
# No sign that XPath, a URL fragment or an XPointer could misread.
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*[@*[{MAX_ATTRIBUTES_OF_AN_ELEMENT + 1}]])")
_FOREIGN_IDS = etree.XPath(
    "boolean(//@*[namespace-uri() and translate(local-name(), 'ID', 'id') = 'id'])", smart_strings=False
)
_IDS = etree.XPath("//@ID | //@Id | //@id", smart_strings=False)


def single_parameters(fields: Iterable[tuple[str, str]], names: Iterable[str]) -> Mapping[str, str]:
    """The parameters of these names; the others are ignored, a repeated one is refused."""
    wanted = set(names)
    found: dict[str, str] = {}
    for name, value in fields:
        if name not in wanted:
            continue
        if name in found:
            raise RefusedError(ReasonCode.PARAMETER_REPEATED, Step.PARAMETERS, received=name)
        found[name] = value
    return found


def decode_base64(encoded: str) -> bytes:
    """Strict base64 (RFC 4648) of at most `MAX_MESSAGE_BYTES` signs; line breaks of RFC 2045 are allowed."""
    if len(encoded) > MAX_MESSAGE_BYTES:
        raise RefusedError(
            ReasonCode.TOO_LARGE,
            Step.DECODING,
            expected=f"at most {MAX_MESSAGE_BYTES} bytes",
            received=f"{len(encoded)} bytes",
        )
    try:
        return binascii.a2b_base64(encoded.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError:
        raise RefusedError(ReasonCode.NOT_BASE64, Step.DECODING, received=encoded[:40]) from None


def inflate(deflated: bytes) -> bytes:
    """Raw DEFLATE (RFC 1951), stopped at `MAX_MESSAGE_BYTES`."""
    decompressor = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        inflated = decompressor.decompress(deflated, MAX_MESSAGE_BYTES + 1)
    except zlib.error:
        raise RefusedError(ReasonCode.NOT_DEFLATED, Step.DECODING) from None
    if len(inflated) > MAX_MESSAGE_BYTES:
        raise RefusedError(
            ReasonCode.TOO_LARGE, Step.DECODING, expected=f"at most {MAX_MESSAGE_BYTES} bytes inflated"
        )
    if not decompressor.eof or decompressor.unused_data:
        raise RefusedError(ReasonCode.NOT_DEFLATED, Step.DECODING)
    return inflated


def parse_message(xml: bytes) -> Element:
    """The root element of a message that hides nothing and costs little; raises `RefusedError`."""
    _check_text(_text(xml))
    root = hardened(xml)
    if root is None:
        raise RefusedError(ReasonCode.NOT_XML, Step.PARSING)
    if _TOO_MANY_ATTRIBUTES(root):
        raise RefusedError(
            ReasonCode.TOO_COMPLEX,
            Step.PARSING,
            expected=f"at most {MAX_ATTRIBUTES_OF_AN_ELEMENT} attributes in an element",
        )
    _check_namespaces(root)
    _check_ids(root)
    return root


def hardened(xml: bytes) -> Element | None:
    """The root element, or `None` for what is not well-formed; resolves and fetches nothing."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, attribute_defaults=False, huge_tree=False
    )
    try:
        return etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def check_id(value: str | None, step: Step) -> str:
    if value is None or not _ID.fullmatch(value):
        raise RefusedError(ReasonCode.ID_MALFORMED, step, received=value or "")
    return value


def instant(value: str, step: Step) -> datetime:
    """SAML core 1.3.3: UTC, spelled with Z; fractions beyond microseconds are cut."""
    moment = utc(value)
    if moment is None:
        raise RefusedError(ReasonCode.TIME_MALFORMED, step, expected="2026-11-25T12:00:00Z", received=value)
    return moment


def utc(value: str) -> datetime | None:
    """The same; `None` for what is no such time."""
    match = _INSTANT.fullmatch(value)
    if match is None:
        return None
    fraction = (match[2] or ".0")[1:7].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{match[1]}.{fraction}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _text(xml: bytes) -> str:
    try:
        return xml.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError(ReasonCode.WRONG_ENCODING, Step.PARSING, expected="UTF-8") from None


def _check_text(text: str) -> None:
    """Look for what the parser shall never see; cheap, because it only searches."""
    declaration = _DECLARATION.match(text)
    if declaration:
        encoding = _ENCODING.search(declaration[0])
        if encoding and encoding[1].lower() != "utf-8":
            raise RefusedError(
                ReasonCode.WRONG_ENCODING, Step.PARSING, expected="UTF-8", received=encoding[1]
            )
        text = text[declaration.end() :]
    for mark, reason in (
        ("<!DOCTYPE", ReasonCode.DOCTYPE),
        ("<!ENTITY", ReasonCode.DOCTYPE),
        ("<!--", ReasonCode.COMMENT),
        ("<?", ReasonCode.PROCESSING_INSTRUCTION),
    ):
        if mark in text:
            raise RefusedError(reason, Step.PARSING)
    for mark, most in (
        ("<", MAX_TAGS),
        ("=", MAX_EQUAL_SIGNS),
        ("xmlns", MAX_NAMESPACE_DECLARATIONS),
    ):
        if text.count(mark) > most:
            raise RefusedError(
                ReasonCode.TOO_COMPLEX,
                Step.PARSING,
                expected=f"{mark!r} at most {most} times",
                received=f"{text.count(mark)} times",
            )


def _check_namespaces(root: Element) -> None:
    """Canonicalization of a relative namespace fails or is void; many namespaces make it slow."""
    seen: set[tuple[str, str]] = set()
    for _, declared in etree.iterwalk(root, events=("start-ns",)):
        seen.add(declared)
        if not _ABSOLUTE.fullmatch(declared[1]):
            raise RefusedError(ReasonCode.NAMESPACE_NOT_ABSOLUTE, Step.PARSING, received=declared[1])
        if len(seen) > MAX_NAMESPACES:
            raise RefusedError(
                ReasonCode.TOO_COMPLEX, Step.PARSING, expected=f"at most {MAX_NAMESPACES} namespaces"
            )


def _check_ids(root: Element) -> None:
    """Every verifier must find one and the same element under an ID."""
    if _FOREIGN_IDS(root):
        raise RefusedError(ReasonCode.ID_REPEATED, Step.SHAPE, received="an ID attribute with a namespace")
    ids = _IDS(root)
    if len(set(ids)) != len(ids):
        raise RefusedError(ReasonCode.ID_REPEATED, Step.SHAPE)
