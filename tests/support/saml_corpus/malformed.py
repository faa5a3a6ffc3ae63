"""Malformed and costly messages: refused before any library looks at a signature."""

import base64
from typing import Any

from app.sso.saml.reasons import ReasonCode as R
from tests.support.saml_corpus.case import Fields, Judge, case, encoded_text, replaced, text_of
from tests.support.saml_idp import Scene, encode

FAMILY = "malformed"


@case(FAMILY, "no-response", "the form has no SAMLResponse", R.PARAMETER_MISSING, Judge.FORM)
def no_response(scene: Scene) -> Fields:
    return [("RelayState", "x")]


@case(FAMILY, "response-twice", "SAMLResponse comes twice", R.PARAMETER_REPEATED, Judge.FORM)
def response_twice(scene: Scene) -> Fields:
    return [("SAMLResponse", encode(scene.signed())), ("SAMLResponse", encode(scene.signed()))]


@case(FAMILY, "relay-state-twice", "RelayState comes twice", R.PARAMETER_REPEATED, Judge.FORM)
def relay_state_twice(scene: Scene) -> Fields:
    return [("SAMLResponse", encode(scene.signed())), ("RelayState", "a"), ("RelayState", "b")]


@case(FAMILY, "too-large", "one byte more than 256 KB", R.TOO_LARGE)
def too_large(scene: Scene) -> str:
    return "A" * (262_144 + 1)


_TEXTS: tuple[tuple[str, str, str, R], ...] = (
    ("empty", "an empty field", "", R.NOT_XML),
    ("no-base64", "signs that are no base64", "<samlp:Response/>", R.NOT_BASE64),
    ("base64-url", "the URL alphabet of base64", "PHg-_w==", R.NOT_BASE64),
    ("base64-space", "a plus that became a space", "PHg +PC94Pg==", R.NOT_BASE64),
    ("base64-after-padding", "more after the padding", "PHgvPg==PHgvPg==", R.NOT_BASE64),
    ("base64-non-ascii", "letters beyond ASCII", "PHgvPgü=", R.NOT_BASE64),
    ("no-xml", "text that is no XML", encoded_text("hello"), R.NOT_XML),
    ("not-closed", "an element that never ends", encoded_text("<samlp:Response>"), R.NOT_XML),
    ("nul", "a NUL sign", encoded_text("<a>\x00</a>"), R.NOT_XML),
    ("two-roots", "two documents in one", encoded_text("<a/><b/>"), R.NOT_XML),
    ("undefined-entity", "an entity that nobody defined", encoded_text("<a>&x;</a>"), R.NOT_XML),
    ("no-namespace", "Response without its namespace", encoded_text("<Response/>"), R.WRONG_MESSAGE),
    ("utf-16", "UTF-16, which hides a DOCTYPE", encoded_text("<a/>".encode("utf-16")), R.WRONG_ENCODING),
    (
        "declared-latin-1",
        "a declaration of another encoding",
        encoded_text('<?xml version="1.0" encoding="ISO-8859-1"?><a/>'),
        R.WRONG_ENCODING,
    ),
    ("deep", "300 elements within each other", encoded_text("<a>" * 300 + "</a>" * 300), R.NOT_XML),
    ("many-elements", "40,000 elements", encoded_text("<a>" + "<b/>" * 40_000 + "</a>"), R.TOO_COMPLEX),
    (
        "many-attributes",
        "20,000 attributes in one element",
        encoded_text("<a" + "".join(f' b{n:x}=""' for n in range(18_000)) + "/>"),
        R.TOO_COMPLEX,
    ),
    (
        "many-namespaces",
        "3,000 namespaces in one element",
        encoded_text("<a" + "".join(f' xmlns:n{n}="u:{n}"' for n in range(3_000)) + "/>"),
        R.TOO_COMPLEX,
    ),
    (
        "many-declarations",
        "9,000 namespace declarations",
        encoded_text("<a" + "".join(f' xmlns:n{n}="u:{n}"' for n in range(9_000)) + "/>"),
        R.TOO_COMPLEX,
    ),
)
for _name, _attack, _text, _reason in _TEXTS:

    @case(FAMILY, _name, _attack, _reason)
    def constant(scene: Scene, text: str = _text) -> str:
        return text


