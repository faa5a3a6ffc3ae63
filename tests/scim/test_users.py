"""What /Users answers over HTTP: the life of a user, then who may ask, versions, views and pages."""

from typing import Any

import pytest

from app.core.context import OPERATOR, Caller
from app.core.ids import edge_id
from app.directory.users import UserService
from app.scim.protocol.constants import ENTERPRISE_USER, MEDIA_TYPE, SEAT, USER
from app.scim.service_users import UserReader
from tests.scim.answers import found, groups_of, listed, member_count, members, ok, refused, user
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock

ANNA: dict[str, Any] = {
    "schemas": [USER, ENTERPRISE_USER],
    "userName": "anna@example.com",
    "externalId": "Ext-1",
    "name": {"givenName": "Anna", "familyName": "Bell"},
    "emails": [{"value": "anna@example.com", "type": "work", "primary": True}, {"value": "a@home.example"}],
    ENTERPRISE_USER: {"department": "Sales", "costCenter": "7"},
}
UNKNOWN = "01890000-0000-7000-8000-000000000000"
NAME = {"op": "replace", "path": "displayName", "value": "Anna B."}


def create(organization: Organization, **attributes: Any) -> str:
    return str(ok(organization.scim.post("/Users", {**ANNA, **attributes}), 201)["id"])


@pytest.mark.scim("rfc/26", "rfc/25")
def test_a_user_is_created_read_replaced_patched_and_deleted(acme: Organization) -> None:
    created = acme.scim.post("/Users", ANNA)
    body = ok(created, 201)
    path = f"/Users/{body['id']}"
    assert {name: body[name] for name in ANNA} == ANNA
    assert body["active"] is True
    assert body["meta"]["resourceType"] == "User"
    assert created.headers["Location"] == body["meta"]["location"]
    assert body["meta"]["location"].endswith(f"/scim/v2{path}")
    replaced = ok(acme.scim.put(path, {"userName": "anna@example.com", "title": "Lead"}))
    assert (replaced["title"], replaced["schemas"]) == ("Lead", [USER])
    assert not {"name", "emails", "externalId", ENTERPRISE_USER} & replaced.keys()
    assert ok(acme.scim.patch_operations(path, NAME))["displayName"] == "Anna B."
    deleted = acme.scim.delete(path)
    assert (deleted.status_code, deleted.data) == (204, b"")
    refused(acme.scim.get(path), 404)


@pytest.mark.scim("google/provisioning")
def test_a_user_may_be_created_inactive(acme: Organization) -> None:
    assert user(acme.scim, create(acme, active=False))["active"] is False


@pytest.mark.scim("onelogin/provisioning", "rfc/50")
def test_a_client_that_asks_for_plain_json_gets_it(acme: Organization) -> None:
    response = acme.scim.get("/Users", headers={"Accept": "application/json"})
    assert (response.status_code, response.content_type) == (200, "application/json")


