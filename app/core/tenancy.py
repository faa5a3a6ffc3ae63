"""The first wall between organizations: no statement runs that is not pinned to one.

Tables made by `scoped_table` belong to organizations. Every statement that touches one is checked
before its first run: each scoped table in it must be tied, by equality of `org_id`, to the bind
parameter `:org_id`, which only `UnitOfWork` fills in. A statement that is not tied raises; it never
runs unfenced. The second wall is PostgreSQL's row-level security, keyed on the setting
`usher.org_id` of the transaction (see `migrations/`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column as SqlColumn
from sqlalchemy import Delete, Executable, Join, Select, String, Table, Text, Update, and_, bindparam, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, Grouping
from sqlalchemy.sql.functions import FunctionElement

from app.core.database import Id, metadata

ORG_ID: BindParameter[str] = bindparam("org_id", type_=Id)


class UnfencedStatementError(Exception):
    """A programming fault: a statement would have read across organizations."""


def scoped_table(name: str, *columns: SchemaItem) -> Table:
    """A table whose every key is led by `org_id`."""
    table = Table(name, metadata, SqlColumn("org_id", Id, primary_key=True), *columns)
    table.info["scoped"] = True
    return table


# The only table that is read before the organization is known, and it holds nothing else:
# which organization, and which of its objects, a token, slug or domain belongs to.
lookups = Table(
    "lookups",
    metadata,
    SqlColumn("kind", String(32), primary_key=True),
    SqlColumn("key_hash", String(64), primary_key=True),
    SqlColumn("org_id", Id, nullable=False, index=True),
    SqlColumn("object_id", Id, nullable=False),
)


class enter_organization(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """Row-level security of this transaction now sees the given organization; the value is its id."""

    type = Text()
    inherit_cache = True


@compiles(enter_organization)
def _enter_by_default(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return compiler.process(element.clauses, **kwargs)


@compiles(enter_organization, "postgresql")
def _enter_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"set_config('usher.org_id', CAST({compiler.process(element.clauses, **kwargs)} AS text), true)"


def check_fence(statement: Executable) -> None:
    """Raise `UnfencedStatementError` unless every scoped table is tied to `:org_id`.

    Only conditions that must hold count: the terms of a WHERE or ON joined by AND, never a branch of
    an OR. An INSERT of plain values needs none, because `UnitOfWork` stamps its rows.
    """
    tables: set[object] = set()
    tied: dict[object, set[object]] = {}
    for element in visitors.iterate(statement):  # type: ignore[arg-type]  # every Executable is traversible
        tables.update(source for source in _sources(element) if _is_scoped(source))
        for left, right in _required_equalities(element):
            tied.setdefault(left, set()).add(right)
            tied.setdefault(right, set()).add(left)
    loose = sorted(str(table) for table in tables - _reachable("org_id", tied))
    if loose:
        raise UnfencedStatementError(f"Not pinned to an organization: {', '.join(loose)} in {statement}")


def _is_scoped(source: object) -> bool:
    # A subquery or CTE is checked through the tables inside it; an alias stands for its table.
    table = getattr(source, "element", source)
    return isinstance(table, Table) and bool(table.info.get("scoped"))


def _sources(element: object) -> Iterator[object]:
    """The tables and aliases that this element itself reads or changes."""
    if isinstance(element, Select):
        froms: list[object] = list(element.get_final_froms())
        while froms:
            source = froms.pop()
            if isinstance(source, Join):
                froms += [source.left, source.right]
            else:
                yield source
    elif isinstance(element, Update | Delete):
        yield element.table
        # The further tables of UPDATE … FROM show only in its conditions.
        for part in visitors.iterate(and_(true(), *element._where_criteria)):  # noqa: SLF001 - no public list
            if isinstance(part, SqlColumn):
                yield part.table


def _required_equalities(element: object) -> Iterator[tuple[object, object]]:
    terms: list[object] = []
    if isinstance(element, Select):
        terms += [element.whereclause, *_on_clauses(element.get_final_froms())]
    elif isinstance(element, Update | Delete):
        terms.append(element.whereclause)
    while terms:
        term = terms.pop()
        if isinstance(term, BooleanClauseList) and term.operator is operators.and_:
            terms.extend(term.clauses)
        elif isinstance(term, Grouping):
            terms.append(term.element)
        elif isinstance(term, BinaryExpression) and term.operator is operators.eq:
            left, right = _org_side(term.left), _org_side(term.right)
            if left is not None and right is not None:
                yield left, right


def _on_clauses(froms: Sequence[object]) -> Iterator[object]:
    for source in froms:
        if isinstance(source, Join):
            yield source.onclause
            yield from _on_clauses([source.left, source.right])


def _org_side(side: object) -> object:
    if isinstance(side, BindParameter):
        return "org_id" if side.key == "org_id" else None
    return getattr(side, "table", None) if getattr(side, "name", None) == "org_id" else None


def _reachable(start: object, tied: dict[object, set[object]]) -> set[object]:
    reached: set[object] = set()
    frontier = [start]
    while frontier:
        node = frontier.pop()
        if node not in reached:
            reached.add(node)
            frontier.extend(tied.get(node, ()))
    return reached
