"""SQL that the two databases spell differently."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class json_object(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """One JSON object: `json_object("name", column, …)`."""

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


@compiles(json_list)
def _list_on_sqlite(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **kwargs)})"


@compiles(json_list, "postgresql")
def _list_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"coalesce(CAST(json_agg({compiler.process(element.clauses, **kwargs)}) AS text), '[]')"
