"""Whether this process can serve: database there, schema at head, worker alive."""

import time

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.database import Database

WORKER_SILENCE_SECONDS = 30.0


class Heartbeat:
    """The sign of life of the worker inside this process, if it has one."""

    def __init__(self) -> None:
        self._beat_at: float | None = None

    def beat(self) -> None:
        self._beat_at = time.monotonic()

    def is_silent(self) -> bool:
        return self._beat_at is not None and time.monotonic() - self._beat_at > WORKER_SILENCE_SECONDS


class Readiness:
    """`head` is the migration that this code was written for."""

    def __init__(self, database: Database, head: str, heartbeat: Heartbeat) -> None:
        self._database = database
        self._head = head
        self._heartbeat = heartbeat

    def problems(self) -> list[str]:
        """One sentence for each thing that stands in the way; empty when ready."""
        found = []
        try:
            with self._database.engine.connect() as connection:
                current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            if current != self._head:
                found.append(f"The schema is at {current}, not at {self._head}: run usher db upgrade.")
        except SQLAlchemyError:
            found.append("The database cannot be reached, or it was never migrated: run usher db upgrade.")
        if self._heartbeat.is_silent():
            found.append("The worker of this process has stopped.")
        return found
