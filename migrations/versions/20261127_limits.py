"""Limits of people, groups and organizations, temporary ones among them, and requests for more."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261127_limits"
down_revision = "20261127_organization_settings"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
WINDOW = "\"window\" IN ('five_hour', 'daily', 'weekly', 'monthly')"
# The figures of ANALYZE: rows in all, of one organization, then of each further column.
FIGURES = {
    "spend_limits": {"pk": "100000 100000 1", "uq_spend_limits_scope": "100000 100000 20000 4 2 1"},
    "limit_increases": {
        "pk": "100000 100000 1",
        "uq_limit_increases_pending": "1000 1000 2 1",
        "ix_limit_increases_user": "100000 100000 5 1",
    },
}


def upgrade() -> None:
    kept = _take_limits()
    _create_limits()
    new = {"mode": "hard", "pool": False, "temporary": False, "created_at": datetime.now(UTC)}
    _restore([{**limit, **new, "id": str(uuid.uuid4())} for limit in kept])
    _create_increases()
    if op.get_bind().dialect.name == "sqlite":
        _describe_indexes(FIGURES)


def downgrade() -> None:
    op.drop_table("limit_increases")
    kept = [limit for limit in _take_limits() if limit["scope_type"] == "role"]
    op.create_table(
        "spend_limits",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("scope_type", sa.String(length=16), nullable=False),
        sa.Column("scope_id", ID, nullable=False),
        sa.Column("window", sa.String(length=16), nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_nanousd >= 0", name=op.f("ck_spend_limits_amount_nanousd")),
        sa.CheckConstraint("scope_type IN ('role')", name=op.f("ck_spend_limits_scope_type")),
        sa.CheckConstraint(WINDOW, name=op.f("ck_spend_limits_window")),
        sa.PrimaryKeyConstraint("org_id", "scope_type", "scope_id", "window", name=op.f("pk_spend_limits")),
    )
    _restore(kept)
    if op.get_bind().dialect.name == "sqlite":
        _describe_indexes({"spend_limits": {"pk": "100000 100000 20000 4 1"}})


def _create_limits() -> None:
    op.create_table(
        "spend_limits",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("scope_type", sa.String(length=16), nullable=False),
        sa.Column("scope_id", ID, nullable=False),
        sa.Column("window", sa.String(length=16), nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("pool", sa.Boolean(), nullable=False),
        sa.Column("temporary", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_nanousd >= 0", name=op.f("ck_spend_limits_amount_nanousd")),
        sa.CheckConstraint("mode IN ('hard', 'soft')", name=op.f("ck_spend_limits_mode")),
        sa.CheckConstraint(
            "amount_nanousd IS NOT NULL OR scope_type = 'user'", name=op.f("ck_spend_limits_no_cap")
        ),
        sa.CheckConstraint(
            "scope_type IN ('user', 'role', 'group', 'organization')",
            name=op.f("ck_spend_limits_scope_type"),
        ),
        sa.CheckConstraint("temporary = (expires_at IS NOT NULL)", name=op.f("ck_spend_limits_temporary")),
        sa.CheckConstraint(WINDOW, name=op.f("ck_spend_limits_window")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_spend_limits")),
    )
    op.create_index(
        "uq_spend_limits_scope",
        "spend_limits",
        ["org_id", "scope_type", "scope_id", "window", "temporary"],
        unique=True,
    )


def _create_increases() -> None:
    op.create_table(
        "limit_increases",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("window", sa.String(length=16), nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_type", sa.String(length=32), nullable=False),
        sa.Column("requested_by_id", sa.Text(), nullable=False),
        sa.Column("granted_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_type", sa.String(length=32), nullable=True),
        sa.Column("resolved_by_id", sa.Text(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'denied')", name=op.f("ck_limit_increases_state")
        ),
        sa.CheckConstraint(WINDOW, name=op.f("ck_limit_increases_window")),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"],
            ["users.org_id", "users.id"],
            name=op.f("fk_limit_increases_org_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_limit_increases")),
    )
    op.create_index("ix_limit_increases_user", "limit_increases", ["org_id", "user_id", "id"], unique=False)
    op.create_index(
        "uq_limit_increases_pending",
        "limit_increases",
        ["org_id", "user_id", "window"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _fence("limit_increases")


def _take_limits() -> list[dict[str, Any]]:
    """All limits of all organizations, and their table gone."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        # Row-level security binds the owner too.
        op.execute("ALTER TABLE spend_limits NO FORCE ROW LEVEL SECURITY")
    columns = ("org_id", "scope_type", "scope_id", "window", "amount_nanousd")
    rows = bind.execute(
        sa.text('SELECT org_id, scope_type, scope_id, "window", amount_nanousd FROM spend_limits')
    ).all()
    op.drop_table("spend_limits")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _restore(rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        types: dict[str, Any] = {
            "org_id": ID,
            "id": ID,
            "scope_id": ID,
            "created_at": sa.DateTime(timezone=True),
        }
        table = sa.table("spend_limits", *(sa.column(name, types.get(name)) for name in rows[0]))
        op.bulk_insert(table, list(rows))
    if op.get_bind().dialect.name == "postgresql":
        _fence("spend_limits")


def _describe_indexes(figures: dict[str, dict[str, str]]) -> None:
    bind = op.get_bind()
    for table, indexes in figures.items():
        bind.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = ?", (table,))
        primary = f"SELECT name FROM pragma_index_list('{table}') WHERE origin = 'pk'"
        name_of = {"pk": bind.exec_driver_sql(primary).scalar_one()}
        for name, text in indexes.items():
            bind.exec_driver_sql(
                "INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name_of.get(name, name), text)
            )


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
