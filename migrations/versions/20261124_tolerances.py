"""SCIM tokens: tolerances, access, notices of expiry."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_tolerances"
down_revision = "20261123_scim_requests"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("credentials", sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("credentials", sa.Column("noticed_days", sa.Integer(), nullable=True))
    op.add_column("credentials", sa.Column("tolerances", JSON, nullable=True))
    _unfenced(
        """UPDATE credentials SET scopes = '["write"]', tolerances = '"auto"' WHERE kind = 'scim_token'"""
    )


def downgrade() -> None:
    _unfenced("UPDATE credentials SET scopes = '[]' WHERE kind = 'scim_token'")
    for column in ("tolerances", "noticed_days", "rotated_at"):
        op.drop_column("credentials", column)


def _unfenced(statement: str) -> None:
    """Change rows of all organizations: row-level security binds the owner too, so it is lifted meanwhile."""
    is_fenced = op.get_bind().dialect.name == "postgresql"
    if is_fenced:
        op.execute("ALTER TABLE credentials NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    if is_fenced:
        op.execute("ALTER TABLE credentials FORCE ROW LEVEL SECURITY")
