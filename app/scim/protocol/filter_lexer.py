"""Filter text to the tokens that scim2-filter-parser's grammar takes, with typed literals.

The library's own lexer loses types, knows no JSON escapes and only one-digit numbers, so only its
grammar is used. Knows neither the registry nor the meaning of an operator.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.core import strict_json
from app.scim.protocol.constants import MAX_FILTER_DEPTH, MAX_FILTER_LENGTH, MAX_FILTER_TERMS
from app.scim.protocol.errors import InvalidFilterError, excerpt

_TERMS = frozenset({"EQ", "NE", "CO", "SW", "EW", "GT", "GE", "LT", "LE", "PR"})
_OPERATORS = _TERMS | {"AND", "OR", "NOT"}
_JSON_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_BRACKETS = {"(": "LPAREN", ")": "RPAREN", "[": "LBRACKET", "]": "RBRACKET"}

# An attribute path is one token, URN and sub-attribute included, because the schema registry can
# tell where a URN ends and the grammar cannot. Only the part after a bracket stands alone.
_TOKEN = re.compile(
    r"""[ \t]+
      | (?P<WORD>     [A-Za-z$][\w$:.-]*)
      | (?P<STRING>   "(?:[^"\\]|\\.)*")
      | (?P<BRACKET>  [()\[\]])
      | (?P<SUBATTR>  (?<=\])\.[A-Za-z$][\w$-]*)
      | (?P<NUMBER>   -?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<UNKNOWN>  .)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN_STRING = re.compile(r'"[^"\\\x00-\x1f]*"')


@dataclass(slots=True)
class Token:
    """The five fields that sly's parser reads; the parser may change them."""

    type: str
    value: Any
    lineno: int
    index: int
    end: int


def tokenize(text: str) -> list[Token]:
    """Raises `InvalidFilterError` for anything above the caps or outside the alphabet."""
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidFilterError(
            f"The filter has {len(text)} characters; at most {MAX_FILTER_LENGTH} are accepted."
        )
    if _UNSTORABLE.search(text):
        raise InvalidFilterError("The filter holds NUL or half of a surrogate pair; no value does.")
    tokens = list(_tokens(text))
    _check_size(tokens)
    return tokens


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind is None:
            continue
        raw, start, end = match.group(), match.start(), match.end()
        if kind == "WORD":
            yield _word(raw, start, end)
        elif kind == "STRING":
            yield Token("COMP_VALUE", _string(raw, start), 1, start, end)
        elif kind == "BRACKET":
            yield Token(_BRACKETS[raw], raw, 1, start, end)
        elif kind == "SUBATTR":
            yield Token("SUBATTR", raw[1:], 1, start, end)
        elif kind == "NUMBER":
            yield Token("NUMBER", _number(raw, start), 1, start, end)
        else:
            raise InvalidFilterError(
                f"The filter has an unexpected {excerpt(raw)} at position {start + 1}. "
                "Text values stand in double quotes."
            )


def _word(raw: str, start: int, end: int) -> Token:
    # RFC 7644 section 3.4.2.2: attribute names and operators are case-insensitive.
    kind, lowered = raw.upper(), raw.lower()
    if kind in _OPERATORS:
        return Token(kind, lowered, 1, start, end)
    if lowered in _JSON_WORDS:
        return Token(kind, _JSON_WORDS[lowered], 1, start, end)
    return Token("ATTRNAME", raw, 1, start, end)


def _string(raw: str, start: int) -> Any:
    # RFC 7644 section 3.4.2.2: strings are JSON strings. Most hold no escape and need no decoder.
    if _PLAIN_STRING.fullmatch(raw):
        return raw[1:-1]
    try:
        return strict_json.loads(raw)
    except strict_json.InvalidJsonError as error:
        raise InvalidFilterError(
            f"The text at position {start + 1} of the filter is not a JSON string: {error.detail}"
        ) from None


def _number(raw: str, start: int) -> Any:
    try:
        return strict_json.loads(raw)
    except strict_json.InvalidJsonError as error:
        raise InvalidFilterError(
            f"The number at position {start + 1} of the filter is not JSON: {error.detail}"
        ) from None


def _check_size(tokens: list[Token]) -> None:
    """Bound the work of everything that walks the tree, before there is one."""
    depth = terms = 0
    for token in tokens:
        if token.type in {"LPAREN", "LBRACKET"}:
            depth += 1
            if depth > MAX_FILTER_DEPTH:
                raise InvalidFilterError(f"The filter nests deeper than {MAX_FILTER_DEPTH} brackets.")
        elif token.type in {"RPAREN", "RBRACKET"}:
            depth -= 1
        elif token.type in _TERMS:
            terms += 1
    if terms > MAX_FILTER_TERMS:
        raise InvalidFilterError(f"The filter has {terms} terms; at most {MAX_FILTER_TERMS} are accepted.")
