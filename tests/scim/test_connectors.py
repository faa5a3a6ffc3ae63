"""The conversations of the smaller connectors, and of Okta's own attributes: a contract."""

from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, USER
from tests.scim.answers import found, listed, members, ok, refused, user
from tests.support.cast import Organization

ANNA: dict[str, Any] = {
    "schemas": [USER],
    "userName": "anna@example.com",
    "externalId": "anna-1",
    "name": {"givenName": "Anna", "familyName": "Bell"},
    "emails": [{"value": "anna@example.com", "type": "work", "primary": True}],
    "active": True,
}


@pytest.mark.scim("okta/own-attributes")
def test_okta_pushes_own_attributes_by_put_and_clears_them_with_empty_text(acme: Organization) -> None:
    own = {"title": "Lead", "userType": "Employee", ENTERPRISE_USER: {"costCenter": "7", "division": "South"}}
    path = f"/Users/{ok(acme.scim.post('/Users', ANNA), 201)['id']}"
    put = ok(acme.scim.put(path, {**ANNA, **own}))
    assert {name: put[name] for name in own} == own
    emptied = {
        "title": "",
        "userType": "",
        "externalId": "",
        ENTERPRISE_USER: {"costCenter": "", "division": ""},
    }
    cleared = ok(acme.scim.put(path, {**ANNA, **emptied}))
    assert not emptied.keys() & cleared.keys()
    # Several people without an externalId do not collide.
    ok(acme.scim.post("/Users", {**ANNA, "userName": "ben@example.com", "externalId": ""}), 201)
    assert found(acme.scim, "/Users", "externalId pr") == []


@pytest.mark.scim("google/provisioning")
def test_google_probes_with_plain_json_and_creates_a_suspended_person(acme: Organization) -> None:
    google = {"User-Agent": "Google-Auto-Provisioning"}
    assert ok(acme.scim.get("/Users?count=1", headers=google))["Resources"] == []
    created = acme.scim.post(
        "/Users", {**ANNA, "active": False}, content_type="application/json", headers=google
    )
    anna = ok(created, 201)["id"]
    assert user(acme.scim, anna)["active"] is False
    group_id = acme.scim.create_group(members=[anna])
    acme.map_group(group_id)
    assert acme.seat_state(anna) is None
    ok(acme.scim.set_active(anna, True))
    assert acme.seat_state(anna) == "assigned"


@pytest.mark.scim("google/provisioning")
@pytest.mark.parametrize("leaving", ["suspend", "delete"])
def test_google_takes_people_away_in_either_way(acme: Organization, leaving: str) -> None:
    anna = ok(acme.scim.post("/Users", ANNA, content_type="application/json"), 201)["id"]
    if leaving == "suspend":
        assert ok(acme.scim.put(f"/Users/{anna}", {**ANNA, "active": False}))["active"] is False
    else:
        assert acme.scim.delete(f"/Users/{anna}").status_code == 204
        refused(acme.scim.get(f"/Users/{anna}"), 404)


@pytest.mark.scim("onelogin/provisioning")
def test_onelogin_asks_for_a_name_that_cannot_exist_and_sends_a_hand_written_template(
    acme: Organization,
) -> None:
    plain = {"Accept": "application/json"}
    nobody = acme.scim.get("/Users?filter=userName%20eq%20%22ThisUserCannotExist%22", headers=plain)
    assert (nobody.status_code, nobody.content_type) == (200, "application/json")
    template = {
        "schemas": ["urn:scim:schemas:core:1.0", USER],
        "id": None,
        "userName": "anna@example.com",
        "active": "true",
        "emails": {"value": "anna@example.com", "type": "work"},
        ENTERPRISE_USER: {"department": "Sales", "manager": {"managerId": "7", "displayName": "Boss"}},
    }
    response = acme.scim.post("/Users", template, content_type="application/json", headers=plain)
    assert (response.status_code, response.content_type) == (201, "application/json")
    body = response.get_json()
    assert body["schemas"] == [USER, ENTERPRISE_USER]
    assert (body["active"], body["emails"]) == (True, [{"value": "anna@example.com", "type": "work"}])
    assert body[ENTERPRISE_USER]["department"] == "Sales"


@pytest.mark.scim("jumpcloud/provisioning")
def test_jumpcloud_tries_user_and_group_and_then_creates_the_same_names(acme: Organization) -> None:
    assert ok(acme.scim.get("/Users"))["Resources"] == []
    for _ in range(3):
        anna = ok(acme.scim.post("/Users", ANNA), 201)["id"]
        group_id = ok(acme.scim.post("/Groups", {"schemas": [GROUP], "displayName": "Test"}), 201)["id"]
        assert acme.scim.add_members(group_id, anna).status_code in (200, 204)
        assert members(acme.scim, group_id) == [anna]
        assert acme.scim.remove_members(group_id, anna).status_code in (200, 204)
        assert members(acme.scim, group_id) == []
        assert acme.scim.delete(f"/Users/{anna}").status_code == 204
        assert acme.scim.delete(f"/Groups/{group_id}").status_code == 204


