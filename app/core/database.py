"""The database below everything: engine, column types, transactions of SQLite.

It knows two dialects and nothing of tenants (`tenancy.py`) or of what is stored.
"""

import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.string import TextLoader
from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    Uuid,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from app.core.statements import Batch, Preparer

POOL_SIZE = 16
SQLITE_BUSY_TIMEOUT_MS = 5_000
PREPARED_MAX = 500
BATCHES = 1_000

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# Ids are their 36-character text in Python and the database's own UUID where it has one.
Id = String(36).with_variant(Uuid(as_uuid=False), "postgresql")
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC both ways; SQLite drops the zone, so it is put back here.

    Connections of PostgreSQL answer in UTC by themselves, see `_prepare_postgresql`: what comes by the
    hundred on each page is not looked at again.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    # The dialect argument is part of SQLAlchemy's signature.
    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value if value is None else value.astimezone(UTC)
        raise ValueError("A time without a zone reached the database.")

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


class FairLock:
    """A lock that is handed over in the order of asking.

    SQLite's own waiting polls, so under load a writer can starve; with one server process this lock
    keeps the writers in line instead.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


class Database:
    """One engine with its pool, and the statements that were prepared for it."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.dialect = self.engine.dialect.name
        self.statements = Preparer(self.engine.dialect, metadata)
        self.batch = lru_cache(maxsize=BATCHES)(Batch)
        self._writer = FairLock()

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    def lock_writer(self) -> None:
        if self.is_sqlite:
            self._writer.acquire()

    def unlock_writer(self) -> None:
        if self.is_sqlite:
            self._writer.release()

    def dispose(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(
            parsed,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_use_lifo=True,
            # `Connection.close` has rolled back already.
            pool_reset_on_return=None,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        parsed,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        hide_parameters=True,
        # Values go in by name on both databases.
        paramstyle="named",
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_postgresql(connection: psycopg.Connection[Any], _record: object) -> None:
    # Ids are text in Python, so no UUID object is made of each and turned back into text.
    connection.adapters.register_loader("uuid", TextLoader)
    # What is prepared is a constant of the code, found by its keys: one plan serves all its values, and
    # planning it anew would cost as much again as running it.
    connection.prepared_max = PREPARED_MAX
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.execute("SET timezone = 'UTC'")
    connection.commit()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: it would begin them deferred.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
