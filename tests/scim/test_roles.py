"""/Roles: what Okta lists as entitlements (its guide "Build a SCIM 2.0 server with entitlements")."""

from typing import Any

import pytest

from app.scim.protocol.constants import ROLE
from tests.scim.answers import listed, ok, refused
from tests.support.cast import Organization

OKTA = {"User-Agent": "Okta SCIM Client 1.0.0"}


@pytest.mark.scim("okta/entitlements")
def test_okta_finds_the_roles_by_the_resource_types(acme: Organization) -> None:
    acme.api.post("/roles", {"name": "engineer"})
    types = ok(acme.scim.get("/ResourceTypes", headers=OKTA))["Resources"]
    (endpoint,) = [type_["endpoint"] for type_ in types if type_["schema"] == ROLE]
    roles = listed(acme.scim, endpoint)["Resources"]
    names = {role["displayName"]: role for role in roles}
    assert {"owner", "member", "engineer"} <= set(names)
    engineer = names["engineer"]
    assert (engineer["schemas"], engineer["type"]) == ([ROLE], "Role")
    assert f"role_{engineer['id']}" == acme.role_id("engineer")
    assert ok(acme.scim.get(f"{endpoint}/{engineer['id']}")) == engineer
    assert engineer["meta"]["location"].endswith(f"/scim/v2/Roles/{engineer['id']}")


def test_who_is_not_okta_is_shown_no_type_that_nobody_can_create(acme: Organization) -> None:
    types = listed(acme.scim, "/ResourceTypes")["Resources"]
    assert [type_["name"] for type_ in types] == ["User", "Group"]
    assert ok(acme.scim.get("/ResourceTypes/Role"))["schema"] == ROLE


def test_roles_come_in_pages_by_index_and_by_cursor(acme: Organization) -> None:
    for number in range(5):
        acme.api.post("/roles", {"name": f"r{number}"})
    whole = listed(acme.scim, "/Roles")["Resources"]
    page = listed(acme.scim, "/Roles", startIndex=2, count=3)
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (len(whole), 2, 3)
    assert page["Resources"] == whole[1:4]
    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"cursor": cursor, "count": 3, "sortBy": "displayName"}
        page = ok(acme.scim.get("/Roles", query_string=query))
        seen += page["Resources"]
        cursor = page.get("nextCursor")
    assert seen == sorted(whole, key=lambda role: role["displayName"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('displayName eq "OWNER"', ["owner"]),
        ('displayName sw "own" and type eq "role"', ["owner"]),
        (f'schemas eq "{ROLE}" and displayName co "wne"', ["owner"]),
        ('externalId pr or type eq "Entitlement"', []),
    ],
)
def test_a_filter_of_roles_is_answered_exactly(acme: Organization, text: str, found: list[str]) -> None:
    resources = listed(acme.scim, "/Roles", filter=text)["Resources"]
    assert [role["displayName"] for role in resources] == found
    shown = listed(acme.scim, "/Roles", filter=text, attributes="displayName")["Resources"]
    assert [set(role) for role in shown] == [{"schemas", "id", "displayName"}] * len(found)


def test_a_broken_filter_of_roles_is_refused(acme: Organization) -> None:
    refused(acme.scim.get("/Roles", query_string={"filter": 'userName eq "x"'}), 400, "invalidFilter")


def test_roles_cannot_be_written(acme: Organization) -> None:
    role = acme.role_id("member").removeprefix("role_")
    for method, path in (("POST", "/Roles"), ("PUT", f"/Roles/{role}"), ("DELETE", f"/Roles/{role}")):
        refused(acme.scim.request(method, path, {"displayName": "x"}), 405)


def test_another_organizations_roles_are_not_there(acme: Organization, globex: Organization) -> None:
    acme.api.post("/roles", {"name": "secret"})
    role = acme.role_id("secret").removeprefix("role_")
    refused(globex.scim.get(f"/Roles/{role}"), 404)
    refused(globex.scim.get("/Roles/nothing"), 404)
    assert "secret" not in globex.scim.get("/Roles").text
