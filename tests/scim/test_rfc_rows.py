"""Demands of RFC 7643 and 7644 that no connector's conversation covers, each over HTTP."""

from typing import Any

import pytest

from app.scim.protocol.constants import BULK_REQUEST, ENTERPRISE_USER, GROUP, PATCH_OP, USER
from tests.scim.answers import found, listed, members, ok, refused, user
from tests.support.cast import Organization, ScimClient, json_of
from tests.support.fakes import FakeClock

UNKNOWN = "01890000-0000-7000-8000-000000000000"
ANNA: dict[str, Any] = {"schemas": [USER], "userName": "anna@example.com"}


@pytest.mark.scim("rfc/1")
def test_names_and_operators_ignore_case_over_http(acme: Organization) -> None:
    anna = acme.scim.create_user("anna@example.com", title="Lead")
    assert found(acme.scim, "/Users", 'USERNAME EQ "anna@example.com" AND Title Pr') == [anna]
    operation = {"OP": "REPLACE", "Path": "NAME.givenname", "VALUE": "Anna"}
    body = {"Schemas": [PATCH_OP], "operations": [operation]}
    assert ok(acme.scim.patch(f"/Users/{anna}", body))["name"] == {"givenName": "Anna"}


@pytest.mark.scim("rfc/2", "rfc/17")
@pytest.mark.parametrize(
    "text",
    ["userName xx 1", 'nosuch eq "x"', "active gt true", 'x509Certificates.value lt "x"', "", "(", "pr"],
)
def test_a_filter_that_cannot_be_answered_shows_nobody(acme: Organization, text: str) -> None:
    acme.scim.create_user()
    refused(acme.scim.get("/Users", query_string={"filter": text}), 400, "invalidFilter")


@pytest.mark.scim("rfc/8")
def test_a_removal_without_a_path_has_no_target(acme: Organization) -> None:
    anna, group_id = acme.scim.create_user(title="Lead"), acme.scim.create_group()
    for path in (f"/Users/{anna}", f"/Groups/{group_id}"):
        refused(acme.scim.patch_operations(path, {"op": "remove"}), 400, "noTarget")
        refused(acme.scim.patch_operations(path, {"op": "remove", "value": {"title": "x"}}), 400, "noTarget")


@pytest.mark.scim("rfc/9")
def test_what_is_required_or_read_only_cannot_be_removed(acme: Organization) -> None:
    anna, group_id = acme.scim.create_user(), acme.scim.create_group()
    for path, target in (
        (f"/Users/{anna}", "userName"),
        (f"/Users/{anna}", "id"),
        (f"/Users/{anna}", "meta"),
        (f"/Users/{anna}", "groups"),
        (f"/Groups/{group_id}", "displayName"),
    ):
        refused(acme.scim.patch_operations(path, {"op": "remove", "path": target}), 400, "mutability")


@pytest.mark.scim("rfc/12")
def test_a_new_primary_takes_the_place_of_the_old_one(acme: Organization) -> None:
    emails = [{"value": "a@example.com", "primary": True}, {"value": "b@example.com"}]
    anna = acme.scim.create_user(emails=emails)
    new = {"op": "add", "path": "emails", "value": [{"value": "c@example.com", "primary": True}]}
    shown = ok(acme.scim.patch_operations(f"/Users/{anna}", new))["emails"]
    assert [entry["value"] for entry in shown if entry.get("primary")] == ["c@example.com"]
    two = [{"value": name, "primary": True} for name in ("x@example.com", "y@example.com")]
    refused(acme.scim.post("/Users", {**ANNA, "emails": two}), 400, "invalidValue")


@pytest.mark.scim("rfc/14")
def test_and_binds_before_or_on_the_database(acme: Organization) -> None:
    lead = acme.scim.create_user(title="Lead", userType="Employee")
    acme.scim.create_user(title="Clerk", userType="Guest")
    assert found(acme.scim, "/Users", 'title eq "Lead" or title eq "Clerk" and userType eq "Employee"') == [
        lead
    ]
    grouped = '(title eq "Lead" or title eq "Clerk") and not (userType eq "Guest")'
    assert found(acme.scim, "/Users", grouped) == [lead]


@pytest.mark.scim("rfc/21", "rfc/20", "rfc/61")
def test_a_page_is_never_longer_than_the_config_says(acme: Organization) -> None:
    config = ok(acme.scim.get("/ServiceProviderConfig"))
    most, usual = config["filter"]["maxResults"], config["pagination"]["defaultPageSize"]
    assert most == config["pagination"]["maxPageSize"]
    people = [
        {"method": "POST", "path": "/Users", "bulkId": str(number), "data": {"userName": f"p{number}"}}
        for number in range(most)
    ]
    ok(acme.scim.post("/Bulk", {"schemas": [BULK_REQUEST], "Operations": people}))
    acme.scim.create_user()
    for endpoint in ("/Users", "/"):
        for query, length in (({}, usual), ({"count": most + 1}, most), ({"filter": "id pr"}, usual)):
            page = listed(acme.scim, endpoint, attributes="id", **query)
            assert (page["totalResults"], page["itemsPerPage"]) == (most + 1, length)
        page = ok(acme.scim.get(endpoint, query_string={"cursor": "", "attributes": "id"}))
        assert page["itemsPerPage"] == usual


