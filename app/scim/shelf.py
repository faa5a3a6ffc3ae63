"""How one table of resources is read, whatever stands in it.

A page is the ids of its resources, and then these: so only the choice is another statement for each filter,
and what is related (a user's groups, a group's members) is looked up for the page alone, as ready JSON text
and only when it will be shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, FromClause, Label, Select, Table, bindparam, func, select

from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.scim.protocol.filter_sql import Bindings, Kind

_COLUMNS = ("id", "attributes", "version", "created_at", "last_modified_at")


class Pages(NamedTuple):
    """Constant statements of one list: a page by `page_limit` and `page_offset`, and how many there are."""

    alone: Select[Any]
    with_related: Select[Any]
    total: Select[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Statements over one table.

    `equal` lists those with one text (`:equal`) in a column of their own, by attribute path: what nearly
    all connectors look for, and a constant is prepared only once.
    """

    noun: str
    bindings: Bindings
    table: Table
    one: Select[Any]
    one_with_related: Select[Any]
    some: Select[Any]
    some_with_related: Select[Any]
    ids: Select[Any]
    # A page of all ids, behind `after_id`.
    everybody: Select[Any]
    count: Select[Any]
    equal: Mapping[str, Pages]

    @classmethod
    def of(
        cls,
        table: Table,
        noun: str,
        bindings: Bindings,
        related: tuple[Label[Any], ...],
        *,
        own: Sequence[ColumnElement[Any]] = (),
        source: FromClause | None = None,
    ) -> "Shelf":
        """`related` are the columns of what is joined at read, `own` those of this kind of resource alone;
        `source` is the table with what holds these.
        """
        source = table if source is None else source
        living = (table.c.org_id == ORG_ID, table.c.deleted_at.is_(None))
        columns = (*(table.c[name] for name in _COLUMNS), *own)
        resources = select(*columns).select_from(source).where(*living)
        one = resources.where(table.c.id == bindparam("id"))
        some = resources.where(is_one_of(table.c.id, "ids"))
        ids = select(table.c.id).where(*living).order_by(table.c.id)
        count = select(func.count()).select_from(table).where(*living)
        return cls(
            noun=noun,
            bindings=bindings,
            table=table,
            one=one,
            one_with_related=one.add_columns(*related),
            some=some,
            some_with_related=some.add_columns(*related),
            ids=ids,
            everybody=_cut(ids.where(table.c.id > bindparam("after_id"))),
            count=count,
            equal={
                path: _equal(resources, count, column.expression, table, related)
                for path, column in bindings.columns.items()
                if column.kind is Kind.TEXT and isinstance(column.expression, Column)
            },
        )


def _cut(statement: Select[Any]) -> Select[Any]:
    return statement.limit(bindparam("page_limit")).offset(bindparam("page_offset"))


def _equal(
    resources: Select[Any],
    count: Select[Any],
    column: Column[Any],
    table: Table,
    related: tuple[Label[Any], ...],
) -> Pages:
    is_equal = column == bindparam("equal")
    found = _cut(resources.where(is_equal).order_by(table.c.id))
    return Pages(found, found.add_columns(*related), count.where(is_equal))
