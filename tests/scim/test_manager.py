"""The manager: an id from the IdP, shown with the living person's address and name, and cleaned up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, SEAT, USER
from tests.scim.answers import found, listed, ok, refused, user
from tests.support.cast import Organization
from tests.support.fakes import FakeClock

UNKNOWN = "01890000-0000-7000-8000-000000000000"
MANAGER = f"{ENTERPRISE_USER}:manager"


def manager_of(acme: Organization, user_id: str) -> dict[str, Any] | None:
    """What the user's answer shows as manager; `None` when there is none."""
    found: dict[str, Any] | None = user(acme.scim, user_id).get(ENTERPRISE_USER, {}).get("manager")
    return found


def shown(acme: Organization, boss: str, name: str) -> dict[str, str]:
    return {"value": boss, "$ref": user(acme.scim, boss)["meta"]["location"], "displayName": name}


def hire(acme: Organization, manager: Any, **attributes: Any) -> str:
    return acme.scim.create_user(**{ENTERPRISE_USER: {"manager": manager}, **attributes})


@pytest.mark.scim("rfc/37")
def test_every_answer_shows_the_manager_s_address_and_present_name(acme: Organization) -> None:
    boss = acme.scim.create_user("boss@example.com", displayName='Zoë "Z" Boss')
    body = {
        "schemas": [USER, ENTERPRISE_USER],
        "userName": "anna",
        ENTERPRISE_USER: {"manager": {"value": boss}},
    }
    created = ok(acme.scim.post("/Users", body), 201)
    expected = shown(acme, boss, 'Zoë "Z" Boss')
    path = f"/Users/{created['id']}"
    assert created[ENTERPRISE_USER]["manager"] == expected
    # Only the answer to a create shows no seat, not even an empty one.
    read = {**created, SEAT: {}}
    assert ok(acme.scim.get(path)) == read
    assert listed(acme.scim, "/Users", filter='userName eq "anna"')["Resources"] == [read]
    assert ok(acme.scim.put(path, created)) == read
    switched = ok(acme.scim.set_active(created["id"], False))
    assert switched[ENTERPRISE_USER]["manager"] == expected
    titled = ok(
        acme.scim.patch_operations(path, {"op": "add", "path": "title", "value": '"manager":{"value":"x"'})
    )
    assert titled[ENTERPRISE_USER]["manager"] == expected
    renamed = {"op": "replace", "path": "displayName", "value": "Chief"}
    acme.scim.patch_operations(f"/Users/{boss}", renamed)
    assert manager_of(acme, created["id"]) == {**expected, "displayName": "Chief"}
    assert user(acme.scim, created["id"])["meta"] == titled["meta"]
    acme.scim.patch_operations(f"/Users/{boss}", {"op": "remove", "path": "displayName"})
    assert manager_of(acme, created["id"]) == {"value": boss, "$ref": expected["$ref"]}


@pytest.mark.scim("entra/manager", "rfc/24")
def test_a_new_manager_is_shown_in_the_answer_to_the_change(acme: Organization) -> None:
    first, second = (acme.scim.create_user(displayName=name) for name in ("First", "Second"))
    anna = hire(acme, {"value": first, "$ref": "https://elsewhere.example/Users/1", "displayName": "Fake"})
    assert manager_of(acme, anna) == shown(acme, first, "First")
    operation = {"op": "Replace", "path": MANAGER, "value": second}
    changed = ok(acme.scim.patch_operations(f"/Users/{anna}", operation))
    assert changed[ENTERPRISE_USER]["manager"] == shown(acme, second, "Second")
    own = ok(acme.scim.patch_operations(f"/Users/{anna}", {**operation, "value": {"value": anna}}))
    assert own[ENTERPRISE_USER]["manager"] == {"value": anna, "$ref": own["meta"]["location"]}
    renamed = {"op": "add", "path": "displayName", "value": "Anna"}
    own = ok(acme.scim.patch_operations(f"/Users/{anna}", renamed))
    assert own[ENTERPRISE_USER]["manager"] == shown(acme, anna, "Anna")
    cleared = ok(acme.scim.patch_operations(f"/Users/{anna}", {**operation, "value": {"value": ""}}))
    assert ENTERPRISE_USER not in cleared


@pytest.mark.scim("rfc/31")
@pytest.mark.parametrize("name", [MANAGER, f"{MANAGER}.displayName", f"{MANAGER}.$ref", "manager.value"])
def test_a_projection_shows_the_asked_part(acme: Organization, name: str) -> None:
    boss = acme.scim.create_user(displayName="Boss")
    anna = hire(acme, {"value": boss})
    part = ok(acme.scim.get(f"/Users/{anna}", query_string={"attributes": name}))[ENTERPRISE_USER]["manager"]
    whole = shown(acme, boss, "Boss")
    leaf = name.rpartition(".")[2]
    assert part == ({leaf: whole[leaf]} if leaf in whole else whole)


@pytest.mark.parametrize("stranger", [UNKNOWN, "m-1", "Ada Lovelace", UNKNOWN.upper(), '"\\'])
def test_a_manager_who_is_not_here_is_kept_without_name_and_address(
    acme: Organization, stranger: str
) -> None:
    anna = hire(acme, stranger)
    assert manager_of(acme, anna) == {"value": stranger}
    assert ok(acme.scim.put(f"/Users/{anna}", user(acme.scim, anna))) == user(acme.scim, anna)


