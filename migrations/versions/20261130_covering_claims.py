"""That a captured domain has lapsed stands in the look-ups; the last reminder of an enforcement is kept."""

import sqlalchemy as sa
from alembic import op

revision = "20261130_covering_claims"
down_revision = "20261130_applications"
branch_labels = None
depends_on = None

LAPSED = """
INSERT INTO lookups (kind, key_hash, org_id, object_id)
SELECT 'lapsed_domain', name_hash, org_id, id FROM domains WHERE state = 'lapsed'
"""
# What the schema below knows nothing of.
FORGET = """
DELETE FROM lookups WHERE kind IN ('lapsed_domain', 'adopted_organization', 'joined_organization')
OR (
    kind IN ('captured_domain', 'disputed_domain')
    AND key_hash IN (SELECT name_hash FROM domains WHERE name LIKE '*.%')
)
"""


def upgrade() -> None:
    _across_organizations(LAPSED)
    op.add_column("connections", sa.Column("reminded_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("connections", "reminded_days")
    _across_organizations(FORGET, "DELETE FROM domains WHERE name LIKE '*.%'")


def _across_organizations(*statements: str) -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        op.execute("ALTER TABLE domains NO FORCE ROW LEVEL SECURITY")
    for statement in statements:
        op.execute(statement)
    if is_postgresql:
        op.execute("ALTER TABLE domains FORCE ROW LEVEL SECURITY")
