"""The database schema through Alembic: bring it to head, say what head is.

Migrations run as the owner of the tables. Where the operator gives the server a role of its own,
that role is granted row access to the tables and nothing more; it owns nothing, so row-level
security binds it.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text

from app.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def config(url: str) -> Config:
    """Alembic's configuration, without a file of its own."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["url"] = url
    return made


def head_revision() -> str:
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise LookupError(f"There are no migrations in {MIGRATIONS}.")
    return head


def upgrade(settings: Settings, revision: str = "head") -> None:
    command.upgrade(config(settings.migration_url), revision)
    if settings.owner_database_url:
        _grant(settings.owner_database_url, make_url(settings.database_url).username or "")


def downgrade(settings: Settings, revision: str) -> None:
    command.downgrade(config(settings.migration_url), revision)


def _grant(owner_url: str, role: str) -> None:
    engine = create_engine(owner_url)
    quoted = engine.dialect.identifier_preparer.quote_identifier(role)
    with engine.begin() as connection:
        connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
        connection.execute(
            text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}")
        )
        # Nobody who serves requests can unwrite the log, or change what was spent or asked for it.
        connection.execute(text(f"REVOKE DELETE ON audit_events, audit_heads FROM {quoted}"))
        connection.execute(text(f"REVOKE UPDATE, DELETE ON ledger_entries, prices FROM {quoted}"))
    engine.dispose()