@pytest.mark.scim("rfc/49")
def test_a_manager_of_another_organization_is_not_seen(acme: Organization, globex: Organization) -> None:
    theirs = globex.scim.create_user(displayName="Secret")
    anna = hire(acme, theirs)
    assert manager_of(acme, anna) == {"value": theirs}
    globex.scim.delete(f"/Users/{theirs}")
    assert manager_of(acme, anna) == {"value": theirs}
    assert found(acme.scim, "/Users", 'manager.displayName eq "secret"') == []


@pytest.mark.scim("entra/reference-check", "rfc/37", "rfc/38")
def test_entra_s_reference_check_finds_one_or_nobody(acme: Organization) -> None:
    boss, other = acme.scim.create_user(displayName="Boss"), acme.scim.create_user()
    anna = hire(acme, boss)
    for name in ("manager", "manager.value", MANAGER, f"{MANAGER}.value", "MANAGER"):
        assert found(acme.scim, "/Users", f'{name} eq "{boss}"') == [anna]
        check = f'id eq "{anna}" and {name} eq "{{}}"'
        body = listed(acme.scim, "/Users", filter=check.format(boss), attributes="id")
        assert [resource["id"] for resource in body["Resources"]] == [anna]
        assert not any(ENTERPRISE_USER in resource for resource in body["Resources"])
        for nobody in (other, UNKNOWN, "x", boss.upper()):
            assert found(acme.scim, "/Users", check.format(nobody)) == []
    location = user(acme.scim, boss)["meta"]["location"]
    for condition in ('manager.displayName eq "BOSS"', f'manager.$ref eq "{location}"', "manager pr"):
        assert found(acme.scim, "/Users", condition) == [anna]


@pytest.mark.scim("rfc/33")
def test_deleting_the_manager_cleans_every_reference_and_raises_the_versions(
    acme: Organization, clock: FakeClock
) -> None:
    boss = acme.scim.create_user("boss@example.com")
    anna, bob = hire(acme, boss), hire(acme, boss, active=False)
    both = acme.scim.create_user(None, **{ENTERPRISE_USER: {"manager": boss, "department": "Sales"}})
    other = hire(acme, anna)
    before = {id_: user(acme.scim, id_) for id_ in (anna, bob, both, other)}
    clock.advance(minutes=1)
    assert acme.scim.delete(f"/Users/{boss}").status_code == 204
    after = {id_: user(acme.scim, id_) for id_ in before}
    assert after[other] == before[other]
    for id_ in (anna, bob, both):
        assert after[id_]["meta"]["version"] == 'W/"2"'
        assert after[id_]["meta"]["lastModified"] > before[id_]["meta"]["lastModified"]
        assert after[id_]["active"] == before[id_]["active"]
        assert acme.audit_actions(id_)[-1] == "user.updated"
        assert len(acme.audit_actions(id_)) == 2
    assert after[both][ENTERPRISE_USER] == {"department": "Sales"}
    assert [after[id_]["schemas"] for id_ in (anna, both)] == [[USER], [USER, ENTERPRISE_USER]]
    assert ENTERPRISE_USER not in after[anna]
    assert found(acme.scim, "/Users", f'manager eq "{boss}"') == []
    assert found(acme.scim, "/Users", "manager pr") == [other]
    assert found(acme.scim, "/Users", f'{ENTERPRISE_USER}:department eq "sales"') == [both]
    assert hire(acme, boss) in found(acme.scim, "/Users", f'manager eq "{boss}"')


def test_a_stale_version_does_not_delete_a_manager(acme: Organization) -> None:
    boss = acme.scim.create_user()
    anna = hire(acme, boss)
    refused(acme.scim.delete(f"/Users/{boss}", headers={"If-Match": 'W/"7"'}), 412)
    assert manager_of(acme, anna) is not None


@pytest.mark.parametrize("value", [7.5, ["a", "b"], True, {"value": {}}, {"value": ["x"]}])
def test_a_manager_that_is_no_reference_is_400_or_none(acme: Organization, value: Any) -> None:
    response = acme.scim.post("/Users", {"userName": "anna", ENTERPRISE_USER: {"manager": value}})
    if response.status_code != 201:
        refused(response, 400, "invalidValue")
    assert response.status_code == 400 or ENTERPRISE_USER not in ok(response, 201)


@pytest.fixture
def rounds(chaos: bool) -> int:
    return 100 if chaos else 5


def test_a_manager_deleted_while_being_named_is_never_shown_as_living(
    acme: Organization, rounds: int
) -> None:
    for _ in range(rounds):
        boss, anna = acme.scim.create_user(), acme.scim.create_user()
        name = {"op": "add", "path": MANAGER, "value": boss}
        requests: list[Callable[[], int]] = [
            lambda anna=anna, name=name: acme.scim.patch_operations(f"/Users/{anna}", name).status_code,  # type: ignore[misc]
            lambda boss=boss: acme.scim.delete(f"/Users/{boss}").status_code,  # type: ignore[misc]
        ]
        with ThreadPoolExecutor(2) as threads:
            assert [future.result() for future in [threads.submit(run) for run in requests]] == [200, 204]
        # Named before the deletion it is gone; named after it, it is an id like any that is not here.
        assert manager_of(acme, anna) in (None, {"value": boss})
