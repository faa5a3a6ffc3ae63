"""What of a SCIM message may be kept to be looked at later: its structure, not what it says of a person.

Fails closed: a text is cut to its first letter (an address keeps its domain) unless its attribute or
its form is known to say nothing of anybody. Secrets leave no letter at all. It must not know where
the result is stored.
"""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from app.core import strict_json
from app.core.ids import is_uuid
from app.core.logs import MASK, is_secret
from app.core.tokens import without_tokens

MAX_KEPT_LENGTH = 16_384
MAX_SENTENCE_LENGTH = 2_048
SHAPE_LENGTH = 200
_MAX_KEY_LENGTH = 100
_KEYS = 1_000

# Attributes whose values are the protocol's own words. Compared in lower case, by their last name.
_PROTOCOL = frozenset(
    {"schemas", "op", "path", "type", "$ref", "attributes", "excludedattributes"}
    | {"resourcetype", "created", "lastmodified", "location", "version", "status", "scimtype", "filter"}
    | {"totalresults", "itemsperpage", "startindex", "count", "method", "bulkid"}
    | {"usertype", "locale", "preferredlanguage", "timezone"}
)
# Entra writes booleans as text; any other text there was mapped from somewhere else.
_TEXT_BOOLEANS = frozenset({"true", "false"})
_IDS = frozenset({"id", "externalid"})
# A group's names are no person's: an administrator needs them to see which group was meant.
_GROUP_NAMES = frozenset({"displayname"})
_PHRASES = frozenset({"path", "filter"})
_BLOBS = frozenset({"photos", "x509certificates"})

# Each run of characters is tried once, from its beginning and without going back: foreign text may be long.
_ADDRESS = re.compile(r"(?<![^\s@\"'<>(){}\[\],;:=])[^\s@\"'<>(){}\[\],;:=]++@[\w-]++(?:\.[\w-]++)++")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_OPAQUE = re.compile(r"[0-9]+|(?=[^0-9]*[0-9])[0-9A-Za-z_-]{16,}")
_LITERAL = re.compile(r'\b(\w++)(\s++\w++\s++)"((?:[^"\\]|\\.)*+)"')
_BRACKETS = re.compile(r"\[[^\[\]]*+\]")
_NAME_ENDS = re.compile(r"[.:]")
# What a sentence of ours quotes: between two quotes, or cut off by an ellipsis.
_QUOTED = re.compile(r"(?<!\w)(['\"])((?:\\.|(?!\1).)*?)(?:\1(?!\w)|(?=…|$))", re.DOTALL)
# Punctuation, URNs, media types and the protocol's own words are nobody's.
_HARMLESS = re.compile(r"\W*|urn:.*|(?:application|text|multipart)/[\w.+-]+|Operations|schemas|op|path|value")


def mask_text(text: str) -> str:
    """`ada@example.com` becomes `a***@example.com`, `Ada` becomes `A***`."""
    if not text:
        return text
    _, at, domain = text.rpartition("@")
    tail = f"@{domain}" if at and _DOMAIN.fullmatch(domain) else ""
    return f"{text[0]}{MASK}{tail}"


def mask_addresses(text: str) -> str:
    """Any text without Usher's tokens and with e-mail addresses masked where they stand in it."""
    if "@" in text:
        text = _ADDRESS.sub(lambda found: mask_text(found[0]), text)
    return without_tokens(text)


def shape_of(body: bytes) -> str:
    """How a body that cannot be read begins, each letter as x and each digit as 9.

    What is wrong with such a body is its structure (a missing comma, XML, form fields), and that is all
    that this shows; no name, address or secret survives it.
    """
    head = body[:SHAPE_LENGTH].decode("ascii", errors="replace")
    shown = "".join(_shape_of_character(character) for character in head)
    return f"({len(body)} bytes that are not JSON; letters as x, digits as 9) {shown}"


