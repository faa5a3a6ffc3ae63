"""One transaction, one organization, one queue of events.

Services run their statements through `execute`, which fences them (`tenancy.py`) and fills in
`:this_org_id`. Nothing here knows what the events cause: `commit` hands them to the given dispatcher,
inside the transaction, before it commits.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Executable, Insert, select

from app.core.clock import Clock
from app.core.connection import Connection, Result
from app.core.context import Caller
from app.core.database import Database
from app.core.errors import ConcurrentUpdateError, UsherError
from app.core.events import Event
from app.core.ids import IdFactory
from app.core.statements import Plan
from app.core.tenancy import ORG_ID, check_fence, check_unscoped, enter_organization

MAX_EVENTS = 10_000
# So many writes at most wait to go together; more would make a statement of their own each time.
MAX_TOGETHER = 12
# So many rows at most go with the writes that wait; more are a statement of their own.
FEW = 3

_ENTER = select(enter_organization(ORG_ID))


@dataclass(frozen=True, slots=True)
class Write:
    """One that waits: `lost` is what to say when it touches no row, null when that is no matter."""

    plan: Plan
    values: Mapping[str, Any]
    lost: str | None
    key: object


class UnitOfWork:
    """Opened on first use, rolled back by default; `commit` is said aloud."""

    def __init__(
        self, database: Database, *, write: bool, clock: Clock, ids: IdFactory, caller: Caller
    ) -> None:
        self.ids = ids
        self.caller = caller
        self.now: datetime = clock.now()
        self._database = database
        self._statements = database.statements
        self._write = write
        self._connection: Connection | None = None
        self._org_id: str | None = None
        self._events: deque[Event] = deque()
        self._handled: list[Event] = []
        self._waiting: list[Write] = []
        self._latest: dict[object, Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def org_id(self) -> str:
        if self._org_id is None:
            raise LookupError("No organization has been entered in this transaction.")
        return self._org_id

    @property
    def dialect(self) -> str:
        return self._database.dialect

    def enter(self, org_id: str) -> None:
        """Bind this transaction to one organization, in code and in row-level security."""
        self.entered(org_id)
        if self._connection is not None:
            self._tell_database()

    def entered(self, org_id: str) -> None:
        """The statement that found the credential has already told row-level security."""
        if self._org_id not in (None, org_id):
            raise LookupError("A transaction serves one organization.")
        self._org_id = org_id

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run one fenced statement of the entered organization."""
        values = self._stamped(statement, parameters or {})
        prepared = self._statements.prepare(statement, values, check_fence)
        self._send_before(prepared.plan)
        connection = self._open()
        if not prepared.plan.is_read:
            connection.begin()
        return connection.execute(prepared, values)

    def execute_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run one fenced statement for each of one or more rows, each stamped with the organization."""
        stamped = [self._stamped(statement, row) for row in rows]
        prepared = self._statements.prepare(statement, stamped[0], check_fence)
        if len(rows) == 1 or (len(rows) <= FEW and not prepared.plan.is_change):
            for row in rows:
                self.write(statement, row)
            return
        self._send()
        connection = self._open()
        connection.begin()
        connection.execute_many(prepared, stamped)

    def write(
        self,
        statement: Executable,
        parameters: Mapping[str, Any],
        *,
        lost: str | None = None,
        key: object = None,
    ) -> None:
        """Let one fenced write take effect before anything that could see it, or else at the commit.

        With `lost`, raises `ConcurrentUpdateError` of that text, then or at the commit, when no row
        was touched. A write takes the place of one that still waits under the same `key`; `latest` knows
        its values.
        """
        if key is not None:
            self._latest[key] = parameters
        values = self._stamped(statement, parameters)
        prepared = self._statements.prepare(statement, values, check_fence)
        write = Write(prepared.plan, prepared.values(values), lost, key)
        for place, other in enumerate(self._waiting):
            if key is not None and key == other.key:
                self._waiting[place] = write
                return
        if len(self._waiting) == MAX_TOGETHER or any(
            _collide(write.plan, other.plan) for other in self._waiting
        ):
            self._send()
        self._waiting.append(write)

    def latest(self, key: object) -> Mapping[str, Any] | None:
        """The parameters of the last write under this key, whether it waits or not."""
        return self._latest.get(key)

    def execute_unscoped(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run a statement outside the fence: only look-ups before the organization is known."""
        values = parameters or {}
        return self._open().execute(self._statements.prepare(statement, values, check_unscoped), values)

    def see_one_moment(self) -> None:
        """Let all that is read from here on be of one moment, unless this is a transaction that writes."""
        if not self._write:
            self._open().begin_at_one_moment()

    def add(self, event: Event) -> None:
        self._events.append(event)

    def settle(self, dispatch: Callable[[Event], None]) -> None:
        """Let every event so far take effect now; what they were is remembered for `commit`."""
        most = len(self._handled) + MAX_EVENTS
        while self._events:
            if len(self._handled) == most:
                raise RuntimeError(f"One change caused more than {MAX_EVENTS} events.")
            self._handled.append(self._events.popleft())
            dispatch(self._handled[-1])

    @contextmanager
    def savepoint(self, dispatch: Callable[[Event], None]) -> Iterator[None]:
        """One part of the transaction that fails alone: its rows, its events and what they caused.

        A refusal that comes out has undone this part; whether the rest may go on is the caller's to say.
        After any other error the transaction cannot go on.
        """
        self.settle(dispatch)
        self._send()
        handled = len(self._handled)
        connection = self._open()
        connection.begin()
        connection.send("SAVEPOINT part", {})
        try:
            yield
            self.settle(dispatch)
            self._send()
        except UsherError:
            self._events.clear()
            self._waiting.clear()
            self._latest.clear()
            del self._handled[handled:]
            connection.send("ROLLBACK TO SAVEPOINT part", {})
            connection.send("RELEASE SAVEPOINT part", {})
            raise
        connection.send("RELEASE SAVEPOINT part", {})

    def commit(self, dispatch: Callable[[Event], None], record: Callable[[Sequence[Event]], None]) -> None:
        """Let every event take effect, record them all, then commit.

        Any failure leaves the rollback to the caller, and nothing has happened.
        """
        self.settle(dispatch)
        if self._handled:
            record(self._handled)
        self._send(is_last=True)
        if self._connection is not None:
            self._connection.commit()

    def pause(self) -> None:
        """End the transaction so far, which has changed nothing, before something slow is done outside.

        What was read may be otherwise once it goes on.
        """
        if self._events or self._handled or self._waiting:
            raise LookupError("A transaction that has changed something cannot pause.")
        self.close()

    def close(self) -> None:
        """End the transaction; what was not committed is rolled back, also after a failed commit."""
        connection, self._connection = self._connection, None
        self._events.clear()
        self._handled.clear()
        self._waiting.clear()
        self._latest.clear()
        if connection is None:
            return
        try:
            connection.close()
        finally:
            if self._write:
                self._database.unlock_writer()

    def _open(self) -> Connection:
        if self._connection is None:
            if self._write:
                self._database.lock_writer()
            try:
                self._connection = Connection(self._database, write=self._write)
            except BaseException:
                if self._write:
                    self._database.unlock_writer()
                raise
            if self._org_id is not None:
                self._tell_database()
        return self._connection

    def _tell_database(self) -> None:
        if self.dialect == "postgresql":
            self.execute_unscoped(_ENTER, {ORG_ID.key: self._org_id})

    def _send_before(self, plan: Plan) -> None:
        """Send what waits, unless the next statement only reads tables that none of it touches."""
        if self._waiting and not (
            plan.is_read and all(plan.tables.isdisjoint(write.plan.tables) for write in self._waiting)
        ):
            self._send()

    def _send(self, *, is_last: bool = False) -> None:
        """Send what waits; in one transaction with all else, unless it is all there is."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        counted = [write for write in waiting if write.lost is not None]
        connection = self._open()
        # What may turn out to be lost must be undone then.
        if counted or not is_last:
            connection.begin()
        counts = connection.write_together(
            [(write.plan, write.values, write.lost is not None) for write in waiting]
        )
        for write, count in zip(counted, counts, strict=True):
            if count == 0:
                raise ConcurrentUpdateError(str(write.lost))

    def _stamped(self, statement: Executable, parameters: Mapping[str, Any]) -> dict[str, Any]:
        # Plain rows are stamped; what an INSERT selects is tied like any other SELECT.
        has_rows = isinstance(statement, Insert) and statement.select is None
        return {**parameters, "org_id" if has_rows else ORG_ID.key: self.org_id}


def _collide(plan: Plan, other: Plan) -> bool:
    """Whether one of two writes could meet rows of the other; plain inserts of one table cannot."""
    return (plan.is_change or other.is_change) and not plan.tables.isdisjoint(other.tables)
