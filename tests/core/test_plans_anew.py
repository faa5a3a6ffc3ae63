"""A connection to PostgreSQL does not keep to plans that it made while tables were small."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from app.core.connection import FIRST_REPLANNED, REPLANNED_EVERY, Connection
from app.core.database import Database
from app.settings import Settings


def test_a_connection_plans_anew_after_twice_as_many_uses_and_then_after_each_thousand(
    migrated_database: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(migrated_database("postgresql").database_url)
    anew: list[bool] = []
    plan_anew = Connection.plan_anew

    def note(self: Connection) -> None:
        plan_anew(self)
        anew[-1] = True

    monkeypatch.setattr(Connection, "plan_anew", note)
    for _ in range(3 * REPLANNED_EVERY):
        anew.append(False)
        Connection(database, write=False).close()
    database.dispose()
    doubled = [64, 128, 256, 512]
    seen = [use for use, was_anew in enumerate(anew, 1) if was_anew]
    assert seen == [*doubled, *(REPLANNED_EVERY * times for times in (1, 2, 3))]


def test_a_connection_that_is_lost_by_then_fails_one_use(
    migrated_database: Callable[[str], Settings], postgresql: str
) -> None:
    database = Database(migrated_database("postgresql").database_url)
    for _ in range(FIRST_REPLANNED - 1):
        Connection(database, write=False).close()
    pooled = database.engine.raw_connection()
    driver: Any = pooled.driver_connection
    with psycopg.connect(f"postgresql://postgres@/postgres?host={postgresql}", autocommit=True) as server:
        # Until it has ended, for 5 seconds at most.
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])
    pooled.close()
    with pytest.raises(OperationalError):
        Connection(database, write=False)
    Connection(database, write=False).close()
    database.dispose()
