"""People are found by any of their addresses, by an index, whatever else the brackets say."""

from typing import Any

import pytest

from app.scim.protocol.constants import PATCH_OP
from app.scim.protocol.list_query import ListQuery
from app.scim.selection import Selection
from app.scim.shelves import USERS
from tests.scim.answers import found
from tests.support.cast import Organization
from tests.support.tolerances import auto

WORK = 'emails[type eq "work"].value eq "{}"'


def emails(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"type": kind, "value": value} for kind, value in pairs]


@pytest.mark.scim("entra/operators")
def test_every_address_of_a_person_finds_them_and_only_by_its_own_type(
    acme: Organization, globex: Organization
) -> None:
    pairs = (("home", "ANNA@home.example"), ("work", "Anna@Work.example"), ("work", "anna@second.example"))
    anna = acme.scim.create_user(emails=emails(*pairs))
    globex.scim.create_user(emails=emails(*pairs))
    acme.scim.create_user(emails=emails(("work", "bob@work.example")))
    for kind, value in pairs:
        assert found(acme.scim, "/Users", WORK.format(value.upper())) == ([anna] if kind == "work" else [])
        for condition in (
            f'emails eq "{value}"',
            f'emails.value eq "{value}"',
            f'emails[value eq "{value}"]',
        ):
            assert found(acme.scim, "/Users", condition) == [anna]


def test_an_address_finds_nobody_once_it_is_gone(acme: Organization) -> None:
    first, second, third = (("work", f"{name}@example.com") for name in ("first", "second", "third"))
    anna = acme.scim.create_user("anna", emails=emails(first, second))

    def found_by() -> list[str]:
        pairs = (first, second, third)
        return [value for _, value in pairs if found(acme.scim, "/Users", WORK.format(value)) == [anna]]

    body: dict[str, Any] = {"userName": "anna", "emails": emails(second, third)}
    assert acme.scim.put(f"/Users/{anna}", body).status_code == 200
    assert found_by() == [second[1], third[1]]
    # The same address twice, and one that moves from the other rows into the user's own.
    operation = {"op": "replace", "path": "emails", "value": emails(third, third, first)}
    patched = acme.scim.patch(f"/Users/{anna}", {"schemas": [PATCH_OP], "Operations": [operation]})
    assert patched.status_code == 200
    assert found_by() == [first[1], third[1]]
    assert acme.scim.delete(f"/Users/{anna}").status_code == 204
    assert found_by() == []


def test_a_filter_by_address_reads_no_other_person(acme: Organization) -> None:
    query = ListQuery.parse({"filter": f"active eq true and {WORK.format('anna@example.com')}"})
    ids = Selection.of(USERS, acme.container.registry.user, query, auto()).ids
    engine = acme.container.database.engine
    if engine.dialect.name != "sqlite":
        pytest.skip("What PostgreSQL plans depends on how much there is; bench.scale measures it.")
    compiled = ids.params(this_org_id=acme.id).compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        details = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]
    shown = "\n".join(details)
    assert "ix_users_org_id_email_key (org_id=? AND email_key=?)" in shown
    assert "ix_other_emails_email_key (org_id=? AND email_key=?)" in shown
    assert "SEARCH users USING INDEX sqlite_autoindex_users_1 (org_id=? AND id=?)" in shown