@pytest.mark.scim("rfc/48")
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer usher_scim_000", "\xe9\xff", "x" * 5000],
)
@pytest.mark.parametrize("path", ["/Users", f"/Users/{UNKNOWN}"])
def test_without_a_live_token_every_answer_is_401(acme: Organization, authorization: str, path: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = acme.app.test_client().get(f"/scim/v2{path}", headers=headers)
    refused(response, 401)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_api_key_is_no_scim_token(acme: Organization) -> None:
    refused(acme.scim.get("/Users", headers={"Authorization": f"Bearer {acme.api.token}"}), 401)


@pytest.mark.scim("rfc/49")
def test_a_foreign_user_is_404_for_every_method_and_never_counted(
    acme: Organization, globex: Organization
) -> None:
    anna = create(acme)
    path = f"/Users/{anna}"
    refused(globex.scim.get(path), 404)
    refused(globex.scim.put(path, ANNA), 404)
    refused(globex.scim.patch_operations(path, NAME), 404)
    refused(globex.scim.delete(path), 404)
    assert listed(globex.scim, "/Users")["totalResults"] == 0
    assert listed(globex.scim, "/Users", count=0)["totalResults"] == 0
    for condition in (f'id eq "{anna}"', 'userName eq "anna@example.com"', "externalId pr or not (title pr)"):
        assert found(globex.scim, "/Users", condition) == []
    other = create(globex)
    assert found(globex.scim, "/Users", "emails pr") == [other]
    assert user(acme.scim, anna)["meta"]["version"] == 'W/"1"'


@pytest.mark.scim("rfc/51")
@pytest.mark.parametrize("tag", ['W/"7"', '"7"', "7", '"x", W/"8"', ""])
def test_a_stale_if_match_is_412_and_changes_nothing(acme: Organization, tag: str) -> None:
    path = f"/Users/{create(acme)}"
    before = ok(acme.scim.get(path))
    headers = {"If-Match": tag}
    refused(acme.scim.put(path, {**ANNA, "title": "x"}, headers=headers), 412)
    refused(acme.scim.patch_operations(path, NAME, headers=headers), 412)
    refused(acme.scim.delete(path, headers=headers), 412)
    assert ok(acme.scim.get(path)) == before


@pytest.mark.scim("rfc/51")
def test_a_fitting_if_match_passes_and_the_version_moves_with_each_change(acme: Organization) -> None:
    path = f"/Users/{create(acme)}"
    for number, tag in enumerate(['W/"1"', '"0", W/"2"', "*"], start=2):
        operation = {"op": "replace", "path": "title", "value": f"Title {number}"}
        response = acme.scim.patch_operations(path, operation, headers={"If-Match": tag})
        assert ok(response)["meta"]["version"] == response.headers["ETag"] == f'W/"{number}"'
    assert ok(acme.scim.put(path, ANNA, headers={"If-Match": 'W/"4"'}))["meta"]["version"] == 'W/"5"'
    assert acme.scim.delete(path, headers={"If-Match": 'W/"5"'}).status_code == 204


@pytest.mark.scim("rfc/51")
def test_if_none_match_answers_304_without_a_body_until_the_user_changes(acme: Organization) -> None:
    path = f"/Users/{create(acme)}"
    read = acme.scim.get(path)
    assert ok(read)["meta"]["version"] == read.headers["ETag"]
    known = {"If-None-Match": read.headers["ETag"]}
    again = acme.scim.get(path, headers=known)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", read.headers["ETag"])
    ok(acme.scim.patch_operations(path, NAME))
    ok(acme.scim.get(path, headers=known))


@pytest.mark.scim("rfc/29", "rfc/31")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("attributes=userName", {"userName"}),
        ("attributes=USERNAME,externalid", {"userName", "externalId"}),
        (f"attributes={USER}:userName", {"userName"}),
        (f"attributes={ENTERPRISE_USER}:department", {ENTERPRISE_USER}),
        (f"attributes={ENTERPRISE_USER}", {ENTERPRISE_USER}),
        ("attributes=department,nosuch", {ENTERPRISE_USER}),
        ("attributes=name.givenName,meta", {"name", "meta"}),
        ("attributes=nosuch", set()),
        ("excludedAttributes=emails,name,meta,active,groups,id", {"userName", "externalId", ENTERPRISE_USER}),
        (
            f"excludedAttributes={USER}:emails,name.givenName,{ENTERPRISE_USER},meta",
            {"userName", "externalId", "name", "active"},
        ),
    ],
)
def test_projection_shows_what_was_asked_and_always_id_and_schemas(
    acme: Organization, query: str, names: set[str]
) -> None:
    path = f"/Users/{create(acme)}"
    body = ok(acme.scim.get(f"{path}?{query}"))
    assert body.keys() - {"groups", SEAT} == names | {"id", "schemas"}
    assert body.get("name", {}).keys() <= {"givenName"} or "excluded" in query
    assert ok(acme.scim.get(f"/Users?{query}"))["Resources"] == [body]
    assert ok(acme.scim.put(f"{path}?{query}", ANNA)) == body
    title = {"op": "add", "path": "nickName", "value": "Annie"}
    patched = ok(acme.scim.patch(f"{path}?{query}", {"Operations": [title]}))
    assert patched.keys() - {"nickName", "groups", SEAT} == names | {"id", "schemas"}


@pytest.mark.scim("rfc/29")
def test_both_projections_at_once_are_400(acme: Organization) -> None:
    query = "attributes=id&excludedAttributes=name"
    for path in (f"/Users?{query}", f"/Users/{create(acme)}?{query}"):
        refused(acme.scim.get(path), 400, "invalidValue")


@pytest.mark.scim("rfc/31")
def test_a_part_of_an_attribute_can_be_shown_or_left_out(acme: Organization) -> None:
    path = f"/Users/{create(acme)}"
    shown = ok(acme.scim.get(f"{path}?attributes=emails.value"))
    assert shown["emails"] == [{"value": "anna@example.com"}, {"value": "a@home.example"}]
    left = ok(acme.scim.get(f"{path}?excludedAttributes=emails.type,{ENTERPRISE_USER}:costCenter"))
    assert left["emails"][0] == {"value": "anna@example.com", "primary": True}
    assert left[ENTERPRISE_USER] == {"department": "Sales"}


