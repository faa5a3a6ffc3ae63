"""The conversation with Microsoft Entra ID, step by step: a contract."""

import uuid
from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, USER
from tests.scim.answers import found, group, groups_of, listed, members, ok, refused, user
from tests.support.cast import Organization

ADSCIM = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
NEW_PERSON: dict[str, Any] = {
    "schemas": [USER, "urn:ietf:params:scim:schemasextension:enterprise:2.0:User"],
    "externalId": "58342554-38d6-4ec8-948c-50044d0a33fd",
    "userName": "Test_User@example.com",
    "active": "True",
    "displayName": "Test User",
    "emails": [{"primary": True, "type": "work", "value": "Test_User@example.com"}],
    "meta": {"resourceType": "User"},
    "name": {"formatted": "Test User", "familyName": "User", "givenName": "Test"},
    "addresses": None,
    "phoneNumbers": None,
    "title": None,
    "department": "Sales",
    "manager": None,
    "roles": [],
}


def create(acme: Organization) -> str:
    return str(ok(acme.scim.post("/Users", NEW_PERSON), 201)["id"])


def patch_user(acme: Organization, user_id: str, *operations: dict[str, Any], query: str = "") -> Any:
    """Patch and answer the user as read back, which must be what the PATCH answered."""
    response = acme.scim.patch_operations(f"/Users/{user_id}{query}", *operations)
    shown = user(acme.scim, user_id)
    assert ok(response) == shown
    return shown


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "Replace", "path": path, "value": value}


@pytest.mark.scim("entra/test-connection", "rfc/3")
def test_the_connection_test_asks_for_a_random_guid_and_gets_an_empty_list(acme: Organization) -> None:
    create(acme)
    for attribute in ("userName", "externalId", 'emails[type eq "work"].value'):
        assert found(acme.scim, "/Users", f'{attribute} eq "{uuid.uuid4()}"') == []
    for attribute in ("displayName", "externalId"):
        assert found(acme.scim, "/Groups", f'{attribute} eq "{uuid.uuid4()}"') == []


@pytest.mark.scim("entra/operators")
def test_matching_filters_come_with_spaces_as_plus(acme: Organization) -> None:
    anna = create(acme)
    for condition in (
        "userName+eq+%22test_user%40example.com%22",
        "externalId+eq+%2258342554-38d6-4ec8-948c-50044d0a33fd%22",
        "emails%5Btype+eq+%22work%22%5D.value+eq+%22test_user%40example.com%22",
    ):
        body = ok(acme.scim.get(f"/Users?filter={condition}"))
        assert [resource["id"] for resource in body["Resources"]] == [anna]
    assert found(acme.scim, "/Users", f'externalId eq "{NEW_PERSON["externalId"].upper()}"') == []


@pytest.mark.scim("entra/group-reads")
def test_group_reads_exclude_members_on_item_and_filter(acme: Organization) -> None:
    group_id = acme.scim.create_group("Sales", [create(acme)])
    item = ok(acme.scim.get(f"/Groups/{group_id}?excludedAttributes=members"))
    body = ok(acme.scim.get("/Groups?excludedAttributes=members&filter=displayName+eq+%22SALES%22"))
    assert "members" not in item
    assert body["Resources"] == [item]


@pytest.mark.scim("entra/reference-check", "rfc/38")
@pytest.mark.parametrize(
    "name", ["manager", f"{ENTERPRISE_USER}:manager", f"{ENTERPRISE_USER}:manager.value"]
)
def test_the_reference_check_answers_none_or_one(acme: Organization, name: str) -> None:
    boss, anna = acme.scim.create_user(), create(acme)
    condition = f'id eq "{anna}" and {name} eq "{boss}"'
    query = {"filter": condition, "attributes": "id"}
    assert listed(acme.scim, "/Users", **query)["totalResults"] == 0
    patch_user(acme, anna, replace(f"{ENTERPRISE_USER}:manager", boss))
    body = listed(acme.scim, "/Users", **query)
    assert [resource["id"] for resource in body["Resources"]] == [anna]
    assert set(body["Resources"][0]) == {"id", "schemas"}


@pytest.mark.scim("entra/create", "rfc/32", "rfc/33")
def test_create_takes_nulls_empty_roles_meta_and_a_top_level_department(acme: Organization) -> None:
    body = user(acme.scim, create(acme))
    assert body["schemas"] == [USER, ENTERPRISE_USER]
    assert body[ENTERPRISE_USER] == {"department": "Sales"}
    assert body["active"] is True
    assert body["externalId"] == NEW_PERSON["externalId"]
    assert not {"addresses", "phoneNumbers", "title", "manager", "roles", "department"} & body.keys()


