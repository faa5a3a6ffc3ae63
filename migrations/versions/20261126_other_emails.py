"""Addresses besides the first, by which people are found: fenced, described, filled from what is stored."""

import sqlalchemy as sa
from alembic import op

revision = "20261126_other_emails"
down_revision = "20261125_nesting"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
TABLE = "other_emails"
INDEX = "ix_other_emails_email_key"
# The search document holds folded values, as the new rows do.
FILL = {
    "postgresql": """
        INSERT INTO other_emails (org_id, user_id, email_key)
        SELECT DISTINCT users.org_id, users.id, entry ->> 'value'
        FROM users CROSS JOIN LATERAL jsonb_array_elements(users.search -> 'emails') AS entry
        WHERE entry ->> 'value' IS NOT NULL AND entry ->> 'value' IS DISTINCT FROM users.email_key
    """,
    "sqlite": """
        INSERT INTO other_emails (org_id, user_id, email_key)
        SELECT DISTINCT users.org_id, users.id, entry.value ->> 'value'
        FROM users, json_each(users.search, '$.emails') AS entry
        WHERE entry.value ->> 'value' IS NOT NULL AND entry.value ->> 'value' IS NOT users.email_key
    """,
}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("org_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["users.org_id", "users.id"], name=op.f("fk_other_emails_org_id_user_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "user_id", "email_key", name=op.f("pk_other_emails")),
    )
    op.create_index(INDEX, TABLE, ["org_id", "email_key", "user_id"], unique=False)
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        # Row-level security binds the owner too, so it is lifted while all organizations are read.
        op.execute("ALTER TABLE users NO FORCE ROW LEVEL SECURITY")
        op.execute(FILL[dialect])
        op.execute("ALTER TABLE users FORCE ROW LEVEL SECURITY")
        _fence()
    else:
        op.execute(FILL[dialect])
        _describe_indexes()


def downgrade() -> None:
    op.drop_table(TABLE)


def _describe_indexes() -> None:
    """The figures of ANALYZE: rows in all, of one organization, then of each further column."""
    bind = op.get_bind()
    primary = f"SELECT name FROM pragma_index_list('{TABLE}') WHERE origin = 'pk'"
    figures = {bind.exec_driver_sql(primary).scalar_one(): "100000 100000 2 1", INDEX: "100000 100000 2 1"}
    for name, text in figures.items():
        bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (TABLE, name, text))


def _fence() -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {TABLE} USING ({mine}) WITH CHECK ({mine})")
