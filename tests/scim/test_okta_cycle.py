"""The conversation with Okta, step by step: a contract."""

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.scim.protocol.constants import GROUP, PATCH_OP, SEAT, USER
from tests.scim.answers import error_of, found, group, groups_of, listed, members, ok, refused, user
from tests.support.cast import HttpClient, Organization

FILLER_PASSWORD = "1mz050nq-Filler"
PERSON: dict[str, Any] = {
    "schemas": [USER],
    "userName": "Anna.Bell@example.com",
    "name": {"givenName": "Anna", "familyName": "Bell"},
    "emails": [{"primary": True, "value": "anna.bell@example.com", "type": "work"}],
    "displayName": "Anna Bell",
    "locale": "en-US",
    "externalId": "00ujl29u0le5T6Aj10h7",
    "groups": [],
    "password": FILLER_PASSWORD,
    "active": True,
}


def create(okta: HttpClient) -> str:
    return str(ok(okta.post("/Users", PERSON), 201)["id"])


def okta_patch(okta: HttpClient, path: str, *operations: dict[str, Any]) -> TestResponse:
    return okta.patch(path, {"schemas": [PATCH_OP], "Operations": list(operations)})


@pytest.mark.scim("okta/test-connection")
def test_test_connection_on_an_empty_organization_answers_an_empty_list_with_numbers(
    acme: Organization,
) -> None:
    body = ok(acme.scim.get("/Users?startIndex=1&count=2"))
    assert (body["totalResults"], body["startIndex"], body["itemsPerPage"]) == (0, 1, 0)
    assert body["Resources"] == []
    assert all(type(body[name]) is int for name in ("totalResults", "startIndex", "itemsPerPage"))


@pytest.mark.scim("okta/before-create", "rfc/3")
def test_before_create_the_percent_encoded_filter_finds_nobody(acme: Organization) -> None:
    condition = quote('userName eq "Anna.Bell@example.com"', safe="")
    body = ok(acme.scim.get(f"/Users?filter={condition}&startIndex=1&count=100"))
    assert (body["totalResults"], body["Resources"]) == (0, [])


@pytest.mark.scim("okta/create", "rfc/26", "rfc/50")
@pytest.mark.parametrize("media_type", ["application/scim+json; charset=utf-8", "application/json"])
def test_create_takes_groups_password_and_external_id_and_answers_the_whole_user(
    acme: Organization, media_type: str
) -> None:
    response = acme.scim.post("/Users", PERSON, content_type=media_type)
    body = ok(response, 201)
    stored = {name: value for name, value in PERSON.items() if name not in ("password", "groups")}
    assert {name: body[name] for name in stored} == stored
    assert body["id"] != PERSON["externalId"]
    assert response.headers["Location"] == body["meta"]["location"]
    assert user(acme.scim, body["id"]) == {**body, SEAT: {}}


@pytest.mark.scim("okta/create", "okta/password-sync", "rfc/28", "rfc/58")
def test_the_password_is_never_stored_or_returned(acme: Organization) -> None:
    anna = create(acme.scim)
    synced = okta_patch(
        acme.scim, f"/Users/{anna}", {"op": "replace", "value": {"password": "Chosen-by-Anna-7"}}
    )
    body = ok(synced)
    assert "password" not in body
    # Nothing has changed, so nothing looks changed.
    assert body["meta"]["version"] == 'W/"1"'
    engine = acme.container.database.engine
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT set_config('usher.org_id', :id, true)"), {"id": acme.id})
        kept = [*connection.execute(text("SELECT * FROM users WHERE id = :id"), {"id": anna})]
        kept += connection.execute(text("SELECT * FROM audit_events"))
    assert anna in repr(kept)
    assert FILLER_PASSWORD not in repr(kept)
    assert "Chosen-by-Anna-7" not in repr(kept)