def _shape_of_character(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha() or not character.isascii():
        return "x"
    return character if character.isprintable() else " "


class Masking:
    """Masks the bodies of one request and its answer, and then the sentence that quotes them.

    `of_group` says that the request was about groups, whose own names are kept.
    """

    def __init__(self, *, of_group: bool) -> None:
        self._kept = _PROTOCOL | _GROUP_NAMES if of_group else _PROTOCOL
        # Names and other kept texts of the request: what a sentence may quote as it stands.
        self._names: set[str] = set()
        self._has_request = False
        self._in_answer = False

    def request(self, body: bytes | int) -> str:
        """The masked JSON, cut at `MAX_KEPT_LENGTH` characters; for what is no JSON, its shape.

        Of a body that was too long to be kept only the length is given.
        """
        self._has_request = True
        return self._body(body)

    def answer(self, body: bytes | int) -> str:
        """As `request`, which comes first; `detail` is masked as a sentence of ours."""
        self._in_answer = True
        return self._body(body)

    def _body(self, body: bytes | int) -> str:
        if isinstance(body, int):
            return f"({body} bytes, too long to be kept)"
        try:
            value = strict_json.loads(body)
        except strict_json.InvalidJsonError:
            return shape_of(body)
        text = json.dumps(self._masked("", value), ensure_ascii=False, separators=(",", ":"))
        if len(text) <= MAX_KEPT_LENGTH:
            return text
        return f"{text[:MAX_KEPT_LENGTH]}… ({len(text)} characters in all)"

    def sentence(self, text: str) -> str:
        """An error's `detail`; what it quotes of the request's body is masked unless it is a name."""
        text = text[:MAX_SENTENCE_LENGTH]
        if self._has_request:
            text = _QUOTED.sub(self._quotation, text)
        return mask_addresses(text)

    def _quotation(self, found: re.Match[str]) -> str:
        quoted = found[2]
        if quoted in self._names or _HARMLESS.fullmatch(quoted) or is_uuid(quoted):
            return found[0]
        return f"{found[1]}{mask_text(quoted)}{found[1]}"

    def _masked(self, key: str, value: Any) -> Any:
        """`key` is the lower-case name of the attribute whose value this is."""
        if isinstance(value, dict):
            return dict(self._members(value))
        if isinstance(value, list):
            return [self._masked(key, item) for item in value]
        if isinstance(value, str):
            return self._text(key, value)
        if value is None or isinstance(value, bool) or key in self._kept:
            return value
        return MASK

    def _members(self, value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
        # In a PATCH operation the path says what the value is a value of.
        path = next((value[name] for name in value if name.lower() == "path"), None)
        self._names.update(value)
        for key, item in value.items():
            shown, name = _key(key)
            if name == "value" and isinstance(path, str):
                _, name = _key(path)
            if item is not None and (is_secret(name) or name in _BLOBS):
                yield shown, MASK
            else:
                yield shown, self._masked(name, item)

    def _text(self, key: str, text: str) -> str:
        if self._in_answer and key == "detail":
            return self.sentence(text)
        if key in _PHRASES:
            masked = mask_addresses(_LITERAL.sub(self._literal, text))
            if masked == text:
                self._names.add(text)
            return masked
        if text.lower() in _TEXT_BOOLEANS:
            return text
        if key in self._kept:
            self._names.add(text)
            return mask_addresses(text)
        if is_uuid(text) or (key in _IDS and _OPAQUE.fullmatch(text)):
            return mask_addresses(text)
        return mask_text(text)

    def _literal(self, found: re.Match[str]) -> str:
        """A literal in a path or filter: `emails[type eq "work"]` stays, `[value eq "Ada"]` does not."""
        name, operator, literal = found.groups()
        return f'{name}{operator}"{self._text(name.lower(), literal)}"'


@lru_cache(maxsize=_KEYS)
def _key(path: str) -> tuple[str, str]:
    """A key as it is shown, and the attribute that it or a path is about. Clients use few of them."""
    return mask_addresses(path[:_MAX_KEY_LENGTH]), _last_name(path)


def _last_name(path: str) -> str:
    """`emails[type eq "work"].value` is about `value`, a URN with an attribute about the attribute."""
    if path.isalpha():
        return path.lower()
    return _NAME_ENDS.split(_BRACKETS.sub("", path))[-1].lower()
