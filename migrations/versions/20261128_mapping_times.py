"""Mappings with a beginning and an end, every version of their order, and jobs."""

import json
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261128_mapping_times"
down_revision = "20261127_explanations"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
TABLES = ("group_mapping_versions", "jobs", "job_people")
# Rows in all, then the rows that share the first column, the first two, and so on.
FIGURES = {
    "group_mapping_versions": {"pk": "1000 1000 1"},
    "jobs": {"pk": "1000 1000 1", "ix_jobs_state": "1000 1000 500 1"},
    "job_people": {"pk": "100000 100000 50000 1"},
}
READ = ("organizations", "group_mappings")


def upgrade() -> None:
    op.add_column("principals", sa.Column("lapses_at", TIME, nullable=True))
    op.add_column("group_mappings", sa.Column("effective_at", TIME, nullable=True))
    op.add_column("group_mappings", sa.Column("expires_at", TIME, nullable=True))
    is_true = "1" if op.get_bind().dialect.name == "sqlite" else "true"
    op.execute(f"ALTER TABLE group_mappings ADD COLUMN in_force BOOLEAN NOT NULL DEFAULT {is_true}")
    op.create_table(
        "group_mapping_versions",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("mappings", JSON, nullable=False),
        sa.Column("actor_type", sa.String(length=32), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "version", name=op.f("pk_group_mapping_versions")),
    )
    op.create_table(
        "jobs",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.CheckConstraint("state IN ('running', 'finished')", name=op.f("ck_jobs_state")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_state", "jobs", ["org_id", "state", "id"], unique=False)
    op.create_table(
        "job_people",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "job_id"], ["jobs.org_id", "jobs.id"], name=op.f("fk_job_people_org_id_job_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "job_id", "user_id", name=op.f("pk_job_people")),
    )
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        # Row-level security binds the owner too, so it is lifted while all organizations are read.
        _force("NO FORCE")
    _keep_present_versions()
    if on_postgresql:
        _force("FORCE")
        for table in TABLES:
            _fence(table)
    else:
        _describe_indexes()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    for column in ("in_force", "expires_at", "effective_at"):
        op.drop_column("group_mappings", column)
    op.drop_column("principals", "lapses_at")


def _keep_present_versions() -> None:
    """What was stored before is known in its present order only."""
    bind = op.get_bind()
    orders: dict[str, list[dict[str, object]]] = {}
    columns = "org_id, id, position, group_id, role_id, seat_on"
    for row in bind.exec_driver_sql(f"SELECT {columns} FROM group_mappings ORDER BY org_id, position"):
        mapping = {name: str(getattr(row, name)) for name in ("id", "group_id", "role_id", "seat_on")}
        item = {**mapping, "position": row.position, "effective_at": None, "expires_at": None}
        orders.setdefault(str(row.org_id), []).append(item)
    insert = sa.text(
        "INSERT INTO group_mapping_versions"
        " (org_id, version, id, mappings, actor_type, actor_id, created_at)"
        " VALUES (:org_id, :version, :id, :mappings, 'system', 'migration', :created_at)"
    ).bindparams(
        sa.bindparam("org_id", type_=ID), sa.bindparam("id", type_=ID), sa.bindparam("created_at", type_=TIME)
    )
    if bind.dialect.name == "postgresql":
        insert = insert.bindparams(sa.bindparam("mappings", type_=postgresql.JSONB()))
    for org_id, version in bind.exec_driver_sql("SELECT org_id, mapping_version FROM organizations").all():
        order = orders.get(str(org_id), [])
        values = {
            "org_id": str(org_id),
            "version": version,
            "id": str(uuid.uuid4()),
            "mappings": order if bind.dialect.name == "postgresql" else json.dumps(order),
            "created_at": datetime.now(UTC),
        }
        bind.execute(insert, values)


def _force(word: str) -> None:
    for table in READ:
        op.execute(f"ALTER TABLE {table} {word} ROW LEVEL SECURITY")


def _describe_indexes() -> None:
    """Tell SQLite what the new indexes are like, as the first migration did for the others."""
    bind = op.get_bind()
    for table, figures in FIGURES.items():
        primary = f"SELECT name FROM pragma_index_list('{table}') WHERE origin = 'pk'"
        names = {"pk": bind.exec_driver_sql(primary).scalar_one()}
        for name, text in figures.items():
            values = (table, names.get(name, name), text)
            bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", values)


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
