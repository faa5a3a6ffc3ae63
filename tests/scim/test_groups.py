"""What /Groups answers over HTTP: the life of a group, its members, and who may ask."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.scim.protocol.constants import GROUP
from app.settings import Settings
from tests.scim.answers import found, group, groups_of, listed, member_count, members, ok, refused, user
from tests.support.cast import Organization, create_organization
from tests.support.fakes import FakeClock

UNKNOWN = "01890000-0000-7000-8000-000000000000"


def member(*ids: str) -> list[dict[str, str]]:
    return [{"value": id_} for id_ in ids]


@pytest.mark.scim("rfc/26", "rfc/35")
def test_a_group_is_created_read_replaced_patched_and_deleted(acme: Organization) -> None:
    anna, bob = (acme.scim.create_user(displayName=name) for name in ("Anna", "Bob"))
    body = {"schemas": [GROUP], "displayName": "Sales", "externalId": "g-1", "members": member(anna)}
    created = acme.scim.post("/Groups", body)
    answer = ok(created, 201)
    path = f"/Groups/{answer['id']}"
    assert created.headers["Location"] == answer["meta"]["location"]
    assert created.headers["ETag"] == answer["meta"]["version"] == 'W/"1"'
    location = user(acme.scim, anna)["meta"]["location"]
    assert answer["members"] == [{"value": anna, "$ref": location, "display": "Anna", "type": "User"}]
    assert ok(acme.scim.get(path)) == answer
    replaced = ok(acme.scim.put(path, {"displayName": "Field Sales", "members": member(bob)}))
    assert (replaced["displayName"], members(acme.scim, answer["id"])) == ("Field Sales", [bob])
    assert "externalId" not in replaced
    operation = {"op": "replace", "path": "displayName", "value": "Sales"}
    assert acme.scim.patch_operations(path, operation).status_code == 204
    assert acme.scim.delete(path).status_code == 204
    refused(acme.scim.get(path), 404)


def test_a_member_without_a_display_name_has_no_display(acme: Organization) -> None:
    anna = acme.scim.create_user()
    (shown,) = group(acme.scim, acme.scim.create_group(members=[anna]))["members"]
    assert shown == {"value": anna, "$ref": user(acme.scim, anna)["meta"]["location"], "type": "User"}


@pytest.mark.scim("rfc/34")
def test_the_user_mirrors_the_membership(acme: Organization) -> None:
    anna = acme.scim.create_user()
    group_id = acme.scim.create_group("Sales", [anna])
    location = group(acme.scim, group_id)["meta"]["location"]
    mirrored = {"value": group_id, "$ref": location, "display": "Sales", "type": "direct"}
    before = user(acme.scim, anna)
    assert before["groups"] == [mirrored]
    assert listed(acme.scim, "/Users")["Resources"][0]["groups"] == [mirrored]
    acme.scim.remove_members(group_id, anna)
    assert user(acme.scim, anna)["meta"] == before["meta"]
    assert groups_of(acme.scim, anna) == []


@pytest.mark.scim("rfc/30")
def test_a_patch_that_asks_for_attributes_is_answered_with_them(acme: Organization) -> None:
    anna = acme.scim.create_user()
    path = f"/Groups/{acme.scim.create_group()}?attributes=members"
    operation = {"op": "add", "path": "members", "value": member(anna)}
    body = ok(acme.scim.patch_operations(path, operation))
    assert body.keys() == {"id", "schemas", "members"}
    assert body["members"][0]["value"] == anna


def test_the_member_count_is_right_after_every_kind_of_change(acme: Organization) -> None:
    people = [acme.scim.create_user() for _ in range(4)]
    group_id = acme.scim.create_group("Counted", people[:2])
    path = f"/Groups/{group_id}"
    assert member_count(acme, group_id) == 2
    steps: list[tuple[Callable[[], Any], int]] = [
        (lambda: acme.scim.add_members(group_id, *people), 4),
        (lambda: acme.scim.add_members(group_id, *people), 4),
        (lambda: acme.scim.remove_members(group_id, people[0], UNKNOWN), 3),
        (lambda: acme.scim.patch_operations(path, {"op": "replace", "path": "members", "value": []}), 0),
        (lambda: acme.scim.put(path, {"displayName": "Counted", "members": member(*people[:3])}), 3),
        (lambda: acme.scim.delete(f"/Users/{people[0]}"), 2),
        (lambda: acme.scim.set_active(people[1], False), 2),
        (lambda: acme.scim.patch_operations(path, {"op": "remove", "path": "members"}), 0),
    ]
    for step, count in steps:
        assert step().status_code in (200, 204)
        assert member_count(acme, group_id) == count


@pytest.mark.scim("rfc/11")
def test_adding_a_present_member_is_success_without_a_change(acme: Organization, clock: FakeClock) -> None:
    anna = acme.scim.create_user()
    group_id = acme.scim.create_group(members=[anna, anna])
    before = group(acme.scim, group_id)
    clock.advance(minutes=5)
    assert acme.scim.add_members(group_id, anna, anna).status_code == 204
    assert acme.scim.remove_members(group_id, UNKNOWN, "nobody").status_code == 204
    name = {"op": "replace", "path": "displayName", "value": before["displayName"]}
    assert acme.scim.patch_operations(f"/Groups/{group_id}", name).status_code == 204
    assert group(acme.scim, group_id) == before
    assert len(before["members"]) == 1
    acme.scim.remove_members(group_id, anna)
    assert group(acme.scim, group_id)["meta"]["lastModified"] > before["meta"]["lastModified"]


@pytest.mark.scim("rfc/5")
@pytest.mark.parametrize(
    "stranger", ["unknown", "foreign", "text", "deleted", "deleted group", "foreign group"]
)
def test_a_strange_member_is_400_by_name_and_nothing_changes(
    acme: Organization, globex: Organization, stranger: str
) -> None:
    anna, bob = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group("Closed", [anna])
    before = group(acme.scim, group_id)
    deleted = acme.scim.create_user()
    acme.scim.delete(f"/Users/{deleted}")
    deleted_group = acme.scim.create_group()
    acme.scim.delete(f"/Groups/{deleted_group}")
    named = {
        "unknown": UNKNOWN,
        "foreign": globex.scim.create_user(),
        "text": "Ada Lovelace",
        "deleted": deleted,
        "deleted group": deleted_group,
        "foreign group": globex.scim.create_group(),
    }[stranger]
    path = f"/Groups/{group_id}"
    name = {"op": "replace", "path": "displayName", "value": "Changed"}
    leave = {"op": "remove", "path": "members", "value": member(anna)}
    join = {"op": "add", "path": "members", "value": member(bob, named)}
    body = {"displayName": "New", "members": member(bob, named)}
    for response in (
        acme.scim.patch_operations(path, name, leave, join),
        acme.scim.put(path, body),
        acme.scim.post("/Groups", body),
    ):
        assert named in refused(response, 400, "invalidValue")
    assert group(acme.scim, group_id) == before
    assert member_count(acme, group_id) == 1
    assert listed(acme.scim, "/Groups")["totalResults"] == 1


@pytest.mark.scim("rfc/49")
def test_a_foreign_group_is_404_for_every_method_and_never_counted(
    acme: Organization, globex: Organization
) -> None:
    anna = acme.scim.create_user()
    group_id = acme.scim.create_group("Sales", [anna])
    before = group(acme.scim, group_id)
    path = f"/Groups/{group_id}"
    refused(globex.scim.get(path), 404)
    refused(globex.scim.put(path, {"displayName": "Mine"}), 404)
    refused(globex.scim.add_members(group_id), 404)
    refused(globex.scim.remove_members(group_id, anna), 404)
    refused(globex.scim.delete(path), 404)
    for condition in (f'members eq "{anna}"', 'displayName eq "Sales"', "not (externalId pr)"):
        assert found(globex.scim, "/Groups", condition) == []
    assert listed(globex.scim, "/Groups", count=0)["totalResults"] == 0
    own = globex.scim.create_group("SALES")
    assert found(globex.scim, "/Groups", "displayName pr") == [own]
    assert group(acme.scim, group_id) == before


@pytest.mark.parametrize("path", ["/Groups", f"/Groups/{UNKNOWN}"])
def test_without_a_token_every_answer_is_401(acme: Organization, path: str) -> None:
    client = acme.app.test_client()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        response = client.open(f"/scim/v2{path}", method=method, json={})
        refused(response, 401 if response.status_code != 405 else 405)
    assert client.get(f"/scim/v2{path}").status_code == 401


@pytest.mark.scim("rfc/51")
def test_versions_guard_put_patch_and_delete_and_spare_a_known_group(acme: Organization) -> None:
    anna = acme.scim.create_user()
    group_id = acme.scim.create_group("Versioned")
    path = f"/Groups/{group_id}"
    added = acme.scim.add_members(group_id, anna)
    assert added.headers["ETag"] == acme.scim.get(path).headers["ETag"] == 'W/"2"'
    known = acme.scim.get(path, headers={"If-None-Match": 'W/"2"'})
    assert (known.status_code, known.data) == (304, b"")
    stale = {"If-Match": 'W/"1"'}
    join = {"op": "add", "path": "members", "value": member(anna)}
    before = group(acme.scim, group_id)
    refused(acme.scim.put(path, {"displayName": "x"}, headers=stale), 412)
    refused(acme.scim.patch_operations(path, join, headers=stale), 412)
    refused(acme.scim.delete(path, headers=stale), 412)
    assert group(acme.scim, group_id) == before
    fresh = {"If-Match": 'W/"2"'}
    leave = {"op": "remove", "path": "members"}
    assert acme.scim.patch_operations(path, leave, headers=fresh).headers["ETag"] == 'W/"3"'
    refused(acme.scim.put(path, {"displayName": "x"}, headers=fresh), 412)
    assert ok(acme.scim.put(path, {"displayName": "x"}, headers={"If-Match": "*"}))["displayName"] == "x"
    assert acme.scim.delete(path, headers={"If-Match": 'W/"4"'}).status_code == 204


def test_projection_leaves_members_out_or_shows_parts_of_them(acme: Organization) -> None:
    anna = acme.scim.create_user()
    path = f"/Groups/{acme.scim.create_group('Shown', [anna])}"
    assert ok(acme.scim.get(f"{path}?attributes=displayName")).keys() == {"id", "schemas", "displayName"}
    assert ok(acme.scim.get(f"{path}?attributes=members.value"))["members"] == [{"value": anna}]
    assert "members" not in ok(acme.scim.get(f"{path}?excludedAttributes={GROUP}:members"))
    refused(acme.scim.get(f"{path}?attributes=id&excludedAttributes=members"), 400, "invalidValue")
    refused(acme.scim.get("/Groups?attributes=id&excludedAttributes=members"), 400, "invalidValue")


def test_group_pages_follow_start_index_and_count(acme: Organization) -> None:
    made = sorted(acme.scim.create_group() for _ in range(4))
    page = listed(acme.scim, "/Groups", startIndex=2, count=2)
    assert (page["totalResults"], page["startIndex"]) == (4, 2)
    assert [resource["id"] for resource in page["Resources"]] == made[1:3]
    assert listed(acme.scim, "/Groups", count=0)["totalResults"] == 4


@pytest.mark.scim("rfc/27")
def test_a_deleted_group_frees_its_name(acme: Organization) -> None:
    first = acme.scim.create_group("Phoenix")
    refused(acme.scim.post("/Groups", {"displayName": "PHOENIX"}), 409, "uniqueness")
    acme.scim.delete(f"/Groups/{first}")
    assert acme.scim.create_group("phoenix") != first
    refused(acme.scim.add_members(first), 404)


@pytest.mark.scim("rfc/35", "rfc/9")
def test_a_group_without_a_name_is_refused(acme: Organization) -> None:
    refused(acme.scim.post("/Groups", {"schemas": [GROUP], "members": []}), 400, "invalidValue")
    group_id = acme.scim.create_group("Named")
    path = f"/Groups/{group_id}"
    refused(acme.scim.put(path, {"displayName": ""}), 400, "invalidValue")
    refused(acme.scim.patch_operations(path, {"op": "remove", "path": "displayName"}), 400, "mutability")
    nothing = {"op": "replace", "value": {"displayName": None}}
    refused(acme.scim.patch_operations(path, nothing), 400, "invalidValue")
    assert group(acme.scim, group_id)["displayName"] == "Named"


@pytest.fixture
def slow_app(settings: Settings) -> Iterator[Flask]:
    made = create_app(replace(settings, scim_per_second=1, scim_burst=1))
    yield made
    made.extensions["usher"].database.dispose()


@pytest.mark.scim("okta/limits", "entra/scale")
def test_too_many_requests_are_429_with_whole_seconds_and_for_this_organization_only(slow_app: Flask) -> None:
    busy, calm = create_organization(slow_app), create_organization(slow_app)
    ok(busy.scim.get("/Groups"))
    response = busy.scim.get("/Groups")
    refused(response, 429)
    assert response.headers["Retry-After"] == "1"
    ok(calm.scim.get("/Groups"))
