"""The spine: directory, credentials, roles, mappings, seats, limits, audit log, outbox.

On PostgreSQL every table that belongs to organizations is under FORCED row-level security: a
transaction sees the rows of the organization that it has entered (setting `usher.org_id`) and, with
none entered, no rows at all. The owner is bound too; only a superuser or BYPASSRLS role is not.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_spine"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
# `lookups` is the one table read before the organization is known.
TABLES = (
    "audit_events",
    "audit_heads",
    "credentials",
    "groups",
    "lookups",
    "organizations",
    "outbox_messages",
    "principals",
    "roles",
    "seat_pools",
    "spend_limits",
    "group_mappings",
    "idempotency_keys",
    "users",
    "memberships",
    "seats",
)
UPDATED_IN_PLACE = ("users", "principals", "groups", "seats", "seat_pools", "credentials")
SCOPED = tuple(table for table in TABLES if table != "lookups")


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("actor_type", sa.String(length=32), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("target_type", sa.String(length=32), nullable=False),
        sa.Column("target_id", ID, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_audit_events")),
    )
    op.create_index(
        "ix_audit_events_target", "audit_events", ["org_id", "target_id", "position"], unique=False
    )
    op.create_index(
        "ix_audit_events_unsequenced",
        "audit_events",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("position IS NULL"),
        sqlite_where=sa.text("position IS NULL"),
    )
    op.create_index("uq_audit_events_position", "audit_events", ["org_id", "position"], unique=True)

    op.create_table(
        "audit_heads",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("next_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "credentials",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_secret_hash", sa.String(length=64), nullable=True),
        sa.Column("previous_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('scim_token', 'api_key')", name=op.f("ck_credentials_kind")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_credentials")),
    )
    op.create_table(
        "groups",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("display_name_key", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("search", JSON, nullable=False),
        sa.Column("member_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("member_count >= 0", name=op.f("ck_groups_member_count")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_groups")),
    )
    op.create_index("ix_groups_org_id_external_id", "groups", ["org_id", "external_id"], unique=False)
    op.create_index(
        "uq_groups_living_display_name_key",
        "groups",
        ["org_id", "display_name_key"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )

    op.create_table(
        "lookups",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_hash", name=op.f("pk_lookups")),
    )
    op.create_index("ix_lookups_org_id", "lookups", ["org_id"], unique=False)

    op.create_table(
        "organizations",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("rights_mode", sa.String(length=8), nullable=False),
        sa.Column("mapping_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("rights_mode IN ('union', 'first')", name=op.f("ck_organizations_rights_mode")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "outbox_messages",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_id", ID, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'dead')", name=op.f("ck_outbox_messages_state")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_outbox_messages")),
    )
    op.create_index(
        "ix_outbox_messages_due",
        "outbox_messages",
        ["org_id", "available_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )

    op.create_table(
        "principals",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seat_state", sa.String(length=16), nullable=True),
        sa.Column("role_id", ID, nullable=True),
        sa.Column("surfaces", JSON, nullable=False),
        sa.Column("models", JSON, nullable=True),
        sa.Column("denied_models", JSON, nullable=False),
        sa.Column("permissions", JSON, nullable=False),
        sa.CheckConstraint(
            "seat_state IN ('assigned', 'waitlisted', 'suspended', 'released')",
            name=op.f("ck_principals_seat_state"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_principals")),
    )
    op.create_index("ix_principals_org_id_user_id", "principals", ["org_id", "user_id"], unique=True)

    op.create_table(
        "roles",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", sa.String(length=100), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("surfaces", JSON, nullable=False),
        sa.Column("models", JSON, nullable=True),
        sa.Column("permissions", JSON, nullable=False),
        sa.Column("denies", JSON, nullable=False),
        sa.Column("seat", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_roles")),
    )
    op.create_index("uq_roles_name_key", "roles", ["org_id", "name_key"], unique=True)

    op.create_table(
        "seat_pools",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.CheckConstraint("assigned >= 0", name=op.f("ck_seat_pools_assigned")),
        sa.CheckConstraint("quantity IS NULL OR assigned <= quantity", name=op.f("ck_seat_pools_quantity")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_seat_pools")),
    )
    op.create_table(
        "spend_limits",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("scope_type", sa.String(length=16), nullable=False),
        sa.Column("scope_id", ID, nullable=False),
        sa.Column("window", sa.String(length=16), nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("scope_type IN ('role')", name=op.f("ck_spend_limits_scope_type")),
        sa.CheckConstraint(
            "\"window\" IN ('five_hour', 'daily', 'weekly', 'monthly')", name=op.f("ck_spend_limits_window")
        ),
        sa.CheckConstraint("amount_nanousd >= 0", name=op.f("ck_spend_limits_amount_nanousd")),
        sa.PrimaryKeyConstraint("org_id", "scope_type", "scope_id", "window", name=op.f("pk_spend_limits")),
    )
    op.create_table(
        "group_mappings",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("role_id", ID, nullable=False),
        sa.Column("seat_on", sa.String(length=16), nullable=False),
        sa.CheckConstraint("seat_on IN ('provision', 'login')", name=op.f("ck_group_mappings_seat_on")),
        sa.ForeignKeyConstraint(
            ["org_id", "group_id"],
            ["groups.org_id", "groups.id"],
            name=op.f("fk_group_mappings_org_id_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "role_id"], ["roles.org_id", "roles.id"], name=op.f("fk_group_mappings_org_id_role_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_group_mappings")),
    )
    op.create_index(
        "uq_group_mappings_group_role", "group_mappings", ["org_id", "group_id", "role_id"], unique=True
    )

    op.create_table(
        "idempotency_keys",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("credential_id", ID, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "credential_id"],
            ["credentials.org_id", "credentials.id"],
            name=op.f("fk_idempotency_keys_org_id_credential_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "credential_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_idempotency_keys_created_at", "idempotency_keys", ["org_id", "created_at"], unique=False
    )

    op.create_table(
        "users",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("user_name_key", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("idp_active", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("search", JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "principal_id"],
            ["principals.org_id", "principals.id"],
            name=op.f("fk_users_org_id_principal_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_org_id_email_key", "users", ["org_id", "email_key"], unique=False)
    op.create_index("ix_users_org_id_external_id", "users", ["org_id", "external_id"], unique=False)
    op.create_index(
        "ix_users_tombstone_user_name_key",
        "users",
        ["org_id", "user_name_key"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "uq_users_living_user_name_key",
        "users",
        ["org_id", "user_name_key"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )

    op.create_table(
        "memberships",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "group_id"],
            ["groups.org_id", "groups.id"],
            name=op.f("fk_memberships_org_id_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["users.org_id", "users.id"], name=op.f("fk_memberships_org_id_user_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "group_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_user", "memberships", ["org_id", "user_id", "group_id"], unique=False)

    op.create_table(
        "seats",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("role_id", ID, nullable=True),
        sa.Column("surfaces", JSON, nullable=False),
        sa.Column("sources", JSON, nullable=False),
        sa.Column("manual_role_id", ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_rank", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('assigned', 'waitlisted', 'suspended', 'released')", name=op.f("ck_seats_state")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "manual_role_id"],
            ["roles.org_id", "roles.id"],
            name=op.f("fk_seats_org_id_manual_role_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "role_id"], ["roles.org_id", "roles.id"], name=op.f("fk_seats_org_id_role_id")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["users.org_id", "users.id"], name=op.f("fk_seats_org_id_user_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "user_id", name=op.f("pk_seats")),
    )
    op.create_index("ix_seats_waiting", "seats", ["org_id", "state", "waiting_rank", "since"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        for table in SCOPED:
            _fence(table)
        for table in UPDATED_IN_PLACE:
            # Room on each page, so that a change of unindexed columns touches no index.
            op.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
    else:
        _describe_indexes()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _describe_indexes() -> None:
    """Tell SQLite what its indexes are like, as ANALYZE would once there is data.

    Without figures it takes any index led by `org_id` for a selective one, and reads a whole
    organization where the next column would have found one row.
    """
    rows, matching = 100_000, 10
    bind = op.get_bind()
    bind.exec_driver_sql("ANALYZE")
    bind.exec_driver_sql("DELETE FROM sqlite_stat1")
    for table in SCOPED:
        for index in bind.exec_driver_sql(f"PRAGMA index_list({table})").all():
            name, is_unique = index[1], bool(index[2])
            columns = len(bind.exec_driver_sql(f"PRAGMA index_info({name})").all())
            # Rows in all, then the rows that share the first column, the first two, and so on.
            shares = [rows, *[matching] * (columns - 2), 1 if is_unique else 2][:columns]
            figures = " ".join(str(figure) for figure in (rows, *shares))
            bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name, figures))


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
