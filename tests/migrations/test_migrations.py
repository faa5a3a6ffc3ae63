"""The schema goes up, down and up again, with data, on both databases, and matches the models."""

from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, update

from app import create_app, schema
from app.core.database import metadata
from app.core.tenancy import ORG_ID
from app.scim.protocol.constants import ENTERPRISE_USER
from app.settings import Settings
from app.sso.addresses import parse_email
from app.sso.domains import DomainService
from app.sso.models import domains
from app.sso.ownership import DomainOwnership, Ownership
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.databases import KINDS

MakeDatabase = Callable[[str, str], Settings]


def fill_and_read(settings: Settings) -> int:
    """Use the schema for real: an organization, a person, a seat. Answers how many users there are."""
    app = create_app(settings)
    organization = create_organization(app)
    organization.map_group(organization.scim.create_group(members=[organization.scim.create_user()]))
    total: int = json_of(organization.scim.get("/Users"))["totalResults"]
    organization.container.database.dispose()
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_every_migration_goes_up_down_and_up_with_data(new_database: MakeDatabase, kind: str) -> None:
    settings = new_database(kind, "up_and_down")
    schema.upgrade(settings)
    assert fill_and_read(settings) == 1
    schema.downgrade(settings, "base")
    engine = create_engine(settings.migration_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    schema.upgrade(settings)
    assert fill_and_read(settings) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_migrated_schema_is_the_one_of_the_models(new_database: MakeDatabase, kind: str) -> None:
    settings = new_database(kind, "compared")
    schema.upgrade(settings)
    engine = create_engine(settings.migration_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("kind", KINDS)
def test_upgrading_twice_is_no_change(new_database: MakeDatabase, kind: str) -> None:
    settings = new_database(kind, "twice")
    schema.upgrade(settings)
    schema.upgrade(settings)
    assert fill_and_read(settings) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_from_before_tolerances_keep_their_rights(new_database: MakeDatabase, kind: str) -> None:
    settings = new_database(kind, "old_tokens")
    schema.upgrade(settings)
    app = create_app(settings)
    organization = create_organization(app)
    # Down and up again is what an installation from before has behind it.
    organization.container.database.dispose()
    schema.downgrade(settings, "20261122_spine")
    schema.upgrade(settings)
    organization.scim.create_user(active="True")
    assert organization.api.get("/roles").status_code == 200
    listed = json_of(organization.api.get("/scim_tokens"))["data"]
    assert [(row["access"], row["tolerances"]) for row in listed] == [("write", "auto")]
    organization.container.database.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_managers_named_before_the_column_are_found_by_the_migration(
    new_database: MakeDatabase, kind: str
) -> None:
    settings = new_database(kind, "managers")
    schema.upgrade(settings)
    app = create_app(settings)
    scim = create_organization(app).scim
    boss = scim.create_user(displayName="Boss")
    reports = [scim.create_user(None, **{ENTERPRISE_USER: {"manager": id_}}) for id_ in (boss, "M-1")]
    answers = [json_of(scim.get(f"/Users/{id_}")) for id_ in reports]
    schema.downgrade(settings, "20261124_tolerances")
    schema.upgrade(settings)
    assert [json_of(scim.get(f"/Users/{id_}")) for id_ in reports] == answers
    assert [answer[ENTERPRISE_USER]["manager"].get("displayName") for answer in answers] == ["Boss", None]
    app.extensions["usher"].database.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_people_from_before_are_found_by_all_their_addresses(new_database: MakeDatabase, kind: str) -> None:
    settings = new_database(kind, "old_addresses")
    schema.upgrade(settings)
    app = create_app(settings)
    organization = create_organization(app)
    addresses = [{"value": value, "type": "work"} for value in ("A@example.com", "B@example.com")]
    anna = organization.scim.create_user(emails=[*addresses, addresses[1]])
    organization.scim.create_user()
    organization.container.database.dispose()
    schema.downgrade(settings, "20261125_nesting")
    schema.upgrade(settings)
    for value in ("a@example.com", "b@example.com"):
        answer = organization.scim.get("/Users", query_string={"filter": f'emails.value eq "{value}"'})
        assert [found["id"] for found in json_of(answer)["Resources"]] == [anna]
    organization.container.database.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_organizations_from_before_get_the_new_built_in_roles(new_database: MakeDatabase, kind: str) -> None:
    settings = new_database(kind, "old_roles")
    schema.upgrade(settings)
    app = create_app(settings)
    acme, globex = create_organization(app), create_organization(app)
    names = ("admin", "auditor", "billing")
    new = json_of(acme.api.get("/roles"))["data"]
    # Down, and without the roles, is what an installation from before is like.
    with app.extensions["usher"].database.engine.connect() as connection:
        for organization in (acme, globex):
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET usher.org_id = '{organization.id}'")
            connection.exec_driver_sql(f"DELETE FROM roles WHERE name_key IN {names}")
        connection.commit()
    own = json_of(globex.api.post("/roles", {"name": "Billing"}))
    app.extensions["usher"].database.dispose()
    schema.downgrade(settings, "20261126_other_emails")
    schema.upgrade(settings)

    def shown(organization: Organization) -> list[dict[str, object]]:
        listed = json_of(organization.api.get("/roles"))["data"]
        return sorted((rights_of(role) for role in listed), key=lambda role: str(role["name"]))

    def rights_of(role: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in role.items() if name not in ("id", "created_at")}

    assert shown(acme) == sorted((rights_of(role) for role in new), key=lambda role: str(role["name"]))
    kept = next(role for role in json_of(globex.api.get("/roles"))["data"] if role["name"] == "Billing")
    assert kept == own
    assert len(shown(globex)) == len(new)
    events = json_of(acme.api.get("/audit/events?action=role.created&actor_id=migration"))["data"]
    assert sorted(event["data"]["name"] for event in events) == list(names)
    app.extensions["usher"].database.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_domains_that_lapsed_before_are_known_to_have_and_wildcards_go_with_the_schema(
    new_database: MakeDatabase, kind: str
) -> None:
    settings = new_database(kind, "lapsed_domains")
    schema.upgrade(settings)
    app = create_app(settings)
    acme = create_organization(app)
    with in_organization(app, acme.id) as services:
        for name in ("acme.example", "lapsed.example", "*.acme.example"):
            services.get(DomainService).verify_by_operator(name)
        mine = (domains.c.org_id == ORG_ID, domains.c.name == "lapsed.example")
        services.uow.execute(update(domains).where(*mine).values(state="lapsed"))
        services.commit()
    acme.container.database.dispose()
    schema.downgrade(settings, "20261129_usage")
    schema.upgrade(settings)
    with in_organization(app, acme.id, write=False) as services:
        judged = [
            services.get(DomainOwnership).judge(parse_email(f"ada@{name}")).ownership
            for name in ("acme.example", "lapsed.example", "eu.acme.example")
        ]
    assert judged == [Ownership.OK, Ownership.LAPSED, Ownership.NOT_VERIFIED]
    listed = json_of(acme.api.get("/domains"))["data"]
    assert [row["name"] for row in listed] == ["acme.example", "lapsed.example"]
    acme.container.database.dispose()
