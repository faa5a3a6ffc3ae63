"""What an organization decides about sessions, seats, fees, running calls, models and its ceiling."""

from alembic import op

revision = "20261127_organization_settings"
down_revision = "20261126_other_emails"
branch_labels = None
depends_on = None

# Each with the default that organizations from before get; both databases take the words as they are.
COLUMNS = {
    "end_sessions_on_group_loss": "BOOLEAN NOT NULL DEFAULT false",
    "jit_seat_days": "INTEGER NOT NULL DEFAULT 30",
    "seat_fee_nanousd": "BIGINT NOT NULL DEFAULT 20000000000",
    "inflight_policy": "VARCHAR(8) NOT NULL DEFAULT 'finish'",
    "fallback_model": "TEXT",
    "ceiling": None,
}
CHECKS = {
    "jit_seat_days": "jit_seat_days > 0",
    "seat_fee_nanousd": "seat_fee_nanousd >= 0",
    "inflight_policy": "inflight_policy IN ('finish', 'cut')",
}


def upgrade() -> None:
    json = "JSONB" if op.get_bind().dialect.name == "postgresql" else "JSON"
    for column, described in COLUMNS.items():
        # SQLite takes a constraint only together with its column.
        check = f" CONSTRAINT ck_organizations_{column} CHECK ({CHECKS[column]})" if column in CHECKS else ""
        op.execute(f"ALTER TABLE organizations ADD COLUMN {column} {described or json}{check}")


def downgrade() -> None:
    for column in reversed(COLUMNS):
        op.drop_column("organizations", column)
