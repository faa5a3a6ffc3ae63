"""The bare-stack yardstick: what Flask, granian, SQLAlchemy Core and the driver cost by themselves.

Three routes with the same token check, the same restricted role and the same durability as Usher, and
nothing else: no JSON rules, no events, no log line. What Usher adds is the difference.
"""

import hashlib
import json
import os
import sys
import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import uuid_utils
from flask import Flask, Response, abort, request
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)

from app.cli_serve import BACKLOG, THREADS

POOL_SIZE = 16
ID = String(36).with_variant(Uuid(as_uuid=False), "postgresql")
metadata = MetaData()
tokens = Table(
    "bare_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("org_id", ID, nullable=False),
)
users = Table(
    "bare_users",
    metadata,
    Column("org_id", ID, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("user_name", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("org_id", "user_name"),
)
audit = Table(
    "bare_audit",
    metadata,
    Column("org_id", ID, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("action", String(64), nullable=False),
    Column("user_id", ID, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
)
counters = Table(
    "bare_counters",
    metadata,
    Column("org_id", ID, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("cap", BigInteger, nullable=False),
)
_by_hash = tokens.c.hash == bindparam("hash")
_enter = func.set_config("usher.org_id", cast(tokens.c.org_id, Text), True)
_TOKEN = {
    "sqlite": select(tokens.c.org_id).where(_by_hash),
    "postgresql": select(tokens.c.org_id, _enter).where(_by_hash),
}
_READ = select(users.c.document).where(users.c.org_id == bindparam("org_id"), users.c.id == bindparam("id"))
_SPEND = (
    update(counters)
    .where(
        counters.c.org_id == bindparam("org"),
        counters.c.id == bindparam("row_id"),
        counters.c.spent + 1 <= counters.c.cap,
    )
    .values(spent=counters.c.spent + 1)
)
_INSERT_USER = insert(users)
_INSERT_AUDIT = insert(audit)


def application() -> Flask:
    """The yardstick itself; its routes are what Usher's are held against."""
    engine = connect(os.environ["BENCH_DATABASE_URL"])
    writing = engine.execution_options(bench_write=True)
    token_statement = _TOKEN[engine.dialect.name]
    # SQLite's own waiting polls; one writer at a time is the faster way to use it from threads.
    writer: Any = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
    app = Flask(__name__, static_folder=None)

    def org_id(connection: Connection) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = {"hash": hashlib.sha256(token.encode()).hexdigest()}
        found = connection.execute(token_statement, key).first()
        return str(found.org_id) if found is not None else abort(401)

    @app.get("/read/<id_>")
    def read(id_: str) -> Response:
        with engine.connect() as connection:
            row = connection.execute(_READ, {"org_id": org_id(connection), "id": id_}).first()
        return Response(row.document if row else abort(404), content_type="application/json")

    @app.post("/insert")
    def insert_user() -> Response:
        text = request.get_data(as_text=True)
        name, id_ = json.loads(text)["userName"], str(uuid_utils.uuid7())
        with writer, writing.begin() as connection:
            org = org_id(connection)
            row = {"org_id": org, "id": id_, "user_name": name, "document": text}
            connection.execute(_INSERT_USER, row)
            entry = {"org_id": org, "id": str(uuid_utils.uuid7()), "action": "user.created", "user_id": id_}
            connection.execute(_INSERT_AUDIT, {**entry, "occurred_at": datetime.now(UTC)})
        return Response(text, status=201, content_type="application/json")

    @app.post("/spend/<id_>")
    def spend(id_: str) -> Response:
        request.get_data()
        with writer, writing.begin() as connection:
            done = connection.execute(_SPEND, {"org": org_id(connection), "row_id": id_})
        return Response("{}", status=201 if done.rowcount else 402, content_type="application/json")

    return app


def connect(url: str) -> Engine:
    """An engine of the size and durability that Usher uses."""
    engine = create_engine(url, pool_size=POOL_SIZE, pool_use_lifo=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("bench_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def main(port: int, workers: int) -> None:
    """Serve with the same processes and threads as `usher serve`."""
    Granian(
        "bench.yardstick:application",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=workers,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        log_enabled=True,
        log_level=LogLevels.warning,
        workers_kill_timeout=10,
    ).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