def _with_head(name: str, attack: str, head: str, reason: R) -> None:
    @case(FAMILY, name, attack, reason)
    def build(scene: Scene) -> str:
        return encoded_text(head + text_of(scene.signed()))


_with_head("doctype", "a DOCTYPE before a sound response", "<!DOCTYPE r>", R.DOCTYPE)
_with_head(
    "xxe",
    "an external entity",
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    R.DOCTYPE,
)
_with_head(
    "external-dtd", "a DOCTYPE on another host", '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">', R.DOCTYPE
)
_with_head(
    "billion-laughs",
    "entities that double",
    "<!DOCTYPE r ["
    '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};">' for n in range(1, 30)) + "]>",
    R.DOCTYPE,
)
_with_head("comment-before", "a comment before the response", "<!-- -->", R.COMMENT)
_with_head(
    "pi-before", "a stylesheet before the response", '<?xml-stylesheet href="x"?>', R.PROCESSING_INSTRUCTION
)


def _in_text(name: str, attack: str, old: str, new: str, reason: R) -> None:
    @case(FAMILY, name, attack, reason)
    def build(scene: Scene) -> str:
        answer = scene.answer(name_id="admin@example.com.evil.example")
        return replaced(scene.signed(answer), old, new)


_in_text(
    "comment-in-name-id",
    "a comment that cuts the address (CVE-2017-11427)",
    "admin@example.com.evil",
    "admin@example.com<!---->.evil",
    R.COMMENT,
)
_in_text(
    "pi-in-name-id",
    "a processing instruction that cuts the address",
    "admin@example.com.evil",
    "admin@example.com<?x?>.evil",
    R.PROCESSING_INSTRUCTION,
)
_in_text(
    "comment-in-digest",
    "a comment within DigestValue (CVE-2025-29775)",
    "<ds:DigestValue>",
    "<ds:DigestValue><!--x-->",
    R.COMMENT,
)
_in_text(
    "comment-in-signed-info",
    "a comment within SignedInfo",
    "<ds:SignedInfo>",
    "<ds:SignedInfo><!-- -->",
    R.COMMENT,
)
_in_text(
    "relative-namespace",
    "a relative namespace, which voids canonicalization",
    "<samlp:Status>",
    '<samlp:Status xmlns:x="1">',
    R.NAMESPACE_NOT_ABSOLUTE,
)
_in_text(
    "undeclared-namespace",
    "the default namespace taken away",
    "<samlp:Status>",
    '<samlp:Status xmlns="">',
    R.NAMESPACE_NOT_ABSOLUTE,
)
_in_text("version-1", "SAML 1.1 in Version", 'Version="2.0"', 'Version="1.1"', R.WRONG_VERSION)
_in_text(
    "id-with-quote", "an ID that breaks out of XPath", 'ID="_response', "ID=\"'] | //*['", R.ID_MALFORMED
)
_in_text("id-empty", "a Response without an ID", 'ID="_response', 'Id="_response', R.ID_MALFORMED)


@case(FAMILY, "logout-response", "a LogoutResponse posted to the ACS", R.WRONG_MESSAGE)
def logout_response(scene: Scene) -> Any:
    text = text_of(scene.signed()).replace("samlp:Response", "samlp:LogoutResponse")
    return encoded_text(text)


@case(FAMILY, "assertion-as-root", "the bare assertion, signed", R.WRONG_MESSAGE)
def assertion_as_root(scene: Scene) -> str:
    text = text_of(scene.signed())
    return encoded_text(text[text.index("<saml:Assertion") : text.index("</samlp:Response>")])


@case(FAMILY, "deflated", "the deflated form of the Redirect binding", R.WRONG_ENCODING)
def deflated(scene: Scene) -> str:
    import zlib

    return base64.b64encode(zlib.compress(text_of(scene.signed()).encode())).decode()
