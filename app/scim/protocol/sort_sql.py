"""The order of a list in SQL, and where in that order a page begins (RFC 7644 section 3.4.2.3).

Text is ordered by code point of its folded form on every database. Like `filter_sql` it must not
know models: the caller says where values live through `Bindings`.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, cast, func, or_

from app.scim.protocol.attribute_path import AttributePath
from app.scim.protocol.constants import MAX_STRING_LENGTH
from app.scim.protocol.errors import InvalidValueError
from app.scim.protocol.filter_sql import Bindings, Column, Kind, Relation, document_column
from app.scim.protocol.filter_sql_json import binary_order, primary_or_first
from app.scim.protocol.registry import Attribute


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """An order by one expression: text, number or instant, NULL where a resource has no value."""

    expression: ColumnElement[Any]
    descending: bool

    @classmethod
    def of(cls, path: AttributePath, descending: bool, bindings: Bindings) -> "Order":
        return cls(_expression(path, bindings), descending)

    def by(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        """The ORDER BY over `key`, which is the expression or what a subquery calls it."""
        # What has no value comes last when ascending and first when descending.
        comparable = _comparable(key)
        return comparable.desc().nulls_first() if self.descending else comparable.asc().nulls_last()

    def beyond(self, key: Any, tie: ColumnElement[bool]) -> ColumnElement[bool]:
        """What comes after a resource whose value is `key`; `tie` decides among equal values."""
        there, absent = self.expression.is_not(None), self.expression.is_(None)
        if key is None:
            tied = and_(absent, tie)
            return or_(tied, there) if self.descending else tied
        value = _comparable(self.expression)
        following = value < key if self.descending else value > key
        reached = or_(following, and_(value == key, tie))
        return reached if self.descending else or_(reached, absent)


def _comparable(key: ColumnElement[Any]) -> ColumnElement[Any]:
    return binary_order(key) if isinstance(key.type, String) else key


def _expression(path: AttributePath, bindings: Bindings) -> ColumnElement[Any]:
    column = bindings.columns.get(str(path))
    if column is not None:
        return _typed(column, path.leaf)
    if not path.attribute.multi_valued:
        return _typed(document_column(bindings.document, path.keys, path.leaf), path.leaf)
    relation = bindings.relations.get(path.attribute.name) if path.extension is None else None
    if relation is not None:
        return _smallest(path, relation)
    holder = AttributePath(path.extension, path.attribute).keys
    if path.sub_attribute is None:
        return _typed(document_column(bindings.document, (*holder, 0), path.leaf), path.leaf)
    value = primary_or_first(bindings.document, holder)
    return _typed(document_column(value, (path.leaf.name,), path.leaf), path.leaf)


def _smallest(path: AttributePath, relation: Relation) -> ColumnElement[Any]:
    """Memberships have no primary and no first value; the smallest one stands for all."""
    column = relation.columns.get(path.leaf.name)
    if column is None:
        raise InvalidValueError(
            f"{path} cannot be sorted by. Use one of: "
            f"{', '.join(f'{path.attribute.name}.{name}' for name in relation.columns)}."
        )
    return relation.smallest(_comparable(_typed(column, path.leaf)))


def _typed(column: Column, attribute: Attribute) -> ColumnElement[Any]:
    """An expression that both databases order alike: false before true, ids as their text."""
    if column.kind is Kind.BOOLEAN:
        return cast(column.expression, Integer)
    if column.kind is Kind.UUID:
        return cast(column.expression, String(36))
    if attribute.type in {"binary", "reference"}:
        # Certificates and addresses can be longer than a URL, and the value of a page's last resource
        # travels in the cursor.
        return func.substr(column.expression, 1, MAX_STRING_LENGTH, type_=String())
    return column.expression
