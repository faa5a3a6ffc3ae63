"""Sessions ask over REST as keys do; a domain is proved by a document as well as by a record."""

from alembic import op

revision = "20261129_sessions_at_the_edge"
down_revision = "20261128_spend"
branch_labels = None
depends_on = None

KEYS, BEARER = "idempotency_keys", "fk_idempotency_keys_org_id_credential_id"
ROWS, MATCHING = 100_000, 10


def upgrade() -> None:
    with op.batch_alter_table(KEYS) as keys:
        keys.drop_constraint(op.f(BEARER), type_="foreignkey")
        keys.alter_column("credential_id", new_column_name="bearer_id")
    _allow_proofs("dns", "https", "operator")
    _describe_indexes()


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    # Neither command is bound by row-level security; what was remembered may be of sessions.
    op.execute(f"TRUNCATE {KEYS}" if is_postgresql else f"DELETE FROM {KEYS}")
    with op.batch_alter_table(KEYS) as keys:
        keys.alter_column("bearer_id", new_column_name="credential_id")
    # SQLite knows the column by its new name only in a second copy.
    with op.batch_alter_table(KEYS) as keys:
        keys.create_foreign_key(op.f(BEARER), "credentials", ["org_id", "credential_id"], ["org_id", "id"])
    if is_postgresql:
        op.execute("ALTER TABLE domains NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE domains SET proof = 'dns' WHERE proof = 'https'")
    if is_postgresql:
        op.execute("ALTER TABLE domains FORCE ROW LEVEL SECURITY")
    _allow_proofs("dns", "operator")
    _describe_indexes()


def _allow_proofs(*proofs: str) -> None:
    with op.batch_alter_table("domains") as domains:
        domains.drop_constraint(op.f("ck_domains_proof"), type_="check")
        listed = ", ".join(f"'{proof}'" for proof in proofs)
        domains.create_check_constraint(op.f("ck_domains_proof"), f"proof IN ({listed})")


def _describe_indexes() -> None:
    """SQLite made both tables anew; tell it of their indexes as the first migration did."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        return
    for table in (KEYS, "domains"):
        bind.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = ?", (table,))
        for index in bind.exec_driver_sql(f"PRAGMA index_list({table})").all():
            name, is_unique = index[1], bool(index[2])
            columns = len(bind.exec_driver_sql(f"PRAGMA index_info({name})").all())
            shares = [ROWS, *[MATCHING] * (columns - 2), 1 if is_unique else 2][:columns]
            figures = " ".join(str(figure) for figure in (ROWS, *shares))
            bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name, figures))
