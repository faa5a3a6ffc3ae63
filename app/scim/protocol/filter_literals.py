"""Literals of a filter, brought to the type of the attribute they are compared with.

Knows the registry's types; must not know where values are stored.
"""

from app.core.text import fold
from app.scim.protocol.attribute_path import AttributePath
from app.scim.protocol.constants import MAX_INTEGER
from app.scim.protocol.errors import InvalidFilterError, excerpt
from app.scim.protocol.folding import instant
from app.scim.protocol.nodes import Literal
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_values import text_boolean_in_filter

_ORDERINGS = frozenset({"gt", "ge", "lt", "le"})
_SUBSTRINGS = frozenset({"co", "sw", "ew"})


def typed_literal(
    path: AttributePath, operator: str, literal: str | bool | float, tolerances: Tolerances
) -> Literal:
    """Raises `InvalidFilterError` when the operator or the literal does not suit the attribute."""
    kind = path.leaf.type
    _check_operator(path, operator, kind)
    if kind == "boolean":
        return _boolean(path, literal, tolerances)
    if kind == "dateTime":
        return _instant(path, literal)
    if kind in {"integer", "decimal"}:
        return _number(path, literal, whole=kind == "integer")
    if not isinstance(literal, str):
        raise _wrong_type(path, "text in double quotes", literal)
    # RFC 7643 section 2.2: caseExact decides whether letter case matters.
    return literal if path.leaf.case_exact else fold(literal)


def _check_operator(path: AttributePath, operator: str, kind: str) -> None:
    # RFC 7644 section 3.4.2.2: ordering on boolean or binary is 400 invalidFilter.
    unordered = kind in {"boolean", "binary"} and operator in _ORDERINGS
    not_text = kind in {"boolean", "integer", "decimal", "dateTime"} and operator in _SUBSTRINGS
    if unordered or not_text:
        raise InvalidFilterError(
            f"{operator} cannot be used on {path}, which is of type {kind}. Use eq or ne."
        )


def _boolean(path: AttributePath, literal: str | bool | float, tolerances: Tolerances) -> bool:
    value = tolerances.mend(text_boolean_in_filter, literal)
    if not isinstance(value, bool):
        raise _wrong_type(path, "true or false", literal)
    return value


def _instant(path: AttributePath, literal: str | bool | float) -> Literal:
    value = instant(literal) if isinstance(literal, str) else None
    if value is None:
        raise _wrong_type(path, 'a time such as "2026-01-31T12:00:00Z"', literal)
    return value


def _number(path: AttributePath, literal: str | bool | float, *, whole: bool) -> int | float:
    if isinstance(literal, bool | str) or abs(literal) > MAX_INTEGER:
        raise _wrong_type(path, "a number", literal)
    if whole and literal != int(literal):
        raise _wrong_type(path, "a whole number", literal)
    return int(literal) if whole else literal


def _wrong_type(path: AttributePath, expected: str, literal: object) -> InvalidFilterError:
    return InvalidFilterError(f"{path} is compared with {expected}, not with {excerpt(literal)}.")
