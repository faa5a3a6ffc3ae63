"""What an organization decides about sessions, seats, fees, running calls, models and its ceiling.

And the built-in roles `admin`, `auditor` and `billing` for organizations from before. One that has a
role of its own by such a name keeps that one.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import uuid_utils
from alembic import op
from sqlalchemy.dialects import postgresql

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

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
ALL_SURFACES = ["code", "chat", "cowork"]
VIEWS = [f"admin.{area}.view" for area in ("identity", "billing", "analytics", "privacy", "audit")]
# As the services make them for new organizations.
ROLES: dict[str, dict[str, Any]] = {
    "admin": {
        "surfaces": ALL_SURFACES,
        "permissions": [
            "connectors.install",
            "plugins.install",
            *VIEWS,
            "admin.identity.manage",
            "admin.analytics.manage",
        ],
        "seat": True,
    },
    "auditor": {"surfaces": [], "permissions": VIEWS, "seat": False},
    "billing": {
        "surfaces": [],
        "permissions": ["admin.billing.view", "admin.billing.manage", "admin.analytics.view"],
        "seat": False,
    },
}
roles = sa.table(
    "roles",
    *(sa.column(name, ID) for name in ("org_id", "id")),
    *(sa.column(name, sa.String) for name in ("name", "name_key")),
    *(sa.column(name, sa.Boolean) for name in ("built_in", "seat")),
    *(sa.column(name, JSON) for name in ("surfaces", "models", "permissions", "denies")),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
audit_events = sa.table(
    "audit_events",
    *(sa.column(name, ID) for name in ("org_id", "id", "target_id")),
    *(
        sa.column(name, sa.String)
        for name in ("action", "actor_type", "actor_id", "target_type", "request_id")
    ),
    sa.column("occurred_at", sa.DateTime(timezone=True)),
    sa.column("data", JSON),
)


def upgrade() -> None:
    json = "JSONB" if op.get_bind().dialect.name == "postgresql" else "JSON"
    for column, described in COLUMNS.items():
        # SQLite takes a constraint only together with its column.
        check = f" CONSTRAINT ck_organizations_{column} CHECK ({CHECKS[column]})" if column in CHECKS else ""
        op.execute(f"ALTER TABLE organizations ADD COLUMN {column} {described or json}{check}")
    _fence(lifted=True)
    _add_roles()
    _fence(lifted=False)


def downgrade() -> None:
    # The roles stay: somebody may hold them.
    for column in reversed(COLUMNS):
        op.drop_column("organizations", column)


def _add_roles() -> None:
    bind = op.get_bind()
    now = datetime.now(UTC)
    taken = {(row.org_id, row.name_key) for row in bind.execute(sa.select(roles.c.org_id, roles.c.name_key))}
    made = [
        {
            "org_id": org_id,
            "id": str(uuid_utils.uuid7()),
            "name": name,
            "name_key": name,
            "built_in": True,
            "models": None,
            "denies": [],
            "created_at": now,
            **rights,
        }
        for org_id in sorted({org_id for org_id, _ in taken})
        for name, rights in ROLES.items()
        if (org_id, name) not in taken
    ]
    if not made:
        return
    bind.execute(sa.insert(roles), made)
    entries = [
        {
            "org_id": role["org_id"],
            "id": str(uuid_utils.uuid7()),
            "action": "role.created",
            "actor_type": "system",
            "actor_id": "migration",
            "target_type": "role",
            "target_id": role["id"],
            "occurred_at": now,
            "request_id": revision,
            "data": {"name": role["name"]},
        }
        for role in made
    ]
    bind.execute(sa.insert(audit_events), entries)


def _fence(*, lifted: bool) -> None:
    """Row-level security binds the owner too, so it is lifted while all organizations are written."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("roles", "audit_events"):
            op.execute(f"ALTER TABLE {table} {'NO ' if lifted else ''}FORCE ROW LEVEL SECURITY")