@pytest.mark.scim("entra/update", "rfc/1", "entra/patch-answers")
def test_the_default_update_sends_one_capitalised_operation_per_attribute(acme: Organization) -> None:
    body = patch_user(
        acme,
        create(acme),
        replace("displayName", "fvlt"),
        replace('emails[type eq "work"].value', "updated@example.com"),
        replace("name.givenName", "Given"),
        replace("externalId", "other-id"),
        {"op": "Add", "path": f"{ENTERPRISE_USER}:employeeNumber", "value": "701984"},
        {"op": "Add", "path": "nickName", "value": "Babs"},
    )
    assert (body["displayName"], body["nickName"], body["externalId"]) == ("fvlt", "Babs", "other-id")
    assert body["emails"] == [{"primary": True, "type": "work", "value": "updated@example.com"}]
    assert body["name"] == {"formatted": "Test User", "familyName": "User", "givenName": "Given"}
    assert body[ENTERPRISE_USER] == {"department": "Sales", "employeeNumber": "701984"}


@pytest.mark.scim("entra/flagged-update", "entra/flag", "rfc/6")
def test_the_flagged_update_has_dotted_and_urn_keys_and_an_unknown_query_parameter(
    acme: Organization,
) -> None:
    value = {
        "displayName": "Flagged",
        "name.givenName": "Given",
        f"{ENTERPRISE_USER}:department": "Marketing",
        f"{ENTERPRISE_USER}:employeeNumber": "17",
        'emails[type eq "work"].value': "flagged@example.com",
    }
    body = patch_user(acme, create(acme), {"op": "replace", "value": value}, query="?aadOptscim062020")
    assert body["displayName"] == "Flagged"
    assert body["name"]["givenName"] == "Given"
    assert body[ENTERPRISE_USER] == {"department": "Marketing", "employeeNumber": "17"}
    assert body["emails"][0]["value"] == "flagged@example.com"
    assert ok(acme.scim.get("/Users?aadOptscim062020"))["totalResults"] == 1


@pytest.mark.scim("entra/disable", "entra/deprovision")
@pytest.mark.parametrize("false", ["False", "false", False])
def test_disable_is_text_or_boolean_and_the_user_stays_readable_and_filterable(
    acme: Organization, false: Any
) -> None:
    anna = create(acme)
    assert patch_user(acme, anna, replace("active", false))["active"] is False
    assert found(acme.scim, "/Users", 'userName eq "Test_User@example.com"') == [anna]
    assert found(acme.scim, "/Users", 'active eq "False"') == [anna]
    assert found(acme.scim, "/Users", "active eq true") == []


@pytest.mark.scim("entra/no-match", "entra/values", "rfc/10")
def test_a_filtered_path_without_a_match_creates_one_entry_with_its_siblings(acme: Organization) -> None:
    anna = create(acme)
    parts = {"locality": "Oslo", "streetAddress": "Main 1", "postalCode": "0150", "country": "NO"}
    operations = [
        {"op": "Add", "path": f'addresses[type eq "work"].{name}', "value": value}
        for name, value in parts.items()
    ]
    body = patch_user(acme, anna, *operations)
    assert body["addresses"] == [{"type": "work", **parts}]
    phone = replace('phoneNumbers[type eq "mobile"].value', "+47 (22) 33-44")
    # Values stay as they were sent.
    assert patch_user(acme, anna, phone)["phoneNumbers"] == [{"type": "mobile", "value": "+47 (22) 33-44"}]


@pytest.mark.scim("entra/validator-role")
def test_the_validator_addresses_the_primary_role_by_text(acme: Organization) -> None:
    role = {"display": "Admin", "value": "admin-1", "type": "App"}
    operations = [
        {"op": "add", "path": f'roles[primary eq "True"].{name}', "value": value}
        for name, value in role.items()
    ]
    body = patch_user(acme, create(acme), *operations)
    assert body["roles"] == [{"primary": True, **role}]


@pytest.mark.scim("entra/roles")
def test_roles_as_json_text_are_unfolded_and_replace_means_replace(acme: Organization) -> None:
    anna = create(acme)
    json_text = '{"id":"18d14569","value":"Admin","displayName":"Administrators"}'
    body = patch_user(acme, anna, {"op": "Add", "path": "roles", "value": [{"value": json_text}]})
    assert body["roles"] == [{"value": "Admin", "display": "Administrators"}]
    assertive = [{"primary": False, "type": "WindowsAzureActiveDirectoryRole", "value": "Reader"}]
    assert (
        patch_user(acme, anna, {"op": "replace", "path": "roles", "value": assertive})["roles"] == assertive
    )


@pytest.mark.scim("entra/manager")
@pytest.mark.parametrize(
    "path",
    [f"{ENTERPRISE_USER}:manager", f"{ENTERPRISE_USER}.manager", "manager", f"{ENTERPRISE_USER}:Manager"],
)
@pytest.mark.parametrize("form", ["text", "object", "list"])
def test_every_form_of_manager_is_stored_and_cleared_by_an_empty_value(
    acme: Organization, path: str, form: str
) -> None:
    boss, anna = acme.scim.create_user(), create(acme)
    forms: dict[str, Any] = {
        "text": boss,
        "object": {"value": boss},
        "list": [{"$ref": f"http://localhost/Users/{boss}", "value": boss}],
    }
    body = patch_user(acme, anna, {"op": "Add", "path": path, "value": forms[form]})
    assert body[ENTERPRISE_USER]["manager"]["value"] == boss
    cleared = patch_user(acme, anna, replace(path, {"value": ""}))
    assert cleared[ENTERPRISE_USER] == {"department": "Sales"}


