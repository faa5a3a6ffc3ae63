"""SQL that the two databases spell differently."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class json_object_list(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """All rows as the text of one JSON list of objects: `json_object_list("value", column, …)`.

    The text goes into an answer as it is, so a list of 100,000 members is never built in Python.
    """

    type = Text()
    inherit_cache = True


@compiles(json_object_list)
def _on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_group_array(json_object({compiler.process(element.clauses, **kwargs)}))"


@compiles(json_object_list, "postgresql")
def _on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    pairs = compiler.process(element.clauses, **kwargs)
    return f"coalesce(CAST(json_agg(json_build_object({pairs})) AS text), '[]')"


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
