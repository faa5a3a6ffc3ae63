"""The first wall between organizations: no statement runs that is not pinned to one.

Tables made by `scoped_table` belong to organizations. Every statement that touches one is checked
before its first run: each scoped table in it must be tied, by equality of `org_id`, to the bind
parameter `:this_org_id`, which only `UnitOfWork` fills in. A statement that is not tied raises; it never
runs unfenced. The second wall is PostgreSQL's row-level security, keyed on the setting
`usher.org_id` of the connection (see `migrations/`).
"""

from collections.abc import Iterator
from typing import Any
from typing import cast as typed

from sqlalchemy import (
    Alias,
    Delete,
    Executable,
    Insert,
    Join,
    Select,
    String,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    select,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, Grouping
from sqlalchemy.sql.functions import FunctionElement

from app.core.database import Id, metadata

# In an UPDATE the name of a column cannot be the name of a parameter.
ORG_ID: BindParameter[str] = bindparam("this_org_id", type_=Id)


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
# The kind of look-up that every organization has one of.
ORGANIZATION = "organization_slug"


class enter_organization(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """Row-level security of this connection now sees the given organization; the value is its id."""

    type = Text()
    inherit_cache = True


@compiles(enter_organization)
def _enter_by_default(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return compiler.process(element.clauses, **kwargs)


@compiles(enter_organization, "postgresql")
def _enter_on_postgresql(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    # For the session and not for the transaction, because reading requests have none. Whatever is run
    # after it has entered an organization of its own first, see `check_unscoped`.
    return f"set_config('usher.org_id', CAST({compiler.process(element.clauses, **kwargs)} AS text), false)"


def check_fence(statement: Executable) -> None:
    """Raise `UnfencedStatementError` unless every scoped table is tied to `:this_org_id`.

    Only conditions that must hold count: the terms of a WHERE or ON joined by AND, never a branch of
    an OR. An INSERT of plain values needs none, because `UnitOfWork` stamps its rows.
    """
    tables: set[object] = set()
    tied: dict[object, set[object]] = {}
    for element in _walk(statement):
        source = element.table if isinstance(element, SqlColumn) else element
        if _is_scoped(source):
            tables.add(source)
        for left, right in _required_equalities(element):
            tied.setdefault(left, set()).add(right)
            tied.setdefault(right, set()).add(left)
    if isinstance(statement, Insert):
        tables -= {source for source in tables if _is_target(source, statement)}
        if statement.select is not None:
            check_fence(statement.select)
    loose = sorted(str(table) for table in tables - _reachable(ORG_ID, tied))
    if loose:
        raise UnfencedStatementError(f"Not pinned to an organization: {', '.join(loose)}.")


def everywhere(question: Select[Any]) -> Select[Any]:
    """The organizations in which a fenced question for one column has an answer, for `execute_unscoped`.

    Each is entered before its own rows are looked at, so both walls stand. On PostgreSQL that order is
    sure: what changes something (`set_config`) is not moved out of a subquery, and a scalar subquery that
    hangs on its row is asked for each row.
    """
    check_fence(question)
    entered = (
        select(cast(enter_organization(lookups.c.org_id), Id).label("org_id"))
        .where(lookups.c.kind == ORGANIZATION)
        .subquery("entered")
    )

    def pin(element: Any, **_: Any) -> Any:
        is_pin = isinstance(element, BindParameter) and element.key == ORG_ID.key
        return entered.c.org_id if is_pin else None

    asked = typed("Select[Any]", visitors.replacement_traverse(question.limit(1), {}, pin))
    return select(entered.c.org_id).where(asked.scalar_subquery().is_not(None))


def check_unscoped(statement: Executable) -> None:
    """Raise `UnfencedStatementError` if a statement that runs outside the fence could see any rows but
    look-ups: with organizations' tables in it, it must enter the organization itself.
    """
    elements = list(_walk(statement))
    enters = any(isinstance(element, enter_organization) for element in elements)
    sources = {element.table if isinstance(element, SqlColumn) else element for element in elements}
    loose = sorted(str(source) for source in sources if _is_scoped(source))
    if loose and not enters:
        raise UnfencedStatementError(f"Outside the fence without entering: {', '.join(loose)}.")


def _walk(statement: Any) -> Iterator[Any]:
    """Every element of the statement; an alias of a table stands for itself, not for the table."""
    waiting = [statement]
    while waiting:
        element = waiting.pop()
        yield element
        if isinstance(element, Select) and element._setup_joins:  # noqa: SLF001 - has no public name
            raise UnfencedStatementError(
                "Write joins as select_from(a.join(b, …)), where they can be checked."
            )
        if not isinstance(element, Table | SqlColumn) and not _is_scoped(element):
            waiting.extend(element.get_children())


def _is_scoped(source: object) -> bool:
    table = source.element if isinstance(source, Alias) else source
    return isinstance(table, Table) and bool(table.info.get("scoped"))


def _is_target(source: object, statement: Insert) -> bool:
    # ON CONFLICT DO UPDATE names the rejected row as an alias of the table.
    return source is statement.table or (isinstance(source, Alias) and source.name == "excluded")


def _required_equalities(element: object) -> Iterator[tuple[object, object]]:
    terms: list[object] = []
    if isinstance(element, Select | Update | Delete):
        terms.append(element.whereclause)
    elif isinstance(element, Join):
        terms.append(element.onclause)
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


def _org_side(side: object) -> object:
    if isinstance(side, BindParameter):
        return ORG_ID if side.key == ORG_ID.key else None
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
