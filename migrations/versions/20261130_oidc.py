"""Connections by OpenID Connect beside those by SAML, and what their sessions and traces hold."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261130_oidc"
down_revision = "20261129_usage"
branch_labels = None
depends_on = None

Columns = dict[str, "sa.types.TypeEngine[Any]"]

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OF_SAML: Columns = {
    "sso_binding": sa.String(8),
    "wants_signed_requests": sa.Boolean(),
    "signed": sa.String(16),
    "idp_initiated": sa.String(8),
    "refuse_expired_certificates": sa.Boolean(),
}
OF_OIDC: Columns = {
    "client_id": sa.Text(),
    "token_endpoint": sa.Text(),
    "secret_method": sa.String(24),
    "jwks_uri": sa.Text(),
    "jwks": JSON,
    "scopes": sa.Text(),
    "names_itself": sa.Boolean(),
    "tells_logouts": sa.Boolean(),
}
SOMETIMES: Columns = {
    "sealed_client_secret": sa.Text(),
    "sealing_key_id": sa.String(16),
    "userinfo_endpoint": sa.Text(),
}
ADDED: dict[str, Columns] = {
    "sessions": {"sealed_id_token": sa.Text(), "sealing_key_id": sa.String(16)},
    "login_traces": {"claims": sa.Text()},
}
CHECKS = {
    "secret_method": "secret_method IN ('client_secret_basic', 'client_secret_post')",
    "sealed_client_secret": "(protocol = 'oidc' AND deleted_at IS NULL) = (sealed_client_secret IS NOT NULL)",
}
ROWS, MATCHING = 100_000, 10


def upgrade() -> None:
    with op.batch_alter_table("connections") as connections:
        for name, kind in {**OF_OIDC, **SOMETIMES}.items():
            connections.add_column(sa.Column(name, kind, nullable=True))
        for name, kind in OF_SAML.items():
            connections.alter_column(name, existing_type=kind, nullable=True)
        connections.drop_constraint(op.f("ck_connections_protocol"), type_="check")
        connections.create_check_constraint(op.f("ck_connections_protocol"), "protocol IN ('saml', 'oidc')")
        connections.create_check_constraint(op.f("ck_connections_saml"), _own("saml", OF_SAML, OF_OIDC))
        connections.create_check_constraint(op.f("ck_connections_oidc"), _own("oidc", OF_OIDC, OF_SAML))
        for name, condition in CHECKS.items():
            connections.create_check_constraint(op.f(f"ck_connections_{name}"), condition)
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    _describe_indexes()


def downgrade() -> None:
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
    with op.batch_alter_table("connections") as connections:
        for name in ("saml", "oidc", *CHECKS):
            connections.drop_constraint(op.f(f"ck_connections_{name}"), type_="check")
    _bury_oidc()
    with op.batch_alter_table("connections") as connections:
        connections.drop_constraint(op.f("ck_connections_protocol"), type_="check")
        connections.create_check_constraint(op.f("ck_connections_protocol"), "protocol IN ('saml')")
        for name, kind in OF_SAML.items():
            connections.alter_column(name, existing_type=kind, nullable=False)
        for name in {**OF_OIDC, **SOMETIMES}:
            connections.drop_column(name)
    _describe_indexes()


def _own(protocol: str, own: Iterable[str], others: Iterable[str]) -> str:
    parts = (*(f"{name} IS NOT NULL" for name in own), *(f"{name} IS NULL" for name in others))
    return f"protocol <> '{protocol}' OR ({' AND '.join(parts)})"


def _bury_oidc() -> None:
    """What refers to these connections stays, so they become deleted ones of the protocol that is left."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        op.execute("ALTER TABLE connections NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE connections SET protocol = 'saml', mode = 'off', sso_binding = 'redirect', signed = 'any', "
        "wants_signed_requests = false, idp_initiated = 'refuse', refuse_expired_certificates = false, "
        "metadata_due_at = NULL, deleted_at = changed_at WHERE protocol = 'oidc'"
    )
    if is_postgresql:
        op.execute("ALTER TABLE connections FORCE ROW LEVEL SECURITY")


def _describe_indexes() -> None:
    """SQLite made the table anew; tell it of its indexes as the first migration did."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        return
    bind.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = 'connections'")
    for index in bind.exec_driver_sql("PRAGMA index_list(connections)").all():
        name, is_unique = index[1], bool(index[2])
        columns = len(bind.exec_driver_sql(f"PRAGMA index_info({name})").all())
        shares = [ROWS, *[MATCHING] * (columns - 2), 1 if is_unique else 2][:columns]
        figures = " ".join(str(figure) for figure in (ROWS, *shares))
        bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", ("connections", name, figures))