@pytest.mark.scim("okta/duplicate", "rfc/13")
def test_a_duplicate_is_409_with_a_sentence_that_helps_the_administrator(acme: Organization) -> None:
    create(acme.scim)
    duplicate = {**PERSON, "userName": "ANNA.BELL@EXAMPLE.COM", "externalId": "other"}
    detail = refused(acme.scim.post("/Users", duplicate), 409, "uniqueness")
    assert "ANNA.BELL@EXAMPLE.COM" in detail
    assert "exists already" in detail
    assert listed(acme.scim, "/Users")["totalResults"] == 1


@pytest.mark.scim("okta/update", "rfc/24")
def test_update_gets_the_user_and_puts_all_of_it_back_read_only_attributes_included(
    acme: Organization,
) -> None:
    anna = create(acme.scim)
    pushed = acme.scim.create_group("Engineers", [anna])
    echoed = user(acme.scim, anna)
    del echoed["meta"]["created"], echoed["meta"]["lastModified"]
    echoed["emails"][0]["display"] = "anna.bell@example.com"
    echoed["name"]["familyName"] = "Bell-Smith"
    body = ok(acme.scim.put(f"/Users/{anna}", {**echoed, "groups": [{"value": "elsewhere"}]}))
    assert body["id"] == anna
    assert body["name"]["familyName"] == "Bell-Smith"
    assert [entry["value"] for entry in body["groups"]] == [pushed]
    assert body["meta"]["version"] == 'W/"2"'


@pytest.mark.scim("okta/wizard-update", "rfc/25")
def test_put_without_active_wakes_nobody(acme: Organization) -> None:
    anna = create(acme.scim)
    ok(acme.scim.put(f"/Users/{anna}", {**PERSON, "active": False}))
    renamed = {name: value for name, value in PERSON.items() if name != "active"}
    body = ok(acme.scim.put(f"/Users/{anna}", {**renamed, "displayName": "Anna B."}))
    assert (body["active"], body["displayName"]) == (False, "Anna B.")


@pytest.mark.scim("okta/deactivate", "rfc/6")
def test_deactivate_and_reactivate_are_path_less_patches(acme: Organization) -> None:
    anna = create(acme.scim)
    for active in (False, True):
        operation = {"op": "replace", "value": {"active": active}}
        body = ok(okta_patch(acme.scim, f"/Users/{anna}", operation))
        assert body["active"] is active
        assert user(acme.scim, anna) == body


@pytest.mark.scim("okta/import", "rfc/20")
def test_import_pages_are_stable_and_complete(acme: Organization) -> None:
    made = [acme.scim.create_user() for _ in range(7)]
    seen: list[str] = []
    start = 1
    while True:
        page = listed(acme.scim, "/Users", startIndex=start, count=3)
        assert page["totalResults"] == len(made)
        assert page["startIndex"] == start
        seen += [resource["id"] for resource in page["Resources"]]
        start += 3
        if start > page["totalResults"]:
            break
    assert seen == [resource["id"] for resource in listed(acme.scim, "/Users")["Resources"]]
    assert sorted(seen) == sorted(made)


@pytest.mark.scim("okta/group-push", "okta/find-group")
def test_group_push_creates_with_empty_members_and_then_finds_the_group(acme: Organization) -> None:
    body = ok(
        acme.scim.post("/Groups", {"schemas": [GROUP], "displayName": "Test Group", "members": []}), 201
    )
    condition = quote('displayName eq "Test Group"', safe="")
    page = ok(acme.scim.get(f"/Groups?filter={condition}&startIndex=1&count=100"))
    assert [resource["id"] for resource in page["Resources"]] == [body["id"]]


@pytest.mark.scim("okta/group-rename", "rfc/24")
def test_group_rename_is_a_path_less_patch_that_repeats_the_id(acme: Organization) -> None:
    group_id = acme.scim.create_group("Before")
    operation = {"op": "replace", "value": {"id": group_id, "displayName": "After"}}
    assert okta_patch(acme.scim, f"/Groups/{group_id}", operation).status_code in (200, 204)
    assert group(acme.scim, group_id)["displayName"] == "After"
    other = {"op": "replace", "value": {"id": acme.scim.create_group(), "displayName": "Never"}}
    refused(okta_patch(acme.scim, f"/Groups/{group_id}", other), 400, "mutability")


