"""One transaction, one organization, one queue of events.

Services run their statements through `execute`, which fences them (`tenancy.py`) and fills in
`:this_org_id`. Nothing here knows what the events cause: `commit` hands them to the given dispatcher,
inside the transaction, before it commits.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self
from weakref import WeakSet

from sqlalchemy import Connection, CursorResult, Executable, Insert, select

from app.core.clock import Clock
from app.core.context import Caller
from app.core.database import Database
from app.core.events import Event
from app.core.ids import IdFactory
from app.core.tenancy import ORG_ID, check_fence, enter_organization

MAX_EVENTS = 10_000
MAX_STRUCTURES = 10_000

_ENTER = select(enter_organization(ORG_ID))
_fenced: WeakSet[Executable] = WeakSet()
_fenced_structures: set[object] = set()


class UnitOfWork:
    """Opened on first use, rolled back by default; `commit` is said aloud."""

    def __init__(
        self, database: Database, *, write: bool, clock: Clock, ids: IdFactory, caller: Caller
    ) -> None:
        self.ids = ids
        self.caller = caller
        self.now: datetime = clock.now()
        self._database = database
        self._write = write
        self._connection: Connection | None = None
        self._org_id: str | None = None
        self._events: deque[Event] = deque()
        self._handled: list[Event] = []

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

    @property
    def connection(self) -> Connection:
        """The bare connection: for `core` and for look-ups before the organization is known."""
        if self._connection is None:
            if self._write:
                self._database.lock_writer()
            try:
                self._connection = self._database.connect(write=self._write)
            except BaseException:
                if self._write:
                    self._database.unlock_writer()
                raise
            if self._org_id is not None:
                self._tell_database()
        return self._connection

    def _tell_database(self) -> None:
        if self.dialect == "postgresql":
            self.connection.execute(_ENTER, {ORG_ID.key: self._org_id})

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run one fenced statement of the entered organization."""
        self._fence(statement)
        return self.connection.execute(statement, {**(parameters or {}), **self._stamp(statement)})

    def execute_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Run one fenced statement for each of one or more rows, each stamped with the organization."""
        self._fence(statement)
        stamp = self._stamp(statement)
        return self.connection.execute(statement, [{**row, **stamp} for row in rows])

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

        An error that comes out has undone this part; whether the rest may go on is the caller's to say.
        """
        self.settle(dispatch)
        handled = len(self._handled)
        try:
            with self.connection.begin_nested():
                yield
                self.settle(dispatch)
        except BaseException:
            self._events.clear()
            del self._handled[handled:]
            raise

    def commit(self, dispatch: Callable[[Event], None], record: Callable[[Sequence[Event]], None]) -> None:
        """Let every event take effect, record them all, then commit.

        Any failure leaves the rollback to the caller, and nothing has happened.
        """
        self.settle(dispatch)
        if self._handled:
            record(self._handled)
        if self._connection is not None:
            self._connection.commit()

    def close(self) -> None:
        """End the transaction; what was not committed is rolled back, also after a failed commit."""
        connection, self._connection = self._connection, None
        self._events.clear()
        self._handled.clear()
        if connection is None:
            return
        try:
            connection.rollback()
        finally:
            connection.close()
            if self._write:
                self._database.unlock_writer()

    def _stamp(self, statement: Executable) -> dict[str, str]:
        # Plain rows are stamped; what an INSERT selects is tied like any other SELECT.
        has_rows = isinstance(statement, Insert) and statement.select is None
        return {"org_id" if has_rows else ORG_ID.key: self.org_id}

    @staticmethod
    def _fence(statement: Executable) -> None:
        # Most statements are constants of their module: each is checked once. The others (filters)
        # repeat in structure, which is what SQLAlchemy's own cache key describes.
        if statement in _fenced:
            return
        key = statement._generate_cache_key()  # type: ignore[attr-defined]  # noqa: SLF001 - the only name it has
        if key is None or key.key not in _fenced_structures:
            check_fence(statement)
            _fenced.add(statement)
            if key is not None and len(_fenced_structures) < MAX_STRUCTURES:
                _fenced_structures.add(key.key)
