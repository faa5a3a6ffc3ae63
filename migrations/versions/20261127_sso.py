"""Single sign-on: domains, connections, keys, and what signing in leaves behind.

As `20261122_spine` makes every table: fenced, its indexes described.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_sso"
down_revision = "20261127_seats"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLES = (
    "connections",
    "domains",
    "certificates",
    "break_glass_codes",
    "login_requests",
    "consumed_assertions",
    "identities",
    "sessions",
    "login_traces",
)


def upgrade() -> None:
    _connections()
    _domains()
    _certificates()
    _break_glass_codes()
    _login_requests()
    _consumed_assertions()
    _identities()
    _sessions()
    _login_traces()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            _fence(table)
    else:
        _describe_indexes()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("enforced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idp_entity_id", sa.Text(), nullable=False),
        sa.Column("sso_url", sa.Text(), nullable=False),
        sa.Column("sso_binding", sa.String(length=8), nullable=False),
        sa.Column("slo_url", sa.Text(), nullable=True),
        sa.Column("slo_binding", sa.String(length=8), nullable=True),
        sa.Column("slo_response_url", sa.Text(), nullable=True),
        sa.Column("wants_signed_requests", sa.Boolean(), nullable=False),
        sa.Column("signed", sa.String(length=16), nullable=False),
        sa.Column("idp_initiated", sa.String(length=8), nullable=False),
        sa.Column("jit", sa.Boolean(), nullable=False),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("testers", JSON, nullable=False),
        sa.Column("refuse_expired_certificates", sa.Boolean(), nullable=False),
        sa.Column("metadata_url", sa.Text(), nullable=True),
        sa.Column("metadata_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("metadata_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("metadata_error", sa.Text(), nullable=True),
        sa.Column("configuration_hash", sa.String(length=64), nullable=False),
        sa.Column("tested_hash", sa.String(length=64), nullable=True),
        sa.Column("tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tested_by_user_id", ID, nullable=True),
        sa.Column("lockout_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "idp_initiated IN ('refuse', 'bounce', 'accept')", name=op.f("ck_connections_idp_initiated")
        ),
        sa.CheckConstraint(
            "mode IN ('off', 'test', 'optional', 'enforced')", name=op.f("ck_connections_mode")
        ),
        sa.CheckConstraint("protocol IN ('saml')", name=op.f("ck_connections_protocol")),
        sa.CheckConstraint(
            "signed IN ('any', 'assertion', 'response', 'both')", name=op.f("ck_connections_signed")
        ),
        sa.CheckConstraint("slo_binding IN ('redirect', 'post')", name=op.f("ck_connections_slo_binding")),
        sa.CheckConstraint("sso_binding IN ('redirect', 'post')", name=op.f("ck_connections_sso_binding")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_connections")),
    )
    op.create_index(
        "ix_connections_metadata_due",
        "connections",
        ["org_id", "metadata_due_at"],
        unique=False,
        postgresql_where=sa.text("metadata_due_at IS NOT NULL"),
        sqlite_where=sa.text("metadata_due_at IS NOT NULL"),
    )


def _domains() -> None:
    op.create_table(
        "domains",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("name_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("proof", sa.String(length=8), nullable=True),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("look", sa.String(length=16), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absences", sa.Integer(), nullable=False),
        sa.Column("state_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disputable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_elsewhere", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "look IN ('present', 'published', 'absent', 'unknown')", name=op.f("ck_domains_look")
        ),
        sa.CheckConstraint("proof IN ('dns', 'operator')", name=op.f("ck_domains_proof")),
        sa.CheckConstraint(
            "state IN ('pending', 'verified', 'grace', 'lapsed', 'disputed')", name=op.f("ck_domains_state")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connections.org_id", "connections.id"],
            name=op.f("fk_domains_org_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_domains")),
    )
    op.create_index(
        "ix_domains_due",
        "domains",
        ["org_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("uq_domains_name", "domains", ["org_id", "name"], unique=True)


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("use", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key_type", sa.String(length=16), nullable=False),
        sa.Column("key_bits", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_private_key", sa.Text(), nullable=True),
        sa.Column("sealing_key_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("noticed_days", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(side = 'sp') = (sealed_private_key IS NOT NULL)",
            name=op.f("ck_certificates_sealed_private_key"),
        ),
        sa.CheckConstraint("side IN ('idp', 'sp')", name=op.f("ck_certificates_side")),
        sa.CheckConstraint("state IN ('next', 'current', 'retired')", name=op.f("ck_certificates_state")),
        sa.CheckConstraint("use IN ('signing', 'encryption', 'both')", name=op.f("ck_certificates_use")),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connections.org_id", "connections.id"],
            name=op.f("fk_certificates_org_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_certificates")),
    )
    op.create_index("ix_certificates_expires_at", "certificates", ["org_id", "expires_at"], unique=False)
    op.create_index(
        "uq_certificates_fingerprint",
        "certificates",
        ["org_id", "connection_id", "side", "fingerprint"],
        unique=True,
    )


def _break_glass_codes() -> None:
    op.create_table(
        "break_glass_codes",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"],
            ["users.org_id", "users.id"],
            name=op.f("fk_break_glass_codes_org_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_break_glass_codes")),
    )
    op.create_index("ix_break_glass_codes_user", "break_glass_codes", ["org_id", "user_id"], unique=False)


def _login_requests() -> None:
    op.create_table(
        "login_requests",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("handle_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("return_to", sa.Text(), nullable=False),
        sa.Column("bounces", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connections.org_id", "connections.id"],
            name=op.f("fk_login_requests_org_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_login_requests")),
    )
    op.create_index("ix_login_requests_expires_at", "login_requests", ["org_id", "expires_at"], unique=False)


def _consumed_assertions() -> None:
    op.create_table(
        "consumed_assertions",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("assertion_hash", sa.String(length=64), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connections.org_id", "connections.id"],
            name=op.f("fk_consumed_assertions_org_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "connection_id", "assertion_hash", name=op.f("pk_consumed_assertions")
        ),
    )
    op.create_index(
        "ix_consumed_assertions_expires_at", "consumed_assertions", ["org_id", "expires_at"], unique=False
    )


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_source", sa.String(length=16), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name_id", sa.Text(), nullable=False),
        sa.Column("name_id_format", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("jit", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_signed_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "subject_source IN ('name_id', 'attribute')", name=op.f("ck_identities_subject_source")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connections.org_id", "connections.id"],
            name=op.f("fk_identities_org_id_connection_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["users.org_id", "users.id"], name=op.f("fk_identities_org_id_user_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_identities")),
    )
    op.create_index(
        "ix_identities_user", "identities", ["org_id", "user_id", "last_signed_in_at"], unique=False
    )
    op.create_index(
        "uq_identities_subject", "identities", ["org_id", "connection_id", "subject"], unique=True
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("identity_id", ID, nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("name_id", sa.Text(), nullable=True),
        sa.Column("session_index", sa.Text(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.CheckConstraint("kind IN ('sso', 'console', 'break_glass')", name=op.f("ck_sessions_kind")),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connections.org_id", "connections.id"],
            name=op.f("fk_sessions_org_id_connection_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "identity_id"],
            ["identities.org_id", "identities.id"],
            name=op.f("fk_sessions_org_id_identity_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "principal_id"],
            ["principals.org_id", "principals.id"],
            name=op.f("fk_sessions_org_id_principal_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["users.org_id", "users.id"], name=op.f("fk_sessions_org_id_user_id")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["org_id", "expires_at"], unique=False)
    op.create_index(
        "ix_sessions_live_connection",
        "sessions",
        ["org_id", "connection_id", "name_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_sessions_live_user",
        "sessions",
        ["org_id", "user_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )


def _login_traces() -> None:
    op.create_table(
        "login_traces",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("expected", JSON, nullable=True),
        sa.Column("received", JSON, nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("xml", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'refused', 'bounced')", name=op.f("ck_login_traces_outcome")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_login_traces")),
    )
    op.create_index(
        "ix_login_traces_connection",
        "login_traces",
        ["org_id", "connection_id", "occurred_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_login_traces_email_key",
        "login_traces",
        ["org_id", "email_key", "occurred_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_login_traces_occurred_at", "login_traces", ["org_id", "occurred_at", "id"], unique=False
    )
    op.create_index("ix_login_traces_reference", "login_traces", ["org_id", "reference"], unique=False)


def _describe_indexes() -> None:
    """The figures of ANALYZE: rows in all, of one organization, then of each further column."""
    rows, matching = 100_000, 10
    bind = op.get_bind()
    for table in TABLES:
        for index in bind.exec_driver_sql(f"PRAGMA index_list({table})").all():
            name, is_unique = index[1], bool(index[2])
            columns = len(bind.exec_driver_sql(f"PRAGMA index_info({name})").all())
            shares = [rows, *[matching] * (columns - 2), 1 if is_unique else 2][:columns]
            figures = " ".join(str(figure) for figure in (rows, *shares))
            bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name, figures))


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