@pytest.mark.scim("rfc/21")
def test_too_many_operations_are_refused(acme: Organization) -> None:
    many = [{"op": "replace", "path": "title", "value": "x"}] * 1001
    refused(acme.scim.patch_operations(f"/Users/{acme.scim.create_user()}", *many), 400, "tooMany")


@pytest.mark.scim("rfc/22")
def test_the_id_is_the_services_own(acme: Organization) -> None:
    body = ok(acme.scim.post("/Users", {**ANNA, "id": "bulkId:1", "meta": {"location": "elsewhere"}}), 201)
    assert body["id"] != "bulkId:1"
    assert "bulkid" not in body["id"].lower()
    assert body["meta"]["location"].endswith(body["id"])
    replaced = ok(acme.scim.put(f"/Users/{body['id']}", {**ANNA, "id": UNKNOWN, "title": "Lead"}))
    assert replaced["id"] == body["id"]
    for query in ("?attributes=userName", "?excludedAttributes=id"):
        assert ok(acme.scim.get(f"/Users/{body['id']}{query}"))["id"] == body["id"]


@pytest.mark.scim("rfc/24")
def test_read_only_input_is_ignored(acme: Organization) -> None:
    group_id = acme.scim.create_group("Kept")
    meta = {"resourceType": "Group", "created": "2001-01-01T00:00:00Z", "version": 'W/"99"'}
    body = ok(acme.scim.post("/Users", {**ANNA, "meta": meta, "groups": [{"value": group_id}]}), 201)
    assert (body["meta"]["resourceType"], body["meta"]["version"]) == ("User", 'W/"1"')
    assert not body["meta"]["created"].startswith("2001")
    assert members(acme.scim, group_id) == []


@pytest.mark.scim("rfc/25")
def test_put_creates_nobody(acme: Organization) -> None:
    refused(acme.scim.put(f"/Users/{UNKNOWN}", ANNA), 404)
    refused(acme.scim.put(f"/Groups/{UNKNOWN}", {"schemas": [GROUP], "displayName": "New"}), 404)
    assert listed(acme.scim, "/Users")["totalResults"] == listed(acme.scim, "/Groups")["totalResults"] == 0


@pytest.mark.scim("rfc/28", "rfc/58")
def test_a_password_is_told_by_nothing(acme: Organization) -> None:
    anna = acme.scim.create_user("anna@example.com", password="Secret-of-Anna-1")
    for condition in ('password eq "Secret-of-Anna-1"', "password pr", 'not (password eq "x")'):
        refused(acme.scim.get("/Users", query_string={"filter": condition}), 400, "invalidFilter")
    for query in ("attributes=password", "attributes=password,userName"):
        assert "password" not in ok(acme.scim.get(f"/Users/{anna}?{query}"))
    assert ok(acme.scim.get("/ServiceProviderConfig"))["changePassword"] == {"supported": False}


@pytest.mark.scim("rfc/33")
def test_schemas_follow_the_data_when_a_patch_adds_and_takes_it(acme: Organization) -> None:
    path = f"/Users/{acme.scim.create_user()}"
    target = f"{ENTERPRISE_USER}:department"
    added = ok(acme.scim.patch_operations(path, {"op": "add", "path": target, "value": "Sales"}))
    assert added["schemas"] == [USER, ENTERPRISE_USER]
    taken = ok(acme.scim.patch_operations(path, {"op": "remove", "path": target}))
    assert taken["schemas"] == [USER]
    assert ENTERPRISE_USER not in taken


@pytest.mark.scim("rfc/37")
def test_a_manager_is_found_by_the_exact_id_alone(acme: Organization) -> None:
    boss = acme.scim.create_user()
    manager = {"value": boss, "displayName": "Fake"}
    anna = ok(acme.scim.post("/Users", {**ANNA, ENTERPRISE_USER: {"manager": manager}}), 201)["id"]
    assert "Fake" not in str(user(acme.scim, anna))
    assert found(acme.scim, "/Users", f'{ENTERPRISE_USER}:manager.value eq "{boss}"') == [anna]
    assert found(acme.scim, "/Users", f'{ENTERPRISE_USER}:manager.value eq "{boss.upper()}"') == []


@pytest.mark.scim("rfc/39", "rfc/32")
def test_presence_is_having_a_value(acme: Organization) -> None:
    empty = acme.scim.create_user(title="", emails=[], nickName=None)
    full = acme.scim.create_user(title="Lead", emails=[{"value": "a@example.com"}], nickName="A")
    for attribute in ("title", "emails", "emails.value", "nickName"):
        assert found(acme.scim, "/Users", f"{attribute} pr") == [full]
        assert found(acme.scim, "/Users", f"not ({attribute} pr)") == [empty]


