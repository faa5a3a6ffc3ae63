"""Who exists only by signing in, and which groups are known only from sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_sign_in"
down_revision = "20261127_sso"
branch_labels = None
depends_on = None

INDEX = "ix_principals_jit_signed_in_at"
IS_JIT = sa.text("jit_signed_in_at IS NOT NULL")


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    moment = "TIMESTAMP WITH TIME ZONE" if is_postgresql else "DATETIME"
    op.execute(f"ALTER TABLE principals ADD COLUMN jit_signed_in_at {moment}")
    # Groups from before were pushed.
    op.execute("ALTER TABLE groups ADD COLUMN jit BOOLEAN NOT NULL DEFAULT false")
    op.create_index(
        INDEX,
        "principals",
        ["org_id", "jit_signed_in_at"],
        unique=False,
        postgresql_where=IS_JIT,
        sqlite_where=IS_JIT,
    )
    if not is_postgresql:
        figures = ("principals", INDEX, "100000 100000 2")
        op.get_bind().exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", figures)


def downgrade() -> None:
    op.drop_index(INDEX, table_name="principals")
    op.drop_column("groups", "jit")
    op.drop_column("principals", "jit_signed_in_at")
