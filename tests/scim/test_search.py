"""POST /.search, the root over all types, and /Me (RFC 7644 sections 3.4.2.1, 3.4.3 and 3.11)."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, ERROR, GROUP, SEARCH_REQUEST, USER
from tests.scim.answers import listed, ok, refused
from tests.support.cast import Organization, ScimClient, json_of
from tests.support.fakes import FakeClock

ENDPOINTS = ("/Users", "/Groups", "/")
LISTS = ("attributes", "excludedAttributes")


def search(acme: Organization, endpoint: str, **members: Any) -> dict[str, Any]:
    path = f"{endpoint.rstrip('/')}/.search"
    return ok(acme.scim.post(path, {"schemas": [SEARCH_REQUEST], **members}))


def names(body: Mapping[str, Any]) -> list[str]:
    return [resource.get("userName", resource.get("displayName")) for resource in body["Resources"]]


@pytest.fixture
def office(acme: Organization) -> Organization:
    """Three people and two groups, one with a member."""
    anna = acme.scim.create_user("anna", displayName="Sales", title="Lead", externalId="1")
    acme.scim.create_user("Bert", emails=[{"value": "b@example.com", "type": "work"}], active=False)
    acme.scim.create_user("carl", displayName="Zoe", **{ENTERPRISE_USER: {"department": "Sales"}})
    acme.scim.create_group("Sales", [anna])
    acme.scim.create_group("Ops")
    return acme


@pytest.mark.scim("rfc/42")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"filter": 'displayName eq "sales"'},
        {"filter": 'displayName eq "sales"', "attributes": ["displayName", "meta.resourceType"]},
        {"excludedAttributes": ["members", "groups", "meta"]},
        {"sortBy": "displayName", "sortOrder": "descending"},
        {"startIndex": 2, "count": 2},
        {"count": 0},
        {"startIndex": -1, "count": -1},
        {"COUNT": 1, "nosuch": {"a": 1}, "Filter": "id pr"},
        {"filter": None, "sortBy": None, "count": None, "attributes": None, "cursor": None},
        {"attributes": [], "excludedAttributes": ["id"]},
    ],
)
def test_a_search_request_answers_what_the_query_answers(
    office: Organization, endpoint: str, members: dict[str, Any]
) -> None:
    query = {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in members.items()
        if value is not None
    }
    canonical = {"COUNT": "count", "Filter": "filter"}
    query = {canonical.get(name, name): value for name, value in query.items()}
    assert search(office, endpoint, **members) == listed(office.scim, endpoint, **query)


@pytest.mark.scim("rfc/42", "rfc/60")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_search_is_paged_by_cursor_and_its_cursor_serves_the_query_too(
    office: Organization, endpoint: str, clock: FakeClock
) -> None:
    # A cursor carries when it expires, so equal answers are of one moment.
    clock.fixed = clock.now()
    first = search(office, endpoint, cursor="", count=1, filter="id pr")
    assert "startIndex" not in first
    members = {"cursor": first["nextCursor"], "count": 1, "filter": "id pr"}
    second = search(office, endpoint, **members)
    assert names(first) != names(second)
    assert ok(office.scim.get(endpoint, query_string=members)) == second


@pytest.mark.scim("rfc/42")
def test_a_search_without_its_schema_is_refused(acme: Organization) -> None:
    bodies: tuple[Any, ...] = ({}, {"schemas": []}, {"schemas": [USER]}, [])
    for body in bodies:
        refused(acme.scim.post("/Users/.search", body), 400, "invalidSyntax")
    accepted = acme.scim.post("/Users/.search", {"SCHEMAS": [SEARCH_REQUEST.upper(), "urn:other"]})
    assert ok(accepted)["totalResults"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("filter", 5), ("count", "10"), ("startIndex", True), ("attributes", "id"), ("attributes", [1])],
)
def test_a_member_of_the_wrong_type_is_named(acme: Organization, name: str, value: Any) -> None:
    response = acme.scim.post("/Users/.search", {"schemas": [SEARCH_REQUEST], name: value})
    assert refused(response, 400, "invalidSyntax").startswith(f"{name} must be ")


@pytest.mark.scim("rfc/42", "rfc/2")
def test_a_wrong_filter_in_a_search_is_an_invalid_filter(acme: Organization) -> None:
    body = {"schemas": [SEARCH_REQUEST], "filter": 'nosuch eq "x"'}
    refused(acme.scim.post("/Users/.search", body), 400, "invalidFilter")
    refused(acme.scim.post("/.search", body), 400, "invalidFilter")


@pytest.mark.parametrize("path", ["/Users/.search", "/Groups/.search", "/.search"])
def test_a_search_needs_a_token_and_a_json_body(acme: Organization, path: str) -> None:
    body = {"schemas": [SEARCH_REQUEST]}
    stranger = ScimClient(acme.app, None, acme.scim.root, acme.scim.content_type)
    refused(stranger.post(path, body), 401)
    refused(acme.scim.post(path, body, content_type="text/plain"), 415)
    assert acme.scim.post(path, body, content_type="application/json").status_code == 200


@pytest.mark.scim("rfc/43")
@pytest.mark.parametrize("root", ["", "/"])
def test_the_root_lists_users_and_then_groups_as_their_endpoints_do(office: Organization, root: str) -> None:
    people = listed(office.scim, "/Users")["Resources"]
    groups = listed(office.scim, "/Groups")["Resources"]
    body = listed(office.scim, root)
    assert (body["totalResults"], body["startIndex"]) == (5, 1)
    assert body["Resources"] == people + groups


def test_the_root_needs_a_token(acme: Organization) -> None:
    for root in ("/scim/v2", "/scim/v2/"):
        refused(acme.app.test_client().get(root), 401)


@pytest.mark.scim("rfc/43", "rfc/49")
def test_the_root_shows_nothing_of_another_organization(office: Organization, globex: Organization) -> None:
    assert listed(globex.scim, "/")["totalResults"] == 0
    assert listed(globex.scim, "/", sortBy="displayName", filter="id pr")["totalResults"] == 0
    assert ok(globex.scim.get("/", query_string={"cursor": ""}))["totalResults"] == 0


@pytest.mark.scim("rfc/43", "rfc/59")
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sortBy": "displayName"},
        {"sortBy": "meta.created"},
        {"sortBy": "id", "sortOrder": "descending"},
    ],
)
def test_pages_of_the_root_join_to_the_whole(office: Organization, count: int, query: dict[str, str]) -> None:
    whole = listed(office.scim, "/", **query)["Resources"]
    by_index: list[Any] = []
    for start in range(1, 6, count):
        body = listed(office.scim, "/", **query, startIndex=start, count=count)
        assert (body["totalResults"], body["startIndex"]) == (5, start)
        by_index += body["Resources"]
    assert by_index == whole
    by_cursor: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        body = ok(office.scim.get("/", query_string={**query, "cursor": cursor, "count": count}))
        assert body["totalResults"] == 5
        by_cursor += body["Resources"]
        cursor = body.get("nextCursor")
    assert by_cursor == whole


@pytest.mark.scim("rfc/43")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('meta.resourceType eq "User"', ["anna", "Bert", "carl"]),
        ('meta.resourceType eq "Group"', ["Sales", "Ops"]),
        ('displayName eq "sales"', ["anna", "Sales"]),
        ('userName eq "ANNA"', ["anna"]),
        ("members pr", ["Sales"]),
        ('userName eq "anna" or members pr', ["anna", "Sales"]),
        ("active eq false", ["Bert"]),
        ("not (userName pr)", ["Sales", "Ops"]),
        ('emails[type eq "work"]', ["Bert"]),
        ('department eq "sales"', ["carl"]),
        (f'{ENTERPRISE_USER}:department eq "sales"', ["carl"]),
        (f'{USER}:displayName eq "sales"', ["anna"]),
        (f'{GROUP}:displayName eq "sales"', ["Sales"]),
        (f'not ({GROUP}:displayName eq "sales")', ["anna", "Bert", "carl", "Ops"]),
        (f'schemas eq "{GROUP}"', ["Sales", "Ops"]),
        ('groups.display eq "Sales"', ["anna"]),
        ('title ne "lead"', ["Bert", "carl", "Sales", "Ops"]),
        ("userName eq null", ["Sales", "Ops"]),
    ],
)
def test_an_attribute_that_a_type_lacks_has_no_value_there(
    office: Organization, text: str, expected: list[str]
) -> None:
    body = listed(office.scim, "/", filter=text)
    assert [
        resource["userName"] if "userName" in resource else resource["displayName"]
        for resource in body["Resources"]
    ] == expected
    assert body["totalResults"] == len(expected)


@pytest.mark.parametrize(
    "text", ['nosuch eq "x"', 'userName eq "x" or nosuch pr', "password pr", "name eq 1"]
)
def test_what_no_type_knows_is_refused_at_the_root(acme: Organization, text: str) -> None:
    refused(acme.scim.get("/", query_string={"filter": text}), 400, "invalidFilter")


@pytest.mark.scim("rfc/43", "rfc/44")
def test_the_root_is_sorted_across_types(office: Organization) -> None:
    assert names(listed(office.scim, "/", sortBy="displayName")) == ["Ops", "anna", "Sales", "carl", "Bert"]
    # Only users have a userName, so groups come last, and first the other way round.
    by_name = ["anna", "Bert", "carl"]
    assert names(listed(office.scim, "/", sortBy="userName")) == [*by_name, "Sales", "Ops"]
    descending = listed(office.scim, "/", sortBy="userName", sortOrder="descending")
    assert names(descending) == ["Sales", "Ops", *reversed(by_name)]
    for sort_by in ("active", "meta.created", "members", "groups.display", "meta.resourceType", "emails"):
        assert listed(office.scim, "/", sortBy=sort_by)["itemsPerPage"] == 5
    refused(office.scim.get("/", query_string={"sortBy": "nosuch"}), 400, "invalidValue")


@pytest.mark.scim("rfc/43", "rfc/31")
def test_the_root_projects_each_type_by_its_own_rules(office: Organization) -> None:
    body = listed(office.scim, "/", attributes=f"userName,{GROUP}:displayName,members.value,nosuch")
    anna, sales = body["Resources"][0], body["Resources"][3]
    # The name of an attribute with a URN is that type's alone.
    assert anna.keys() == {"schemas", "id", "userName"}
    assert sales.keys() == {"schemas", "id", "displayName", "members"}
    assert sales["members"] == [{"value": anna["id"]}]
    both = {"attributes": "id", "excludedAttributes": "meta"}
    refused(office.scim.get("/", query_string=both), 400, "invalidValue")


@pytest.mark.scim("rfc/55", "rfc/54")
@pytest.mark.parametrize("path", ["/Me", "/Me/", "/Me/x/y"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_me_is_not_implemented_and_says_so_to_token_holders_only(
    acme: Organization, method: str, path: str
) -> None:
    response = acme.scim.request(method, path)
    body = json_of(response)
    assert response.status_code == 501
    assert (body["schemas"], body["status"]) == ([ERROR], "501")
    assert "/Users" in body["detail"]
    stranger = ScimClient(acme.app, None, acme.scim.root, acme.scim.content_type)
    refused(stranger.request(method, path), 401)