@pytest.mark.scim("rfc/19")
@pytest.mark.parametrize(
    ("query", "start", "places"),
    [
        ("", 1, [0, 1, 2, 3, 4]),
        ("startIndex=0", 1, [0, 1, 2, 3, 4]),
        ("startIndex=-5&count=2", 1, [0, 1]),
        ("startIndex=4&count=2", 4, [3, 4]),
        ("startIndex=5&count=2", 5, [4]),
        ("startIndex=6&count=2", 6, []),
        ("startIndex=999999999999&count=999999999999", 1_000_000_000, []),
        ("count=0", 1, []),
        ("count=-3", 1, []),
    ],
)
def test_pages_follow_start_index_and_count(
    acme: Organization, query: str, start: int, places: list[int]
) -> None:
    people = [acme.scim.create_user() for _ in range(5)]
    body = ok(acme.scim.get(f"/Users?{query}"))
    assert (body["totalResults"], body["startIndex"], body["itemsPerPage"]) == (5, start, len(places))
    assert [resource["id"] for resource in body["Resources"]] == [sorted(people)[place] for place in places]


@pytest.mark.scim("rfc/20")
def test_totals_count_only_what_the_filter_finds(acme: Organization) -> None:
    for number in range(5):
        acme.scim.create_user(title="odd" if number % 2 else "even")
    page = listed(acme.scim, "/Users", filter='title eq "EVEN"', count=2)
    assert (page["totalResults"], page["itemsPerPage"]) == (3, 2)
    assert listed(acme.scim, "/Users", filter='title eq "even"', count=0)["totalResults"] == 3


@pytest.mark.scim("rfc/11")
def test_a_change_that_changes_nothing_keeps_version_and_last_modified(
    acme: Organization, clock: FakeClock
) -> None:
    anna = create(acme, displayName="Anna B.")
    before = user(acme.scim, anna)
    clock.advance(minutes=5)
    email = {"op": "add", "path": "emails", "value": [ANNA["emails"][0]]}
    assert ok(acme.scim.patch_operations(f"/Users/{anna}", NAME, email)) == before
    assert ok(acme.scim.set_active(anna, "True")) == before
    assert ok(acme.scim.put(f"/Users/{anna}", before)) == before
    after = ok(acme.scim.set_active(anna, False))["meta"]
    assert after["lastModified"] > before["meta"]["lastModified"]
    assert after["created"] == before["meta"]["created"]


@pytest.mark.scim("rfc/5")
def test_a_patch_is_all_or_nothing(acme: Organization) -> None:
    anna = create(acme)
    before = user(acme.scim, anna)
    for wrong in ({"op": "replace", "path": "nosuch", "value": 1}, {"op": "remove", "path": "userName"}):
        response = acme.scim.patch_operations(f"/Users/{anna}", NAME, wrong)
        refused(response, 400, "invalidPath" if "value" in wrong else "mutability")
        assert user(acme.scim, anna) == before


@pytest.mark.scim("rfc/13")
def test_a_user_name_stays_unique_under_put_and_patch(acme: Organization) -> None:
    create(acme)
    bob = acme.scim.create_user("bob@example.com")
    taken = {"op": "replace", "path": "userName", "value": "ANNA@example.com"}
    before = user(acme.scim, bob)
    for response in (
        acme.scim.put(f"/Users/{bob}", ANNA),
        acme.scim.patch_operations(f"/Users/{bob}", taken),
    ):
        detail = refused(response, 409, "uniqueness")
        assert "anna@example.com" in detail.lower()
        assert user(acme.scim, bob) == before


def test_deleting_a_user_leaves_their_groups_whose_versions_move(acme: Organization) -> None:
    anna, bob = create(acme), acme.scim.create_user()
    group_id = acme.scim.create_group(members=[anna, bob])
    before = acme.scim.get(f"/Groups/{group_id}").headers["ETag"]
    assert acme.scim.delete(f"/Users/{anna}").status_code == 204
    assert acme.scim.get(f"/Groups/{group_id}").headers["ETag"] != before
    assert members(acme.scim, group_id) == [bob]
    assert member_count(acme, group_id) == 1


