"""What explains rights: the entries that people made themselves by index, and where reconciliation stands."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_explanations"
down_revision = "20261127_limits"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
TABLE = "reconciliations"
INDEX = "ix_audit_events_person"


def upgrade() -> None:
    is_person = sa.text("actor_type = 'user'")
    op.create_index(
        INDEX,
        "audit_events",
        ["org_id", "actor_id", "position"],
        unique=False,
        postgresql_where=is_person,
        sqlite_where=is_person,
    )
    op.create_table(
        TABLE,
        sa.Column("org_id", ID, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_user_id", ID, nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_reconciliations")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _fence()
    else:
        _describe_indexes()


def downgrade() -> None:
    op.drop_table(TABLE)
    op.drop_index(INDEX, table_name="audit_events")


def _describe_indexes() -> None:
    """The figures of ANALYZE: rows in all, of one organization, then of each further column."""
    bind = op.get_bind()
    primary = f"SELECT name FROM pragma_index_list('{TABLE}') WHERE origin = 'pk'"
    figures = {
        ("audit_events", INDEX): "100000 100000 10 2",
        (TABLE, bind.exec_driver_sql(primary).scalar_one()): "100000 1",
    }
    for (table, name), text in figures.items():
        bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name, text))


def _fence() -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {TABLE} USING ({mine}) WITH CHECK ({mine})")