@pytest.mark.scim("okta/membership", "rfc/7", "rfc/5")
def test_membership_changes_come_in_one_request_filtered_removal_first(acme: Organization) -> None:
    leaver, stayer, joiner = (acme.scim.create_user() for _ in range(3))
    group_id = acme.scim.create_group(members=[leaver, stayer])
    response = okta_patch(
        acme.scim,
        f"/Groups/{group_id}",
        {"op": "remove", "path": f'members[value eq "{leaver}"]'},
        {"op": "add", "path": "members", "value": [{"value": joiner, "display": "joiner@example.com"}]},
    )
    assert response.status_code in (200, 204)
    assert members(acme.scim, group_id) == sorted([stayer, joiner])
    again = okta_patch(
        acme.scim, f"/Groups/{group_id}", {"op": "remove", "path": f'members[value eq "{leaver}"]'}
    )
    assert again.status_code in (200, 204)


@pytest.mark.scim("okta/membership")
@pytest.mark.parametrize("has_path", [True, False])
def test_members_are_replaced_with_and_without_a_path(acme: Organization, has_path: bool) -> None:
    before, after = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group(members=[before])
    listed_members = [{"value": after, "display": "after@example.com"}]
    operation = (
        {"op": "replace", "path": "members", "value": listed_members}
        if has_path
        else {"op": "replace", "value": {"members": listed_members}}
    )
    assert okta_patch(acme.scim, f"/Groups/{group_id}", operation).status_code in (200, 204)
    assert members(acme.scim, group_id) == [after]


@pytest.mark.scim("okta/wizard-membership")
def test_the_wizard_puts_the_group_without_its_id(acme: Organization) -> None:
    before, after = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group("Wizards", [before])
    body = {"schemas": [GROUP], "displayName": "Wizards", "members": [{"value": after, "display": "after"}]}
    answer = ok(acme.scim.put(f"/Groups/{group_id}", body))
    assert answer["id"] == group_id
    assert members(acme.scim, group_id) == [after]


@pytest.mark.scim("okta/delete-group", "rfc/27")
def test_unlink_and_delete_removes_the_group_and_the_memberships(acme: Organization) -> None:
    anna = create(acme.scim)
    group_id = acme.scim.create_group("Gone", [anna])
    assert acme.scim.delete(f"/Groups/{group_id}").status_code == 204
    refused(acme.scim.get(f"/Groups/{group_id}"), 404)
    assert groups_of(acme.scim, anna) == []


@pytest.mark.scim("okta/authentication")
def test_header_mode_sends_the_bare_token(acme: Organization) -> None:
    assert acme.scim.token is not None
    body = ok(acme.scim.get("/Users", headers={"Authorization": acme.scim.token}))
    assert body["totalResults"] == 0


@pytest.mark.scim("okta/authentication", "rfc/48")
def test_a_wrong_token_is_401_in_the_error_shape(acme: Organization) -> None:
    response = acme.scim.get("/Users", headers={"Authorization": "Bearer wrong"})
    refused(response, 401)
    assert error_of(response)["status"] == "401"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.scim("rfc/4")
def test_an_unknown_user_is_404_in_the_error_shape(acme: Organization) -> None:
    assert "01890000-0000-7000-8000-000000000000" in refused(
        acme.scim.get("/Users/01890000-0000-7000-8000-000000000000"), 404
    )


@pytest.mark.scim("okta/before-create", "rfc/16")
def test_an_upper_case_look_up_finds_the_lower_case_user(acme: Organization) -> None:
    anna = create(acme.scim)
    assert found(acme.scim, "/Users", 'userName eq "ANNA.BELL@EXAMPLE.COM"') == [anna]