@pytest.mark.scim("rfc/40")
def test_people_are_found_by_their_schemas(acme: Organization) -> None:
    plain = acme.scim.create_user()
    extended = ok(acme.scim.post("/Users", {**ANNA, ENTERPRISE_USER: {"department": "Sales"}}), 201)["id"]
    assert found(acme.scim, "/Users", f'schemas eq "{ENTERPRISE_USER}"') == [extended]
    assert found(acme.scim, "/Users", f'schemas eq "{USER}"') == [plain, extended]
    assert found(acme.scim, "/Groups", f'schemas eq "{USER}"') == []


@pytest.mark.scim("rfc/41")
def test_text_in_a_filter_is_json_text(acme: Organization) -> None:
    zoe = acme.scim.create_user(displayName='Zoë "Z" \\ 100%')
    for text in ('Zo\\u00eb \\"Z\\" \\\\ 100%', 'Zoë \\"Z\\" \\u005c 100%'):
        assert found(acme.scim, "/Users", f'displayName eq "{text}"') == [zoe]


@pytest.mark.scim("rfc/50")
@pytest.mark.parametrize("accepted", ["application/scim+json", "application/json", "*/*", "text/html"])
def test_an_answer_is_json_whatever_is_accepted(acme: Organization, accepted: str) -> None:
    response = acme.scim.get("/Users", headers={"Accept": accepted})
    wanted = "application/json" if accepted == "application/json" else "application/scim+json"
    assert (response.status_code, response.content_type) == (200, wanted)
    for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense"):
        refused(acme.scim.post("/Users", "{}", content_type=media_type), 415)


@pytest.mark.scim("rfc/54")
def test_what_the_config_does_not_support_is_refused(acme: Organization) -> None:
    config = ok(acme.scim.get("/ServiceProviderConfig"))
    blocks = {name: block for name, block in config.items() if isinstance(block, dict)}
    refusing = {name for name, block in blocks.items() if block.get("supported") is False}
    assert refusing == {"changePassword"}
    token = json_of(acme.api.post("/scim_tokens", {"name": "strict", "tolerances": "strict"}))["token"]
    strict = ScimClient(acme.app, token, acme.scim.root, acme.scim.content_type)
    anna = acme.scim.create_user()
    password = {"op": "replace", "path": "password", "value": "Chosen-by-Anna-7"}
    refused(strict.patch_operations(f"/Users/{anna}", password), 400, "invalidValue")
    refused(strict.post("/Users", {**ANNA, "password": "Chosen-by-Anna-7"}), 400, "invalidValue")
    # No type is served that /ResourceTypes does not list.
    refused(acme.scim.get("/Agents"), 404)


@pytest.mark.scim("rfc/56")
def test_no_write_is_redirected(acme: Organization) -> None:
    for path in ("/Users/", "//Users", "/users", f"/Users/{UNKNOWN}/"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert acme.scim.request(method, path, ANNA).status_code in (404, 405)
    assert listed(acme.scim, "/Users")["totalResults"] == 0


@pytest.mark.scim("rfc/57", "rfc/13")
def test_a_user_name_is_the_same_in_every_spelling_of_its_letters(acme: Organization) -> None:
    composed, decomposed = "Zo\u00eb@example.com", "zoe\u0308@EXAMPLE.com"
    zoe = acme.scim.create_user(composed)
    refused(acme.scim.post("/Users", {**ANNA, "userName": decomposed}), 409, "uniqueness")
    assert found(acme.scim, "/Users", f'userName eq "{decomposed}"') == [zoe]


@pytest.mark.scim("entra/authentication", "rfc/48")
def test_an_expired_token_is_401(acme: Organization, clock: FakeClock) -> None:
    token = json_of(acme.api.post("/scim_tokens", {"name": "short", "expires_in_days": 1}))["token"]
    headers = {"Authorization": f"Bearer {token}"}
    ok(acme.scim.get("/Users", headers=headers))
    clock.advance(days=2)
    refused(acme.scim.get("/Users", headers=headers), 401)


@pytest.mark.scim("rfc/61")
def test_index_stays_the_default_way_to_page(acme: Organization) -> None:
    pagination = ok(acme.scim.get("/ServiceProviderConfig"))["pagination"]
    assert pagination["index"] is True
    assert pagination["defaultPaginationMethod"] == "index"
    assert pagination["defaultPageSize"] <= pagination["maxPageSize"]
    assert isinstance(pagination["cursor"], bool)
    assert "startIndex" in listed(acme.scim, "/Users")


@pytest.mark.scim("rfc/63", "rfc/64", "rfc/65", "rfc/66", "rfc/67")
def test_security_events_are_neither_announced_nor_served(acme: Organization) -> None:
    assert "securityEvents" not in ok(acme.scim.get("/ServiceProviderConfig"))
    for path in ("/Events", "/SecurityEvents", "/Streams"):
        refused(acme.scim.get(path), 404)
    response = acme.scim.post("/Users", ANNA, headers={"Prefer": "respond-async"})
    assert response.status_code == 201
    assert not {"Set-Txn", "Preference-Applied"} & set(response.headers.keys())
