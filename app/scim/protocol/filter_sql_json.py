"""The JSON half of `filter_sql` and `sort_sql`: values inside a document, on SQLite and on PostgreSQL.

Paths are keys of the schema registry, never text of a client. Knows neither filters nor models.
"""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, ColumnElement, Text, column, func, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_DOCUMENT = JSON().with_variant(JSONB(), "postgresql")

Terms = Callable[[ColumnElement[Any]], ColumnElement[bool]]


class _Elements(FunctionElement[Any]):
    """The elements of a JSON list as rows with one column `value`; no list gives no rows.

    Clauses: the document, the path as SQLite writes it, the list as PostgreSQL reaches it.
    """

    name = "json_elements"
    inherit_cache = True


class _TextElements(_Elements):
    """The same for a list of plain texts."""

    name = "json_text_elements"
    inherit_cache = True


class _BinaryOrder(FunctionElement[str]):
    """Text that is ordered by code point."""

    name = "binary_order"
    type = Text()
    inherit_cache = True


@compiles(_Elements, "sqlite")
def _elements_on_sqlite(element: _Elements, compiler: SQLCompiler, **options: Any) -> str:
    document, path, _ = element.clauses
    return f"json_each({compiler.process(document, **options)}, {compiler.process(path, **options)})"


@compiles(_Elements, "postgresql")
def _elements_on_postgresql(element: _Elements, compiler: SQLCompiler, **options: Any) -> str:
    _, _, values = element.clauses
    return f"jsonb_array_elements({compiler.process(values, **options)})"


@compiles(_TextElements, "postgresql")
def _text_elements_on_postgresql(element: _TextElements, compiler: SQLCompiler, **options: Any) -> str:
    _, _, values = element.clauses
    return f"jsonb_array_elements_text({compiler.process(values, **options)})"


@compiles(_BinaryOrder, "sqlite")
def _order_on_sqlite(element: _BinaryOrder, compiler: SQLCompiler, **options: Any) -> str:
    (text,) = element.clauses
    # SQLite's default collation BINARY is the order wanted.
    return compiler.process(text, **options)


@compiles(_BinaryOrder, "postgresql")
def _order_on_postgresql(element: _BinaryOrder, compiler: SQLCompiler, **options: Any) -> str:
    (text,) = element.clauses
    return f'({compiler.process(text, **options)} COLLATE "C")'


def binary_order(text: ColumnElement[Any]) -> ColumnElement[Any]:
    return _BinaryOrder(text)


def member(document: ColumnElement[Any], keys: tuple[str | int, ...]) -> Any:
    """The JSON value under `keys`; the result has `as_string()`, `as_boolean()` and so on."""
    return type_coerce(document, _DOCUMENT)[keys]


def any_element(document: ColumnElement[Any], keys: tuple[str, ...], terms: Terms) -> ColumnElement[bool]:
    """True when one object of the list fulfils the terms."""
    rows = _Elements(*_clauses(document, keys)).table_valued(column("value", _DOCUMENT))
    return select(literal(1)).select_from(rows).where(terms(rows.c.value)).exists()


def any_text(document: ColumnElement[Any], keys: tuple[str, ...], terms: Terms) -> ColumnElement[bool]:
    """True when one text of the list fulfils the terms."""
    rows = _TextElements(*_clauses(document, keys)).table_valued(column("value", Text()))
    return select(literal(1)).select_from(rows).where(terms(rows.c.value)).exists()


def primary_or_first(document: ColumnElement[Any], keys: tuple[str, ...]) -> ColumnElement[Any]:
    """The object of the list that is marked primary, or else the first; NULL for no list."""
    rows = _Elements(*_clauses(document, keys)).table_valued(column("value", _DOCUMENT))
    is_primary = member(rows.c.value, ("primary",)).as_boolean().is_(True)
    primary = select(rows.c.value).where(is_primary).limit(1).scalar_subquery()
    return func.coalesce(primary, member(document, (*keys, 0)), type_=_DOCUMENT)


def _clauses(document: ColumnElement[Any], keys: tuple[str, ...]) -> tuple[ColumnElement[Any], ...]:
    # Quoted keys keep the dots and colons of an extension's URN from being read as path syntax.
    path = "$" + "".join(f".{json.dumps(key)}" for key in keys)
    return document, literal(path), member(document, keys)
