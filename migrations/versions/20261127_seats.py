"""Seats: contracts of the pool, who gave and who suspended a seat, losses that are held."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_seats"
down_revision = "20261128_mapping_times"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLES = ("seat_contracts", "held_changes", "holds")
# Rows in all, of one organization, then of each further column, as ANALYZE would have them.
FIGURES = {
    "seat_contracts": {"pk": "100000 10 1"},
    "held_changes": {"pk": "100000 100000 1", "ix_held_changes_open": "100000 100000 10 10"},
    "holds": {
        "pk": "100000 100000 1000 1",
        "ix_holds_principal": "100000 100000 2",
        "ix_holds_held_at": "100000 100000 10",
    },
    "seats": {"ix_seats_lost_at": "100000 100000 10"},
    # Rebuilt, and its figures with it.
    "seat_pools": {"pk": "100000 1"},
}
# What organizations from before get.
REMOVAL_GUARD = '{"enabled": true, "share_percent": 20, "minimum_people": 10, "window_minutes": 10}'
NEW_COLUMNS = {
    "kept": {"type_": sa.Integer(), "nullable": False, "server_default": "0"},
    "over_assigned": {"type_": sa.Integer(), "nullable": False, "server_default": "0"},
    "turns_at": {"type_": sa.DateTime(timezone=True), "nullable": True},
}
OLD_CHECKS = {"assigned": "assigned >= 0", "quantity": "quantity IS NULL OR assigned <= quantity"}
NEW_CHECKS = {
    "assigned": "assigned >= 0",
    "kept": "kept >= 0",
    "over_assigned": "over_assigned >= 0",
    "quantity": "quantity IS NULL OR assigned + kept <= quantity + over_assigned",
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
    op.add_column("principals", sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("seats", sa.Column("given_by", JSON, nullable=True))
    op.add_column("seats", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_seats_lost_at",
        "seats",
        ["org_id", "lost_at"],
        unique=False,
        postgresql_where=sa.text("lost_at IS NOT NULL"),
        sqlite_where=sa.text("lost_at IS NOT NULL"),
    )
    op.add_column(
        "organizations", sa.Column("removal_guard", JSON, nullable=False, server_default=REMOVAL_GUARD)
    )
    _hold_changes()
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
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_seats_lost_at", table_name="seats")
    op.drop_column("organizations", "removal_guard")
    for column in ("lost_at", "given_by"):
        op.drop_column("seats", column)
    for column in ("held", "suspension"):
        op.drop_column("principals", column)
    _unfenced("UPDATE seat_pools SET quantity = assigned WHERE assigned > quantity")
    _rebuild_pools(OLD_CHECKS, dropped=list(NEW_COLUMNS))


def _hold_changes() -> None:
    op.create_table(
        "held_changes",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("group_id", ID, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", JSON, nullable=True),
        sa.CheckConstraint(
            "cause IN ('mass_removal', 'mass_deactivation', 'last_owner')",
            name=op.f("ck_held_changes_cause"),
        ),
        sa.CheckConstraint(
            "state IN ('held', 'approved', 'discarded', 'ended')", name=op.f("ck_held_changes_state")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "group_id"],
            ["groups.org_id", "groups.id"],
            name=op.f("fk_held_changes_org_id_group_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_held_changes")),
    )
    op.create_index("ix_held_changes_open", "held_changes", ["org_id", "state", "cause"], unique=False)
    op.create_table(
        "holds",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("held_change_id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=True),
        sa.Column("role_id", ID, nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                ["org_id", f"{one}_id"],
                [f"{many}.org_id", f"{many}.id"],
                name=op.f(f"fk_holds_org_id_{one}_id"),
            )
            for one, many in (
                ("held_change", "held_changes"),
                ("principal", "principals"),
                ("role", "roles"),
            )
        ),
        sa.PrimaryKeyConstraint("org_id", "held_change_id", "principal_id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_principal", "holds", ["org_id", "principal_id"], unique=False)
    op.create_index("ix_holds_held_at", "holds", ["org_id", "held_at"], unique=False)


def _rebuild_pools(
    checks: Mapping[str, str], *, added: Mapping[str, Any] = MappingProxyType({}), dropped: Sequence[str] = ()
) -> None:
    """Give the pools other columns and checks; SQLite copies the table for that."""
    bind = op.get_bind()
    present = [check["name"] or "" for check in sa.inspect(bind).get_check_constraints("seat_pools")]
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
    for table, figures in FIGURES.items():
        for row in bind.exec_driver_sql(f"PRAGMA index_list({table})").all():
            name = "pk" if row[3] == "pk" else row[1]
            if name in figures:
                values = (table, row[1], figures[name])
                bind.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE idx = ?", (row[1],))
                bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", values)


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