@pytest.mark.scim("rippling/provisioning")
def test_rippling_repeats_a_create_and_gets_409_and_no_second_person(acme: Organization) -> None:
    config = ok(acme.scim.get("/ServiceProviderConfig"))
    assert {
        "patch",
        "bulk",
        "filter",
        "sort",
        "etag",
        "changePassword",
        "authenticationSchemes",
    } <= config.keys()
    employee = {**ANNA, ENTERPRISE_USER: {"employeeNumber": "701984"}}
    ok(acme.scim.post("/Users", employee), 201)
    refused(acme.scim.post("/Users", employee), 409, "uniqueness")
    assert listed(acme.scim, "/Users")["totalResults"] == 1


@pytest.mark.scim("ping/provisioning", "rfc/38")
def test_ping_looks_people_up_by_emails_without_a_sub_attribute(acme: Organization) -> None:
    anna = ok(acme.scim.post("/Users", ANNA), 201)["id"]
    assert found(acme.scim, "/Users", 'emails eq "ANNA@example.com"') == [anna]
    assert found(acme.scim, "/Users", 'emails[type eq "WORK"].value eq "anna@example.com"') == [anna]
    operation = {"op": "replace", "path": 'emails[type eq "Work"].value', "value": "a.bell@example.com"}
    shown = ok(acme.scim.patch_operations(f"/Users/{anna}", operation))["emails"]
    assert shown == [{"value": "a.bell@example.com", "type": "work", "primary": True}]


@pytest.mark.scim("authentik/provisioning")
def test_authentik_puts_adopts_after_409_and_reads_what_it_sent(acme: Organization) -> None:
    created = ok(acme.scim.post("/Users", ANNA), 201)
    assert {name: created[name] for name in ANNA} == ANNA
    refused(acme.scim.post("/Users", ANNA), 409, "uniqueness")
    (adopted,) = found(acme.scim, "/Users", 'userName eq "anna@example.com"')
    renamed = {**ANNA, "displayName": "Anna Bell"}
    body = ok(acme.scim.put(f"/Users/{adopted}", renamed))
    assert {name: body[name] for name in renamed} == renamed
    acme.scim.delete(f"/Users/{adopted}")
    # It forgets the person at a 404 and creates them again.
    refused(acme.scim.put(f"/Users/{adopted}", renamed), 404)
    assert ok(acme.scim.post("/Users", renamed), 201)["id"] != adopted
    group_id = acme.scim.create_group("Builders")
    ben = acme.scim.create_user()
    full = {"schemas": [GROUP], "displayName": "Builders", "members": [{"value": ben}]}
    assert ok(acme.scim.put(f"/Groups/{group_id}", full))["displayName"] == "Builders"
    assert members(acme.scim, group_id) == [ben]


@pytest.mark.scim("canaille/provisioning")
def test_canaille_finds_people_by_external_id_alone(acme: Organization) -> None:
    assert found(acme.scim, "/Users", 'externalId eq "anna-1"') == []
    anna = ok(acme.scim.post("/Users", ANNA), 201)["id"]
    assert found(acme.scim, "/Users", 'externalId eq "anna-1"') == [anna]
    assert ok(acme.scim.put(f"/Users/{anna}", {**ANNA, "title": "Lead"}))["title"] == "Lead"
    group = {"schemas": [GROUP], "displayName": "Builders", "externalId": "g-1", "members": [{"value": anna}]}
    group_id = ok(acme.scim.post("/Groups", group), 201)["id"]
    assert found(acme.scim, "/Groups", 'externalId eq "g-1"') == [group_id]
    assert acme.scim.delete(f"/Users/{anna}").status_code == 204
    assert found(acme.scim, "/Users", 'externalId eq "anna-1"') == []


@pytest.mark.scim("aws/provisioning")
@pytest.mark.parametrize("attribute", ["members", "members.value"])
def test_aws_asks_whether_a_user_is_in_a_group(acme: Organization, attribute: str) -> None:
    anna, ben = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group(members=[anna])
    condition = 'id eq "{}" and {} eq "{}"'
    assert found(acme.scim, "/Groups", condition.format(group_id, attribute, anna)) == [group_id]
    assert found(acme.scim, "/Groups", condition.format(group_id, attribute, ben)) == []
