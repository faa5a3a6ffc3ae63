"""P5: the wall in the database, seen by the role that serves requests and owns nothing."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from app import create_app
from app.core.database import metadata
from app.settings import Settings
from tests.support.cast import Organization, create_organization
from tests.support.databases import migrated

SCOPED = sorted(name for name, table in metadata.tables.items() if table.info.get("scoped"))


@pytest.fixture(scope="module")
def fenced(new_database: Callable[[str, str], Settings]) -> Settings:
    return migrated(new_database("postgresql", "fenced"))


@pytest.fixture(scope="module")
def two(fenced: Settings) -> Iterator[tuple[Organization, Organization]]:
    app = create_app(fenced)
    first, second = create_organization(app), create_organization(app)
    for organization in (first, second):
        group = organization.scim.create_group(members=[organization.scim.create_user()])
        organization.map_group(group)
    yield first, second
    first.container.database.dispose()


@pytest.fixture
def connection(fenced: Settings) -> Iterator[psycopg.Connection]:
    url = fenced.database_url.replace("+psycopg", "")
    with psycopg.connect(url) as opened:
        yield opened


def test_the_serving_role_is_bound_and_owns_nothing(connection: psycopg.Connection) -> None:
    row = connection.execute(
        "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_tables WHERE tableowner = current_user)"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (False, False, 0)


@pytest.mark.parametrize("table", SCOPED)
def test_row_level_security_is_forced_on_every_table_of_organizations(
    connection: psycopg.Connection, table: str
) -> None:
    row = connection.execute(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s", [table]
    ).fetchone()
    assert row == (True, True)


@pytest.mark.parametrize("table", SCOPED)
def test_without_an_organization_no_row_is_seen(
    two: tuple[Organization, Organization], connection: psycopg.Connection, table: str
) -> None:
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_only_the_entered_organization_is_seen(
    two: tuple[Organization, Organization], connection: psycopg.Connection
) -> None:
    connection.execute("SELECT set_config('usher.org_id', %s, true)", [two[0].id])
    seen = connection.execute("SELECT DISTINCT org_id::text FROM users").fetchall()
    assert seen == [(two[0].id,)]


def test_a_row_of_another_organization_cannot_be_written(
    two: tuple[Organization, Organization], connection: psycopg.Connection
) -> None:
    connection.execute("SELECT set_config('usher.org_id', %s, true)", [two[0].id])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("INSERT INTO seat_pools (org_id, assigned) VALUES (%s, 0)", [two[1].id])


def test_the_serving_role_cannot_delete_audit_entries(
    two: tuple[Organization, Organization], connection: psycopg.Connection
) -> None:
    connection.execute("SELECT set_config('usher.org_id', %s, true)", [two[0].id])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM audit_events")
