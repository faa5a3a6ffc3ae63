"""Filter nodes to SQLAlchemy conditions; `filter_match` is the twin in memory.

No condition is ever NULL, so that NOT is a true negation. Text of the client only travels as bound
parameters. Must not know models: the caller says where values live through `Bindings`. The
organization's criterion is the caller's too, inside every relation as well.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, func, not_, or_, true

from app.core.clock import rfc3339
from app.scim.protocol.attribute_path import AttributePath
from app.scim.protocol.errors import InvalidFilterError
from app.scim.protocol.filter_sql_json import any_element, any_text, binary_order, member
from app.scim.protocol.nodes import And, Compare, Node, Not, Or, Present, ValuePath
from app.scim.protocol.registry import Attribute

_ORDERINGS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


class Kind(Enum):
    """How a column stores its values; folded text must be stored through `folding.fold`."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    UUID = "uuid"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A real column or any other expression. A UUID column is a 36-character text or a native uuid."""

    expression: ColumnElement[Any]
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A multi-valued attribute whose values are rows of other tables.

    `exists` wraps one condition over `columns` (named by sub-attribute) into an EXISTS that is
    correlated with the resource's row, `smallest` one expression into its minimum over the values.
    """

    columns: Mapping[str, Column]
    exists: Callable[[ColumnElement[bool]], ColumnElement[bool]]
    smallest: Callable[[ColumnElement[Any]], ColumnElement[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Bindings:
    """Where values live: `columns` by canonical path such as `meta.created`, `relations` by attribute.

    Everything else is read from `document`, the JSON column that holds `folding.search_document`.
    `finders` are for multi-valued attributes in it whose `value` an index knows: the condition that the
    resource has one of that text, by the index alone. `lists` are multi-valued texts that stand in a JSON
    list of their own.
    """

    document: ColumnElement[Any]
    columns: Mapping[str, Column] = field(default_factory=dict)
    relations: Mapping[str, Relation] = field(default_factory=dict)
    finders: Mapping[str, Callable[[str], ColumnElement[bool]]] = field(default_factory=dict)
    lists: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)


def condition(node: Node, bindings: Bindings) -> ColumnElement[bool]:
    """Build the WHERE condition of a filter."""
    if isinstance(node, And | Or):
        terms = [condition(term, bindings) for term in node.nodes]
        return and_(*terms) if isinstance(node, And) else or_(*terms)
    if isinstance(node, Not):
        return not_(condition(node.node, bindings))
    if isinstance(node, ValuePath):
        return _value_path(node, bindings)
    if isinstance(node, Present):
        return _present(node.path, bindings)
    return _term(node, bindings)


def _term(node: Compare, bindings: Bindings) -> ColumnElement[bool]:
    column = bindings.columns.get(str(node.path))
    if column is not None:
        return _compare(node, column)
    listed = bindings.lists.get(str(node.path))
    if listed is not None:
        return any_text(listed, (), lambda text: _compare(node, Column(text)))
    if node.path.attribute.multi_valued:
        return any_text(bindings.document, node.path.keys, lambda text: _compare(node, Column(text)))
    return _compare(node, document_column(bindings.document, node.path.keys, node.path.leaf))


def _value_path(node: ValuePath, bindings: Bindings) -> ColumnElement[bool]:
    """RFC 7644 section 3.4.2.2: all terms stand in one EXISTS, so they bind to one and the same value."""
    relation = bindings.relations.get(str(node.path))
    if relation is None:
        fulfilled = any_element(
            bindings.document, node.path.keys, lambda element: condition(node.node, Bindings(element))
        )
        finder, value = bindings.finders.get(str(node.path)), _required_value(node.node)
        # The index finds the few that can fulfil the brackets; whether they do, their document says.
        return fulfilled if finder is None or value is None else and_(finder(value), fulfilled)
    _check_columns(node.node, node.path.attribute, relation)
    # An EXISTS has no document; `_check_columns` made sure that no term asks for one.
    return relation.exists(condition(node.node, Bindings(true(), relation.columns)))


def _required_value(node: Node) -> str | None:
    """The text that `value` must equal for the brackets to hold, if they demand one."""
    if isinstance(node, And):
        return next(filter(None, map(_required_value, node.nodes)), None)
    if isinstance(node, Compare) and node.op == "eq" and str(node.path) == "value":
        return str(node.value)
    return None


def _check_columns(node: Node, attribute: Attribute, relation: Relation) -> None:
    if isinstance(node, And | Or):
        for term in node.nodes:
            _check_columns(term, attribute, relation)
    elif isinstance(node, Not):
        _check_columns(node.node, attribute, relation)
    elif str(node.path) not in relation.columns:
        raise InvalidFilterError(
            f"{attribute.name}.{node.path} cannot be filtered by. Use one of: {', '.join(relation.columns)}."
        )


def _present(path: AttributePath, bindings: Bindings) -> ColumnElement[bool]:
    """RFC 7644 section 3.4.2.2: empty text counts as absent, and an object is as present as its parts."""
    relation = bindings.relations.get(str(path))
    if relation is not None:
        return relation.exists(true())
    column = bindings.columns.get(str(path))
    if column is not None:
        return _column_present(column)
    listed = bindings.lists.get(str(path))
    if listed is not None:
        return any_text(listed, (), lambda _: true())
    in_document: ColumnElement[bool] = member(bindings.document, path.keys).as_string().is_not(None)
    if not path.leaf.is_complex:
        return in_document
    prefixes = (f"{path}.", f"{path}:")
    parts = (part for name, part in bindings.columns.items() if name.startswith(prefixes))
    return or_(in_document, *(_column_present(part) for part in parts))


def _column_present(column: Column) -> ColumnElement[bool]:
    there = column.expression.is_not(None)
    return and_(there, column.expression != "") if column.kind is Kind.TEXT else there


def document_column(
    document: ColumnElement[Any], keys: tuple[str | int, ...], attribute: Attribute
) -> Column:
    """A single value inside a document, in the type of its attribute."""
    value = member(document, keys)
    if attribute.type == "boolean":
        return Column(value.as_boolean(), Kind.BOOLEAN)
    if attribute.type == "integer":
        return Column(value.as_integer())
    if attribute.type == "decimal":
        return Column(value.as_float())
    return Column(value.as_string())


def _compare(node: Compare, column: Column) -> ColumnElement[bool]:
    if column.kind is Kind.BOOLEAN:
        # IS is never NULL: "is not true" holds for false and for absent.
        return column.expression.is_(node.value) if node.op == "eq" else column.expression.is_not(node.value)
    if column.kind is Kind.UUID:
        return _compare_uuid(node, column.expression)
    value = node.value
    if isinstance(value, datetime) and column.kind is not Kind.INSTANT:
        value = rfc3339(value)
    return _compare_value(node, column.expression, value)


def _compare_uuid(node: Compare, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """A native uuid column refuses other text with an error; here such text is simply not equal."""
    text = str(node.value)
    if node.op not in {"eq", "ne"}:
        return _compare_value(node, cast(column, String(36)), text)
    if not _is_canonical_uuid(text):
        # A constant would fold the whole WHERE away, and the organization's criterion with it.
        there, absent = column.is_not(None), column.is_(None)
        return or_(there, absent) if node.op == "ne" else and_(there, absent)
    return _compare_value(node, column, text)


def _is_canonical_uuid(text: str) -> bool:
    try:
        # Ids are caseExact (RFC 7643 section 3.1), so another spelling of the same UUID is another id.
        return str(UUID(text)) == text
    except ValueError:
        return False


def _compare_value(node: Compare, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    there = column.is_not(None)
    if node.op == "eq":
        return and_(there, column == value)
    if node.op == "ne":
        return or_(column.is_(None), column != value)
    if node.op in _ORDERINGS:
        # Both evaluators order text by code point, whatever the database's own collation is.
        ordered = binary_order(column) if isinstance(value, str) else column
        return and_(there, _ORDERINGS[node.op](ordered, value))
    return and_(there, _part(node, column, str(value)))


def _part(node: Compare, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    if not text:
        return true()
    return (
        _exact_part(node.op, column, text)
        if node.path.leaf.case_exact
        else _folded_part(node.op, column, text)
    )


def _folded_part(op: str, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    if op == "co":
        return column.contains(text, autoescape=True)
    if op == "sw":
        return column.startswith(text, autoescape=True)
    return column.endswith(text, autoescape=True)


def _exact_part(op: str, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """SQLite's LIKE ignores the case of ASCII letters, so case-exact attributes go by position."""
    if op == "co":
        return func.replace(column, text, "") != column
    if op == "sw":
        return func.substr(column, 1, len(text)) == text
    return func.substr(column, func.length(column) - len(text) + 1) == text
