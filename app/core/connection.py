"""One connection of the pool, in a transaction if it writes: runs prepared statements on the driver.

It must not know organizations; `unit_of_work` fences and stamps what comes here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from psycopg.pq import TransactionStatus
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.core.statements import Plan, Prepared

# A connection plans all anew after so many uses, then each time after twice as many, up to every so many.
FIRST_REPLANNED, REPLANNED_EVERY = 64, 1_024

# A named tuple of a statement's columns.
Row: TypeAlias = Any


class Result:
    """The rows of one statement, all fetched, and how many it touched."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def all(self) -> list[Row]:
        return self._rows

    def first(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def one(self) -> Row:
        (row,) = self._rows
        return row

    def scalars(self) -> list[Any]:
        """The first column of each row."""
        return [row[0] for row in self._rows]

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        return self._rows[0][0] if self._rows else None


class Connection:
    """Checked out of the pool when made; what fails raises SQLAlchemy's own errors."""

    def __init__(self, database: Database, *, write: bool) -> None:
        self._database = database
        self._dialect = database.engine.dialect
        try:
            self._pooled = database.engine.raw_connection()
        except self._dialect.loaded_dbapi.Error as error:
            # Nothing was sent, so there is nothing of it to be repeated.
            raise self._wrapped(error, "CONNECT", is_lost=False) from error
        driver: Any = self._pooled.driver_connection
        self._driver = driver
        self._is_sqlite = database.is_sqlite
        self._cursor = driver.cursor()
        self._is_begun = database.is_sqlite
        if database.is_sqlite:
            self._begin_on_sqlite(write=write)
        else:
            self._prepare_postgresql()

    def _prepare_postgresql(self) -> None:
        if not self._driver.autocommit:
            self._driver.autocommit = True
        info = self._pooled.info
        uses = info["uses"] = info.get("uses", 0) + 1
        is_young = FIRST_REPLANNED <= uses < REPLANNED_EVERY
        if uses % REPLANNED_EVERY == 0 or (is_young and uses.bit_count() == 1):
            self.plan_anew()

    def plan_anew(self) -> None:
        """Forget how statements and the checks of foreign keys were planned on this connection.

        A plan that was made while a table was small may walk through all of it when it is not any more. Only
        ANALYZE would else end that, and the first one comes when a first import is over (measured: 20,000
        people at 686 a second in the beginning and 421 in the end; with this, 840 and 885).
        """
        try:
            self._cursor.execute("DISCARD PLANS")
        except self._dialect.loaded_dbapi.Error as error:
            broken = self._broken(error, "DISCARD PLANS")
            self._pooled.invalidate(error)
            raise broken from error

    def begin(self) -> None:
        """Open a transaction, unless there is one; from here on nothing holds before `commit`.

        Before that, each statement of PostgreSQL holds by itself. What only reads needs no more, because
        under READ COMMITTED it sees its own moment anyway; nor does a request whose writes all go in one
        statement. Both are spared two round trips.
        """
        if not self._is_begun:
            self._is_begun = True
            self._driver.autocommit = False

    def begin_at_one_moment(self) -> None:
        """Open a transaction that sees what was committed by now, and plan each statement by its values.

        For reports: their parts add up, and how much they read depends on what is asked for. SQLite does
        so anyway.
        """
        if not self._is_begun:
            self.begin()
            self.send("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", {})
            self.send("SET LOCAL plan_cache_mode = force_custom_plan", {})
            self.send("SET LOCAL work_mem = '32MB'", {})

    def _begin_on_sqlite(self, *, write: bool) -> None:
        # A transaction that reads before it writes fails at once when another has written meanwhile,
        # whatever the busy timeout; so a writing one takes the write lock at its start.
        try:
            self.send("BEGIN IMMEDIATE" if write else "BEGIN", {})
        except DBAPIError:
            self._pooled.close()
            raise

    def execute(self, prepared: Prepared, values: Mapping[str, Any]) -> Result:
        plan = prepared.plan
        self.send(plan.sql, prepared.values(values), is_constant=prepared.is_constant)
        cursor = self._cursor
        return Result(plan.rows(cursor.fetchall()) if plan.make_row is not None else [], cursor.rowcount)

    def execute_many(self, prepared: Prepared, rows: Sequence[Mapping[str, Any]]) -> None:
        """The statement once for each row; what it answers is not asked for."""
        self.send(prepared.plan.sql, [prepared.values(row) for row in rows])

    def write_together(self, writes: Sequence[tuple[Plan, Mapping[str, Any], bool]]) -> list[int]:
        """Writes that do not see each other; answers how many rows each counted one touched."""
        if self._database.is_sqlite:
            counts = []
            for plan, values, is_counted in writes:
                self.send(plan.sql, values)
                if is_counted:
                    counts.append(self._cursor.rowcount)
            return counts
        batch = self._database.batch(tuple((plan, is_counted) for plan, _, is_counted in writes))
        self.send(batch.sql, batch.values([values for _, values, _ in writes]))
        (row,) = self._cursor.fetchall()
        return list(row) if any(counted for *_, counted in writes) else []

    def commit(self) -> None:
        if not self._is_begun:
            return
        try:
            self._driver.commit()
        except self._dialect.loaded_dbapi.Error as error:
            raise self._broken(error, "COMMIT") from error

    def close(self) -> None:
        """Roll back what was not committed and give the connection back, also after a failure."""
        try:
            if self._is_begun or self._driver.info.transaction_status != TransactionStatus.IDLE:
                self._driver.rollback()
        except self._dialect.loaded_dbapi.Error as error:
            self._pooled.invalidate(error)
        else:
            self._pooled.close()

    def send(
        self, sql: str, values: Mapping[str, Any] | list[dict[str, Any]], *, is_constant: bool = True
    ) -> None:
        """Every statement goes through here; a list runs once for each entry."""
        try:
            if isinstance(values, list):
                self._cursor.executemany(sql, values)
            elif self._is_sqlite:
                self._cursor.execute(sql, values)
            else:
                self._cursor.execute(sql, values, prepare=is_constant)
        except self._dialect.loaded_dbapi.Error as error:
            raise self._broken(error, sql) from error

    def _broken(self, error: Any, sql: str) -> Exception:
        is_lost = self._dialect.is_disconnect(error, self._driver, self._cursor)
        if is_lost:
            # The others of the pool are as old; each would fail one request.
            self._database.engine.dispose(close=False)
        return self._wrapped(error, sql, is_lost=is_lost)

    def _wrapped(self, error: Any, sql: str, *, is_lost: bool) -> Exception:
        wrapped: Exception = DBAPIError.instance(
            sql,
            None,
            error,
            self._dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=self._dialect,
        )
        return wrapped
