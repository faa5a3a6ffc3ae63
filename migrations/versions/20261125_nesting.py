"""Groups in groups, and who is whose manager."""

import sqlalchemy as sa
from alembic import op

revision = "20261125_nesting"
down_revision = "20261124_tolerances"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
TABLES = {"group_members": "member_group_id", "group_ancestors": "ancestor_id"}
INDEXES = {
    "ix_group_members_member": ("group_members", ["org_id", "member_group_id", "group_id"]),
    "ix_group_ancestors_ancestor": ("group_ancestors", ["org_id", "ancestor_id", "group_id"]),
}
ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def upgrade() -> None:
    for table, other in TABLES.items():
        op.create_table(
            table,
            sa.Column("org_id", ID, nullable=False),
            sa.Column("group_id", ID, nullable=False),
            sa.Column(other, ID, nullable=False),
            sa.ForeignKeyConstraint(
                ["org_id", "group_id"],
                ["groups.org_id", "groups.id"],
                name=op.f(f"fk_{table}_org_id_group_id"),
            ),
            sa.ForeignKeyConstraint(
                ["org_id", other], ["groups.org_id", "groups.id"], name=op.f(f"fk_{table}_org_id_{other}")
            ),
            sa.PrimaryKeyConstraint("org_id", "group_id", other, name=op.f(f"pk_{table}")),
        )
    for index, (table, columns) in INDEXES.items():
        op.create_index(index, table, columns, unique=False)
    op.add_column("users", sa.Column("manager_id", ID, nullable=True))
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        for table in TABLES:
            _fence(table)
        _name_managers_on_postgresql()
    else:
        _name_managers_on_sqlite()
    op.create_index(
        "ix_users_manager",
        "users",
        ["org_id", "manager_id"],
        unique=False,
        postgresql_where=sa.text("manager_id IS NOT NULL"),
        sqlite_where=sa.text("manager_id IS NOT NULL"),
    )
    if not on_postgresql:
        _describe_indexes()


def downgrade() -> None:
    op.drop_index("ix_users_manager", table_name="users")
    op.drop_column("users", "manager_id")
    for table in reversed(TABLES):
        op.drop_table(table)


def _name_managers_on_postgresql() -> None:
    manager = f"search #>> '{{{ENTERPRISE_USER},manager,value}}'"
    bind = op.get_bind()
    # The owner is bound by row-level security as well, and has entered no organization.
    bind.exec_driver_sql("ALTER TABLE users NO FORCE ROW LEVEL SECURITY")
    bind.exec_driver_sql(
        f"UPDATE users SET manager_id = ({manager})::uuid"
        f" WHERE {manager} ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'"
    )
    bind.exec_driver_sql("ALTER TABLE users FORCE ROW LEVEL SECURITY")


def _name_managers_on_sqlite() -> None:
    manager = f"""json_extract(search, '$."{ENTERPRISE_USER}".manager.value')"""
    op.get_bind().exec_driver_sql(
        f"UPDATE users SET manager_id = {manager}"
        f" WHERE {manager} GLOB '????????-????-????-????-????????????'"
        f" AND {manager} NOT GLOB '*[^0-9a-f-]*'"
    )


def _describe_indexes() -> None:
    """Tell SQLite what the new indexes are like, as the first migration did for the others."""
    figures = {"users": {"ix_users_manager": "100000 100000 10"}}
    bind = op.get_bind()
    for table in TABLES:
        names = [row[1] for row in bind.exec_driver_sql(f"PRAGMA index_list({table})")]
        # Rows in all, then the rows that share the first column, the first two, and all three.
        figures[table] = {
            name: "100000 100000 10 2" if name in INDEXES else "100000 100000 10 1" for name in names
        }
    for table, indexes in figures.items():
        for name, figure in indexes.items():
            bind.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name, figure))


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