@pytest.mark.scim("rfc/22", "rfc/27", "entra/delete")
@pytest.mark.parametrize(
    "returning", [{"userName": "ANNA@example.com", "externalId": "new"}, {"userName": "renamed@example.com"}]
)
def test_a_deleted_person_comes_back_under_a_new_id_without_groups(
    acme: Organization, returning: dict[str, str]
) -> None:
    anna = create(acme)
    acme.scim.create_group(members=[anna])
    acme.scim.delete(f"/Users/{anna}")
    again = create(acme, **returning)
    assert again != anna
    assert groups_of(acme.scim, again) == []
    assert user(acme.scim, again)["meta"]["version"] == 'W/"1"'
    assert listed(acme.scim, "/Users")["totalResults"] == 1
    refused(acme.scim.get(f"/Users/{anna}"), 404)
    refused(acme.scim.post("/Users", {**ANNA, **returning}), 409, "uniqueness")


def test_a_living_namesake_is_found_behind_many_who_have_left(acme: Organization) -> None:
    left = [acme.scim.create_user(externalId="shared") for _ in range(25)]
    for user_id in left:
        acme.scim.delete(f"/Users/{user_id}")
    create(acme)
    assert "anna@example.com" in refused(
        acme.scim.post("/Users", {**ANNA, "externalId": "shared"}), 409, "uniqueness"
    )


@pytest.mark.scim("rfc/23")
def test_the_same_external_id_may_stand_on_two_living_users(acme: Organization) -> None:
    create(acme)
    create(acme, userName="other@example.com")
    assert len(found(acme.scim, "/Users", 'externalId eq "Ext-1"')) == 2


@pytest.mark.scim("rfc/4", "rfc/50")
def test_wrong_methods_paths_and_media_types_are_refused_in_scim_shape(acme: Organization) -> None:
    response = acme.scim.delete("/Users")
    refused(response, 405)
    assert "GET" in response.headers["Allow"]
    refused(acme.scim.get("/Nothing"), 404)
    refused(acme.scim.post("/Users", "<user/>", content_type="text/xml"), 415)
    refused(acme.scim.post("/Users", b"{}", content_type=None), 415)
    assert json_of(acme.scim.post("/Users", "[]", content_type=MEDIA_TYPE))["scimType"] == "invalidSyntax"


@pytest.mark.scim("rfc/9")
def test_removing_active_leaves_access_as_it_is_and_shows_nothing_until_it_is_said_again(
    acme: Organization,
) -> None:
    anna, bob = create(acme), acme.scim.create_user(active=False)
    remove = {"op": "remove", "path": "active"}
    for person, active in ((anna, True), (bob, False)):
        assert "active" not in ok(acme.scim.patch_operations(f"/Users/{person}", remove, NAME))
        assert "active" not in ok(acme.scim.put(f"/Users/{person}", {"userName": f"{person}@example.com"}))
        shown = user(acme.scim, person)
        assert "active" not in shown
        assert ok(acme.scim.patch_operations(f"/Users/{person}", remove)) == shown
        assert json_of(acme.api.get(f"/users/{edge_id('user', person)}"))["active"] is active
        assert ok(acme.scim.set_active(person, active))["active"] is active
        actions = acme.audit_actions(person)
        assert actions == ["user.created"] + ["user.updated"] * 3


def test_a_delete_of_a_named_version_looks_again_once_it_holds_the_person(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL somebody else may change the person between the look and the lock."""
    user_id = acme.scim.create_user(title="Lead")
    looked_at = acme.scim.get(f"/Users/{user_id}").headers["ETag"]
    acme.scim.patch_operations(f"/Users/{user_id}", {"op": "replace", "path": "title", "value": "Head"})
    look = UserReader.require_match
    looks: list[str] = []

    def see_what_was_before(self: UserReader, id_: str, if_match: str | None) -> int:
        looks.append(id_)
        return 1 if len(looks) == 1 else look(self, id_, if_match)

    monkeypatch.setattr(UserReader, "require_match", see_what_was_before)
    response = acme.scim.delete(f"/Users/{user_id}", headers={"If-Match": looked_at})
    assert (response.status_code, len(looks)) == (412, 2)
    assert acme.scim.get(f"/Users/{user_id}").status_code == 200


def test_who_was_known_from_sign_ins_is_answered_with_the_groups_they_are_in(acme: Organization) -> None:
    with acme.container.begin(write=True, caller=Caller(OPERATOR, "test")) as services:
        services.uow.enter(acme.id)
        known = services.get(UserService).create(
            {"userName": "jit@example.com"}, active=True, by_sign_in=True
        )
        services.commit()
    group_id = acme.scim.create_group("Sales", [known.id])
    made = ok(acme.scim.post("/Users", {"schemas": [USER], "userName": "jit@example.com"}), 201)
    assert made["id"] == known.id
    assert [group["value"] for group in made["groups"]] == [group_id]
    assert made == ok(acme.scim.get(f"/Users/{known.id}"))
