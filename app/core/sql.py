"""SQL that the two databases spell differently."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Table, TableValuedAlias, Text, Uuid, bindparam, column, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.core.database import Id


class json_object(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """One JSON object: `json_object("name", column, …)`."""

    type = Text()
    inherit_cache = True


class json_array(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """One JSON list of values of any kind, by their places: `json_array(column, …)`."""

    type = Text()
    inherit_cache = True


class json_list(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """All rows as the text of one JSON list: `json_list(json_object(…))`.

    The text goes into an answer as it is, so a list of 100,000 members is never built in Python.
    """

    type = Text()
    inherit_cache = True


@compiles(json_object)
def _object_on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_object({compiler.process(element.clauses, **kwargs)})"


@compiles(json_object, "postgresql")
def _object_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_build_object({compiler.process(element.clauses, **kwargs)})"


@compiles(json_array)
def _array_on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **kwargs)})"


@compiles(json_array, "postgresql")
def _array_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **kwargs)})"


@compiles(json_list)
def _list_on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **kwargs)})"


@compiles(json_list, "postgresql")
def _list_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"coalesce(CAST(json_agg({compiler.process(element.clauses, **kwargs)}) AS text), '[]')"


class IdList(TypeDecorator[Sequence[str]]):
    """A list of ids as one value: an array where the database has them, else JSON text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(ARRAY(Uuid(as_uuid=False)) if is_postgresql else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:
        return value if value is None or dialect.name == "postgresql" else list(json.loads(value))


class TextList(TypeDecorator[Sequence[str]]):
    """A list of texts as one value, only for comparing with it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))


class _IsOneOf(FunctionElement[bool]):
    # Not typed as Boolean: SQLAlchemy would write `(… IN …) = 1` on SQLite, which no index answers.
    inherit_cache = True


@compiles(_IsOneOf)
def _one_of_on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, ids = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - compiled SQL, no values


@compiles(_IsOneOf, "postgresql")
def _one_of_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, ids = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} = ANY({ids})"


def is_one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The column is one of the ids in the parameter `name`: one statement for lists of any length."""
    return _IsOneOf(column, bindparam(name, type_=IdList()))


class _EachId(FunctionElement[str]):
    inherit_cache = True


@compiles(_EachId)
def _each_id_on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kwargs)})"


@compiles(_EachId, "postgresql")
def _each_id_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.clauses, **kwargs)}) AS value)"


def each_id(name: str) -> TableValuedAlias:
    """The ids in the parameter `name` as rows of one column, `value`: to insert or to join many at once."""
    return _EachId(bindparam(name, type_=IdList())).table_valued(column("value", Id), name=f"each_of_{name}")


def each_row(table: Table, names: Sequence[str]) -> TableValuedAlias:
    """The rows whose columns are the lists in the parameters `names`, to insert them in one statement.

    Only for PostgreSQL: SQLite is within the process, and one statement for each row is faster there.
    """
    lists = (bindparam(name, type_=ARRAY(table.c[name].type)) for name in names)
    return func.unnest(*lists).table_valued(*names).render_derived()


def is_one_of_texts(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The column is one of the texts in the parameter `name`."""
    return _IsOneOf(column, bindparam(name, type_=TextList()))


class lock_for_transaction(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """Hold the lock that this text names until the transaction ends.

    SQLite lets one transaction write at a time, so there it is held already.
    """

    type = Text()
    inherit_cache = True


@compiles(lock_for_transaction)
def _lock_on_sqlite(_element: Any, _compiler: SQLCompiler, **_kwargs: Any) -> str:
    return "''"


@compiles(lock_for_transaction, "postgresql")
def _lock_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    name = compiler.process(element.clauses, **kwargs)
    return f"pg_advisory_xact_lock(hashtextextended({name}, 0))"