@pytest.mark.scim("entra/members")
def test_members_are_added_with_a_null_reference_several_in_one_operation(acme: Organization) -> None:
    people = [acme.scim.create_user() for _ in range(3)]
    group_id = acme.scim.create_group()
    value = [{"$ref": None, "value": person} for person in people]
    operation = {"op": "Add", "path": "members", "value": value}
    response = acme.scim.patch_operations(f"/Groups/{group_id}", operation)
    assert (response.status_code, response.data) == (204, b"")
    assert members(acme.scim, group_id) == sorted(people)


@pytest.mark.scim("entra/members", "rfc/7")
@pytest.mark.parametrize("by_filter", [True, False])
def test_removing_members_by_value_list_or_filter_removes_only_those(
    acme: Organization, by_filter: bool
) -> None:
    first, second, third = (acme.scim.create_user() for _ in range(3))
    group_id = acme.scim.create_group(members=[first, second, third])
    operation = (
        {"op": "remove", "path": f'members[value eq "{first}" or value eq "{second}"]'}
        if by_filter
        else {"op": "Remove", "path": "members", "value": [{"value": first}, {"$ref": None, "value": second}]}
    )
    assert acme.scim.patch_operations(f"/Groups/{group_id}", operation).status_code == 204
    assert members(acme.scim, group_id) == [third]


@pytest.mark.scim("entra/group-create", "entra/group-name")
def test_a_group_is_created_with_the_old_microsoft_namespace_and_its_name_is_unique(
    acme: Organization,
) -> None:
    body = {
        "schemas": [GROUP, ADSCIM],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "Sales Team",
        "meta": {"resourceType": "Group"},
    }
    created = ok(acme.scim.post("/Groups", body), 201)
    assert created["schemas"] == [GROUP]
    assert created["externalId"] == body["externalId"]
    detail = refused(acme.scim.post("/Groups", {**body, "displayName": "SALES team"}), 409, "uniqueness")
    assert "SALES team" in detail
    renamed = acme.scim.patch_operations(
        f"/Groups/{acme.scim.create_group()}", replace("displayName", "sales TEAM")
    )
    refused(renamed, 409, "uniqueness")


@pytest.mark.scim("entra/patch-answers")
def test_group_attributes_are_updated_and_answered_with_204(acme: Organization) -> None:
    group_id = acme.scim.create_group("Before")
    for operation in (replace("displayName", "After"), {"op": "replace", "value": {"externalId": "entra-7"}}):
        assert acme.scim.patch_operations(f"/Groups/{group_id}", operation).status_code == 204
    body = group(acme.scim, group_id)
    assert (body["displayName"], body["externalId"]) == ("After", "entra-7")


@pytest.mark.scim("entra/delete", "rfc/27")
def test_deleting_twice_is_404_and_the_user_name_can_be_created_again(acme: Organization) -> None:
    anna, group_id = create(acme), acme.scim.create_group()
    for path, body in (
        (f"/Users/{anna}", NEW_PERSON),
        (f"/Groups/{group_id}", {"schemas": [GROUP], "displayName": "Back"}),
    ):
        assert acme.scim.delete(path).status_code == 204
        refused(acme.scim.delete(path), 404)
        refused(acme.scim.get(path), 404)
        refused(acme.scim.put(path, body), 404)
        refused(acme.scim.patch_operations(path, replace("displayName", "Back")), 404)
    assert found(acme.scim, "/Users", 'userName eq "Test_User@example.com"') == []
    assert create(acme) != anna


@pytest.mark.scim("entra/restore")
def test_restore_keeps_the_memberships(acme: Organization) -> None:
    anna = create(acme)
    group_id = acme.scim.create_group(members=[anna])
    for active in ("False", "True"):
        patch_user(acme, anna, replace("active", active))
        assert members(acme.scim, group_id) == [anna]
        assert groups_of(acme.scim, anna) == [group_id]


@pytest.mark.scim("entra/delta-reads", "rfc/18")
def test_delta_reads_compare_instants_with_seven_digits_from_the_year_one_on(acme: Organization) -> None:
    anna = create(acme)
    modified = user(acme.scim, anna)["meta"]["lastModified"].rstrip("Z")
    window = 'ACTIVE eq true and (Meta.LastModified ge "{}" and meta.lastmodified le "{}")'
    start, end = "0001-01-03T00:00:00.0000000Z", f"{modified}9Z"
    assert found(acme.scim, "/Users", window.format(start, end)) == [anna]
    assert found(acme.scim, "/Users", window.format(end, "9999-12-31T23:59:59.9999999Z")) == [anna]
    assert (
        found(acme.scim, "/Users", window.format("0001-01-03T00:00:00.0000000Z", "0001-01-04T00:00:00Z"))
        == []
    )
