"""Reported usage, roll-ups of the ledger, seat periods, bills and contracts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261129_usage"
down_revision = "20261129_sessions_at_the_edge"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WHEN = sa.DateTime(timezone=True)
ASIDE = sa.text("reservation_id IS NULL")
OPEN = sa.text("ends_at IS NULL")
MEASURES = (
    "requests",
    "amount_nanousd",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_saved_nanousd",
)
# In the order in which they refer to each other.
TABLES = (
    "usage_events",
    "spend_group_sets",
    "spend_group_set_members",
    "ledger_attributions",
    "usage_rollups",
    "spend_progress",
    "forecast_notices",
    "seat_periods",
    "bills",
    "bill_lines",
    "contracts",
)
# The figures of ANALYZE: rows in all, of one organization, then of each further column.
FIGURES = {
    "usage_events": {
        "pk": "100000 100000 1",
        "ix_usage_events_reservation": "100000 100000 1",
        "ix_usage_events_corrects": "100000 100000 2",
        "ix_usage_events_aside": "100 100 1",
    },
    "spend_group_sets": {"pk": "1000 1000 1", "uq_spend_group_sets_fingerprint": "1000 1000 1"},
    "spend_group_set_members": {"pk": "10000 10000 10 1"},
    "ledger_attributions": {"pk": "100000 100000 1"},
    "usage_rollups": {
        "pk": "100000 100000 3000 3000 3 3 2 2 1 1",
        "ix_usage_rollups_month": "100000 100000 50000",
    },
    "spend_progress": {"pk": "1 1"},
    "forecast_notices": {"pk": "1000 1000 2 1"},
    "seat_periods": {
        "pk": "10000 10000 1",
        "uq_seat_periods_open": "10000 10000 1",
        "ix_seat_periods_ends_at": "10000 10000 10",
    },
    "bills": {"pk": "100 100 1"},
    "bill_lines": {"pk": "100000 100000 1000 1"},
    "contracts": {"pk": "10 10 1"},
}


def upgrade() -> None:
    op.create_index("ix_ledger_entries_recorded_at", "ledger_entries", ["org_id", "recorded_at", "id"])
    _create_events()
    _create_attributions()
    _create_rollups()
    _create_progress()
    _create_bills()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            _fence(table)
    else:
        _describe_indexes()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_ledger_entries_recorded_at", "ledger_entries")


def _table(name: str, keys: tuple[str, ...], *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("org_id", ID, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("org_id", *keys, name=op.f(f"pk_{name}")),
    )


def _reference(name: str, column: str, table: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["org_id", column], [f"{table}.org_id", f"{table}.{key}"], name=op.f(f"fk_{name}_org_id_{column}")
    )


def _create_events() -> None:
    _table(
        "usage_events",
        ("event_id",),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("reservation_id", ID, nullable=True),
        sa.Column("corrects_event_id", sa.String(200), nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("user_name_key", sa.Text(), nullable=True),
        sa.Column("payload", JSON, nullable=True),
        sa.Column("received_at", WHEN, nullable=False),
    )
    op.create_index("ix_usage_events_reservation", "usage_events", ["org_id", "reservation_id"])
    op.create_index("ix_usage_events_corrects", "usage_events", ["org_id", "corrects_event_id"])
    op.create_index(
        "ix_usage_events_aside",
        "usage_events",
        ["org_id", "event_id"],
        postgresql_where=ASIDE,
        sqlite_where=ASIDE,
    )


def _create_attributions() -> None:
    _table(
        "spend_group_sets",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("owner_group_id", ID, nullable=True),
    )
    op.create_index(
        "uq_spend_group_sets_fingerprint", "spend_group_sets", ["org_id", "fingerprint"], unique=True
    )
    _table(
        "spend_group_set_members",
        ("set_id", "group_id"),
        sa.Column("set_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        _reference("spend_group_set_members", "set_id", "spend_group_sets", "id"),
    )
    _table(
        "ledger_attributions",
        ("entry_id",),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("set_id", ID, nullable=False),
        _reference("ledger_attributions", "set_id", "spend_group_sets", "id"),
    )


def _create_rollups() -> None:
    _table(
        "usage_rollups",
        ("day", "month", "principal_id", "set_id", "surface", "model", "feature", "repository"),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("set_id", ID, nullable=False),
        sa.Column("surface", sa.String(16), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in MEASURES),
    )
    op.create_index("ix_usage_rollups_month", "usage_rollups", ["org_id", "month"])


def _create_progress() -> None:
    _table(
        "spend_progress",
        (),
        sa.Column("rolled_up_to", WHEN, nullable=True),
        sa.Column("looked_at", WHEN, nullable=True),
        sa.Column("closed_month", sa.Integer(), nullable=True),
    )
    _table(
        "forecast_notices",
        ("counter_id", "percent"),
        sa.Column("counter_id", ID, nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("noticed_at", WHEN, nullable=False),
    )
    _table(
        "seat_periods",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("ends_at", WHEN, nullable=True),
    )
    op.create_index(
        "uq_seat_periods_open",
        "seat_periods",
        ["org_id", "principal_id"],
        unique=True,
        postgresql_where=OPEN,
        sqlite_where=OPEN,
    )
    op.create_index("ix_seat_periods_ends_at", "seat_periods", ["org_id", "ends_at"])


def _create_bills() -> None:
    amounts = ("seats_nanousd", "usage_nanousd")
    _table(
        "bills",
        ("month",),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("seat_days", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        sa.Column("closed_at", WHEN, nullable=False),
    )
    _table(
        "bill_lines",
        ("month", "principal_id"),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("seat_days", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        _reference("bill_lines", "month", "bills", "month"),
    )
    _table(
        "contracts",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("starts_on", sa.Integer(), nullable=False),
        sa.Column("ends_on", sa.Integer(), nullable=False),
        sa.Column("cap_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("cap_tokens", sa.BigInteger(), nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_contracts_ends_on")),
        sa.CheckConstraint(
            "cap_nanousd IS NOT NULL OR cap_tokens IS NOT NULL", name=op.f("ck_contracts_cap")
        ),
    )


def _describe_indexes() -> None:
    bind = op.get_bind()
    bind.exec_driver_sql(
        "INSERT INTO sqlite_stat1 VALUES ('ledger_entries', 'ix_ledger_entries_recorded_at', "
        "'100000 100000 2 1')"
    )
    for table, indexes in FIGURES.items():
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
