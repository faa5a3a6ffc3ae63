"""SQLAlchemy writes the statements; this prepares them for the driver, each once.

SQLAlchemy's own execution costs as much again as the driver's (measured: 160 against 75 us of Python a
statement), so its compiler and types are used, and the driver runs what they give. It knows nothing
of transactions or organizations.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Executable, Insert, MetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

MAX_STRUCTURES = 5_000

Process = Callable[[Any], Any]
_PARAMETER = re.compile(r"%\((\w+)\)s")
# What takes locks must find earlier writes sent, so that theirs come first.
_LOCKS = re.compile(r"\bFOR (NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b|\bpg_advisory_xact_lock\b")


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One statement as the driver takes it: its text, and how values go in and rows come out."""

    sql: str
    encoders: tuple[tuple[str, Process], ...]
    # None for a statement that answers no rows.
    make_row: Callable[[Iterable[Any]], Any] | None
    decoders: tuple[tuple[int, Process], ...]
    tables: frozenset[str]
    is_read: bool
    # Whether a second write of the same rows in one statement would be lost: all but plain inserts.
    is_change: bool

    def rows(self, fetched: Sequence[Sequence[Any]]) -> list[Any]:
        """Named tuples of the fetched rows."""
        make_row = self.make_row
        if make_row is None:
            return []
        if not self.decoders:
            return [make_row(row) for row in fetched]
        rows = []
        for row in fetched:
            values = list(row)
            for place, process in self.decoders:
                values[place] = process(values[place])
            rows.append(make_row(values))
        return rows


@dataclass(slots=True)
class Prepared:
    """A plan with the values that the statement itself holds.

    A statement that is met again is a constant, which the database may plan once and for all.
    """

    plan: Plan
    own_values: Mapping[str, Any]
    is_constant: bool = False

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """All values of one execution, as the driver takes them."""
        values = {**self.own_values, **parameters}
        for name, process in self.plan.encoders:
            values[name] = process(values[name])
        return values


Check = Callable[[Executable], None]


class Preparer:
    """The plans of one dialect. A constant is prepared once; what is built anew, once by its structure."""

    def __init__(self, dialect: Dialect, metadata: MetaData) -> None:
        self._dialect = dialect
        self._metadata = metadata
        self._prepared: WeakKeyDictionary[Executable, dict[object, Prepared]] = WeakKeyDictionary()
        self._plans: dict[object, tuple[Plan, SQLCompiler]] = {}

    def prepare(self, statement: Executable, parameters: Mapping[str, Any], check: Check) -> Prepared:
        """The plan for a statement; an INSERT without values of its own takes the named columns.

        `check` sees each structure before its first run, and what it raises is raised here.
        """
        columns = tuple(parameters) if isinstance(statement, Insert) and statement.select is None else ()
        kind = (check, columns)
        known = self._prepared.get(statement)
        if known is None:
            known = self._prepared[statement] = {}
        prepared = known.get(kind)
        if prepared is None:
            prepared = known[kind] = self._find(statement, check, columns)
        else:
            prepared.is_constant = True
        return prepared

    def _find(self, statement: Executable, check: Check, columns: tuple[str, ...]) -> Prepared:
        structure = statement._generate_cache_key()  # type: ignore[attr-defined]  # noqa: SLF001 - the only name it has
        key = (structure.key, check, columns) if structure is not None else None
        found = self._plans.get(key)
        if found is None:
            check(statement)
            found = self._compile(statement, columns, structure)
            if key is not None and len(self._plans) < MAX_STRUCTURES:
                self._plans[key] = found
        plan, compiled = found
        extracted = structure.bindparams if structure is not None else None
        values = compiled.construct_params(extracted_parameters=extracted, _check=False)
        asked_for = {name for bind, name in compiled.bind_names.items() if bind.required}
        own = {name: value for name, value in values.items() if name not in asked_for}
        return Prepared(plan, own)

    def _compile(
        self, statement: Executable, columns: tuple[str, ...], structure: Any
    ) -> tuple[Plan, SQLCompiler]:
        compiled: SQLCompiler = self._dialect.statement_compiler(
            self._dialect,
            statement,  # type: ignore[arg-type]  # every Executable here is one
            cache_key=structure,
            column_keys=list(columns) or None,
        )
        sql: str = compiled.string
        if "POSTCOMPILE" in sql:
            raise TypeError("Write is_one_of instead of in_: a list is one value, so that the text is fixed.")
        result = compiled._result_columns  # noqa: SLF001 - the only name it has
        decoders = ((place, self._decoder(entry.type)) for place, entry in enumerate(result))
        # A parameter that stands twice in a statement is two binds of one name, and is encoded once.
        encoders = {name: self._encoder(bind.type) for bind, name in compiled.bind_names.items()}
        is_read = not compiled.isinsert and not compiled.isupdate and not compiled.isdelete
        plan = Plan(
            sql=sql,
            encoders=tuple((name, process) for name, process in encoders.items() if process is not None),
            make_row=_row_maker([entry.keyname for entry in result]) if result else None,
            decoders=tuple((place, process) for place, process in decoders if process is not None),
            tables=frozenset(name for name in self._metadata.tables if re.search(rf"\b{name}\b", sql)),
            is_read=is_read and _LOCKS.search(sql) is None,
            is_change=not is_read and not (compiled.isinsert and "ON CONFLICT" not in sql),
        )
        return plan, compiled

    def _encoder(self, type_: TypeEngine[Any]) -> Process | None:
        return type_.dialect_impl(self._dialect).bind_processor(self._dialect)

    def _decoder(self, type_: TypeEngine[Any]) -> Process | None:
        return type_.dialect_impl(self._dialect).result_processor(self._dialect, None)


def _row_maker(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    make: Callable[[Iterable[Any]], Any] = getattr(namedtuple("Row", names), "_make")  # noqa: B009, PYI024 - typed tuples cannot be made of names known only now
    return make


class Batch:
    """Several writes as one statement of PostgreSQL: each a data-modifying CTE, all or nothing.

    All parts see the database as it was before the statement, so no part may read or change what
    another one writes; foreign keys are checked after all of them.
    """

    def __init__(self, parts: Sequence[tuple[Plan, bool]]) -> None:
        writes, counts = [], []
        for number, (plan, is_counted) in enumerate(parts):
            text = _PARAMETER.sub(rf"%(w{number}_\1)s", plan.sql)
            writes.append(f"w{number} AS ({text}{' RETURNING 1' if is_counted else ''})")
            if is_counted:
                counts.append(f"(SELECT count(*) FROM w{number})")  # noqa: S608 - holds a number of ours
        self.sql = f"WITH {', '.join(writes)} SELECT {', '.join(counts) or '1'}"

    @staticmethod
    def values(encoded: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            f"w{number}_{name}": value
            for number, values in enumerate(encoded)
            for name, value in values.items()
        }
