"""Looks the installation over and says how to mend what it finds."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from app.core.database import Database
from app.schema import head_revision
from app.settings import Settings

_ROLE = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
_OWNED = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")


def examine(settings: Settings) -> list[dict[str, str]]:
    """One finding a line: `check`, `status` (`ok`, `warning`, `problem`) and `detail`."""
    findings = [_base_url(settings)]
    database = Database(settings.database_url)
    try:
        with database.engine.connect() as connection:
            findings.append(_finding("database", "ok", f"{database.dialect} answers"))
            findings.append(_schema(connection))
            if not database.is_sqlite:
                findings.extend(_role(connection))
    except SQLAlchemyError as error:
        findings.append(_finding("database", "problem", f"{type(error).__name__}: check USHER_DATABASE_URL"))
    finally:
        database.dispose()
    return findings


def _finding(check: str, status: str, detail: str) -> dict[str, str]:
    return {"check": check, "status": status, "detail": detail}


def _base_url(settings: Settings) -> dict[str, str]:
    host = urlsplit(settings.base_url).netloc
    if "_" in host:
        return _finding("base_url", "problem", "Okta refuses a host name with an underscore; use another.")
    return _finding("base_url", "ok", settings.base_url)


def _schema(connection: Connection) -> dict[str, str]:
    head = head_revision()
    try:
        current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        current = None
    if current != head:
        return _finding("schema", "problem", f"at {current}, head is {head}: run usher db upgrade")
    return _finding("schema", "ok", f"at head, {head}")


def _role(connection: Connection) -> Iterator[dict[str, str]]:
    if connection.execute(_ROLE).scalar():
        yield _finding(
            "role",
            "problem",
            "The database role is superuser or BYPASSRLS, so row-level security does not bind it: "
            "connect as an ordinary role (docs/postgresql.md).",
        )
    elif connection.execute(_OWNED).scalar():
        yield _finding(
            "role",
            "warning",
            "The role owns the tables; give the server one that owns nothing (docs/postgresql.md).",
        )
    else:
        yield _finding("role", "ok", "owns nothing and is bound by row-level security")
