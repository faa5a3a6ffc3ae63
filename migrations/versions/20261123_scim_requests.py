"""Traces of SCIM requests, as `20261122_spine` makes every table: fenced, its indexes described."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_scim_requests"
down_revision = "20261122_spine"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLE = "scim_requests"
# The columns between `org_id` and the newest-first order, and which rows an index holds.
INDEXES = {
    "ix_scim_requests_occurred_at": ([], None),
    "ix_scim_requests_user_id": (["user_id"], "user_id IS NOT NULL"),
    "ix_scim_requests_group_id": (["group_id"], "group_id IS NOT NULL"),
    "ix_scim_requests_refused": (["status"], "status >= 400"),
}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("scim_type", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("duration_microseconds", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", ID, nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("group_id", ID, nullable=True),
        sa.Column("tolerances", JSON, nullable=False),
        sa.Column("changed", JSON, nullable=False),
        sa.Column("request_body", sa.Text(), nullable=True),
        sa.Column("response_body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_scim_requests")),
    )
    for name, (columns, condition) in INDEXES.items():
        where = None if condition is None else sa.text(condition)
        op.create_index(
            name,
            TABLE,
            ["org_id", *columns, "occurred_at", "id"],
            unique=False,
            postgresql_where=where,
            sqlite_where=where,
        )
    if op.get_bind().dialect.name == "postgresql":
        _fence()
    else:
        _describe_indexes()


def downgrade() -> None:
    op.drop_table(TABLE)


def _describe_indexes() -> None:
    """The figures of ANALYZE: rows in all, of one organization, then of each further column."""
    figures = dict.fromkeys(INDEXES, "100000 100000 10 2")
    for name, (columns, _) in INDEXES.items():
        if columns:
            figures[name] = "100000 100000 10 10 2"
    bind = op.get_bind()
    primary = f"SELECT name FROM pragma_index_list('{TABLE}') WHERE origin = 'pk'"
    figures[bind.exec_driver_sql(primary).scalar_one()] = "100000 100000 1"
    for name, text in figures.items():
        bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (TABLE, name, text))


def _fence() -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {TABLE} USING ({mine}) WITH CHECK ({mine})")
