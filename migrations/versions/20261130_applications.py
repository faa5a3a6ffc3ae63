"""Applications, their codes and tokens, whom to tell when a session ends, and the issuer's keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261130_applications"
down_revision = "20261130_oidc"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WHEN = sa.DateTime(timezone=True)
# In the order in which they refer to each other.
TABLES = ("applications", "authorization_codes", "access_tokens", "application_sessions")
# The figures of ANALYZE: rows in all, of one organization, then of each further column.
FIGURES = {
    "applications": {"pk": "1000 1000 1"},
    "authorization_codes": {
        "pk": "10000 10000 1",
        "uq_authorization_codes_code_hash": "10000 10000 1",
        "ix_authorization_codes_session": "10000 10000 3",
        "ix_authorization_codes_expires_at": "10000 10000 2",
    },
    "access_tokens": {
        "pk": "100000 100000 1",
        "uq_access_tokens_token_hash": "100000 100000 1",
        "ix_access_tokens_code": "100000 100000 1",
        "ix_access_tokens_session": "100000 100000 10",
        "ix_access_tokens_expires_at": "100000 100000 2",
    },
    "application_sessions": {
        "pk": "100000 100000 10 1",
        "ix_application_sessions_user": "100000 100000 30",
        "ix_application_sessions_created_at": "100000 100000 2",
    },
}


def upgrade() -> None:
    _create_applications()
    _create_codes()
    _create_tokens()
    _create_sessions()
    op.create_table(
        "signing_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("public_jwk", JSON, nullable=False),
        sa.Column("sealed_private_jwk", sa.Text(), nullable=False),
        sa.Column("sealing_key_id", sa.String(16), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("active_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            _fence(table)
    else:
        _describe_indexes()


def downgrade() -> None:
    op.execute("DELETE FROM lookups WHERE kind IN ('application', 'access_token')")
    op.drop_table("signing_keys")
    for table in reversed(TABLES):
        op.drop_table(table)


def _table(name: str, keys: tuple[str, ...], *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("org_id", ID, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("org_id", *keys, name=op.f(f"pk_{name}")),
    )


def _references(name: str) -> tuple[sa.ForeignKeyConstraint, ...]:
    return tuple(
        sa.ForeignKeyConstraint(
            ["org_id", column], [f"{table}.org_id", f"{table}.id"], name=op.f(f"fk_{name}_org_id_{column}")
        )
        for column, table in (("application_id", "applications"), ("user_id", "users"))
    )


def _create_applications() -> None:
    _table(
        "applications",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("redirect_uris", JSON, nullable=False),
        sa.Column("post_logout_redirect_uris", JSON, nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("backchannel_logout_uri", sa.Text(), nullable=True),
        sa.Column("secret_hash", sa.String(64), nullable=True),
        sa.Column("previous_secret_hash", sa.String(64), nullable=True),
        sa.Column("previous_secret_expires_at", WHEN, nullable=True),
        sa.Column("secret_rotated_at", WHEN, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("deleted_at", WHEN, nullable=True),
    )


def _create_codes() -> None:
    name = "authorization_codes"
    _table(
        name,
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("application_id", ID, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(43), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("authenticated_at", WHEN, nullable=False),
        sa.Column("session_ends_at", WHEN, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("consumed_at", WHEN, nullable=True),
        *_references(name),
    )
    op.create_index("uq_authorization_codes_code_hash", name, ["org_id", "code_hash"], unique=True)
    op.create_index("ix_authorization_codes_session", name, ["org_id", "session_id"])
    op.create_index("ix_authorization_codes_expires_at", name, ["org_id", "expires_at"])


def _create_tokens() -> None:
    name = "access_tokens"
    _table(
        name,
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("application_id", ID, nullable=False),
        sa.Column("code_id", ID, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("authenticated_at", WHEN, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("revoked_at", WHEN, nullable=True),
        *_references(name),
    )
    op.create_index("uq_access_tokens_token_hash", name, ["org_id", "token_hash"], unique=True)
    op.create_index("ix_access_tokens_code", name, ["org_id", "code_id"])
    op.create_index("ix_access_tokens_session", name, ["org_id", "session_id"])
    op.create_index("ix_access_tokens_expires_at", name, ["org_id", "expires_at"])


def _create_sessions() -> None:
    name = "application_sessions"
    _table(
        name,
        ("session_id", "application_id"),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("application_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        *_references(name),
    )
    op.create_index("ix_application_sessions_user", name, ["org_id", "user_id"])
    op.create_index("ix_application_sessions_created_at", name, ["org_id", "created_at"])


def _describe_indexes() -> None:
    bind = op.get_bind()
    # There is one row of an organization, so it is found by its key; figures of 100,000 had it scanned for.
    bind.exec_driver_sql("UPDATE sqlite_stat1 SET stat = '1000 1' WHERE tbl = 'organizations'")
    for table, indexes in FIGURES.items():
        primary = f"SELECT name FROM pragma_index_list('{table}') WHERE origin = 'pk'"
        name_of = {"pk": bind.exec_driver_sql(primary).scalar_one()}
        for name, text in indexes.items():
            bind.exec_driver_sql(
                "INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name_of.get(name, name), text)
            )


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
