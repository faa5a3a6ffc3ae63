"""Seats: contracts of the pool, who gave and who suspended a seat."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_seats"
down_revision = "20261126_other_emails"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLES = ("seat_contracts",)
# Rows in all, of one organization, then of each further column, as ANALYZE would have them.
FIGURES = {
    "seat_contracts": "100000 10 1",
    # Rebuilt, and its figures with it.
    "seat_pools": "100000 1",
}
NEW_COLUMNS = {
    "over_assigned": {"type_": sa.Integer(), "nullable": False, "server_default": "0"},
    "turns_at": {"type_": sa.DateTime(timezone=True), "nullable": True},
}
OLD_CHECKS = {"assigned": "assigned >= 0", "quantity": "quantity IS NULL OR assigned <= quantity"}
NEW_CHECKS = {
    "assigned": "assigned >= 0",
    "over_assigned": "over_assigned >= 0",
    "quantity": "quantity IS NULL OR assigned <= quantity + over_assigned",
}


def upgrade() -> None:
    _rebuild_pools(NEW_CHECKS, added=NEW_COLUMNS)
    op.create_table(
        "seat_contracts",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_seat_contracts_quantity")),
        sa.CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name=op.f("ck_seat_contracts_ends_on")),
        sa.PrimaryKeyConstraint("org_id", "position", name=op.f("pk_seat_contracts")),
    )
    op.add_column("principals", sa.Column("suspension", JSON, nullable=True))
    op.add_column("seats", sa.Column("given_by", JSON, nullable=True))
    # What was set before there were contracts holds from the beginning and for good.
    _unfenced(
        "INSERT INTO seat_contracts (org_id, position, quantity, starts_on)"
        " SELECT org_id, 1, quantity, '2026-01-01' FROM seat_pools WHERE quantity IS NOT NULL"
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            _fence(table)
    else:
        _describe_indexes()


def downgrade() -> None:
    op.drop_column("seats", "given_by")
    op.drop_column("principals", "suspension")
    for table in reversed(TABLES):
        op.drop_table(table)
    _unfenced("UPDATE seat_pools SET quantity = assigned WHERE assigned > quantity")
    _rebuild_pools(OLD_CHECKS, dropped=list(NEW_COLUMNS))


def _rebuild_pools(
    checks: Mapping[str, str], *, added: Mapping[str, Any] = MappingProxyType({}), dropped: Sequence[str] = ()
) -> None:
    """Give the pools other columns and checks; SQLite copies the table for that."""
    bind = op.get_bind()
    present = {check["name"] for check in sa.inspect(bind).get_check_constraints("seat_pools")}
    with op.batch_alter_table("seat_pools") as pools:
        for name in present:
            pools.drop_constraint(op.f(name), type_="check")
        for name in dropped:
            pools.drop_column(name)
        for name, column in added.items():
            pools.add_column(sa.Column(name, **column))
        for name, text in checks.items():
            pools.create_check_constraint(op.f(f"ck_seat_pools_{name}"), text)


def _unfenced(statement: str) -> None:
    """Touch the pools of all organizations: row-level security binds the owner too, so it is lifted."""
    is_fenced = op.get_bind().dialect.name == "postgresql"
    if is_fenced:
        op.execute("ALTER TABLE seat_pools NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    if is_fenced:
        op.execute("ALTER TABLE seat_pools FORCE ROW LEVEL SECURITY")


def _describe_indexes() -> None:
    """Tell SQLite what the new indexes are like, as the first migration did for the others."""
    bind = op.get_bind()
    for table, figure in FIGURES.items():
        bind.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = ?", (table,))
        for row in bind.exec_driver_sql(f"PRAGMA index_list({table})").all():
            bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, row[1], figure))


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
