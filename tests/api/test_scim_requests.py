"""`/scim_requests`: what the identity provider asked, and what it was answered."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from tests.support.fakes import FakeClock

Problem = Callable[..., dict[str, Any]]
READ = ["directory:read"]
NOBODY = "scimreq_00000000-0000-7000-8000-000000000000"


def listed(office: Any, query: str = "") -> list[dict[str, Any]]:
    office.organization.container.traces.flush()
    response = office.get(f"/scim_requests?limit=1000&{query}", scopes=READ)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json["data"]
    return data


def test_a_request_is_listed_with_its_outcome_and_shown_with_its_bodies(acme: Any) -> None:
    scim = acme.organization.scim
    user_id = scim.create_user("ada@example.com")
    response = scim.post("/Users", {"userName": "ada@example.com"}, headers={"User-Agent": "Okta"})
    refused, created = listed(acme)
    assert refused == {
        "type": "scim_request",
        "id": refused["id"],
        "occurred_at": refused["occurred_at"],
        "method": "POST",
        "path": "/scim/v2/Users",
        "status": 409,
        "scim_type": "uniqueness",
        "detail": "A user with the userName 'a***@example.com' exists already. "
        "Update or reactivate that user instead.",
        "help_url": "http://127.0.0.1:8000/help/troubleshooting#uniqueness",
        "duration_microseconds": refused["duration_microseconds"],
        "scim_token_id": acme.get("/scim_tokens").json["data"][0]["id"],
        "user_agent": "Okta",
        "request_id": response.headers["X-Request-Id"],
        "user_id": None,
        "group_id": None,
        "tolerances": ["schemas_missing"],
        "changed": [],
    }
    assert refused["id"].startswith("scimreq_")
    assert created["user_id"] == f"user_{user_id}"
    shown = acme.get(f"/scim_requests/{refused['id']}", scopes=READ).json
    assert shown == {
        **refused,
        "request_body": '{"userName":"a***@example.com"}',
        "response_body": shown["response_body"],
    }
    assert '"scimType":"uniqueness"' in shown["response_body"]


def test_each_filter_narrows_the_list(acme: Any, clock: FakeClock) -> None:
    scim = acme.organization.scim
    ada, bob = scim.create_user(), scim.create_user()
    group_id = scim.create_group(members=[ada])
    moment = clock.now() + timedelta(hours=1)
    clock.advance(hours=2)
    scim.get(f"/Users/{ada}")
    scim.patch_operations(f"/Users/{bob}", {"op": "nonsense"})
    scim.get(f"/Groups/{group_id}")

    def found(query: str) -> list[tuple[str, int]]:
        return [(trace["method"], trace["status"]) for trace in listed(acme, query)]

    assert found("") == [("GET", 200), ("PATCH", 400), ("GET", 200), *[("POST", 201)] * 3]
    assert found(f"user_id=user_{ada}") == [("GET", 200), ("POST", 201)]
    assert found(f"user_id=user_{bob}&status=400") == [("PATCH", 400)]
    assert found(f"group_id=group_{group_id}") == [("GET", 200), ("POST", 201)]
    assert found("status=400") == [("PATCH", 400)]
    assert found("status=201") == [("POST", 201)] * 3
    text = rfc3339(moment)
    assert found(f"ending_at={text}") == [("POST", 201)] * 3
    assert found(f"starting_at={text}&status=200") == [("GET", 200)] * 2
    assert found(f"user_id=user_{NOBODY.partition('_')[2]}") == []


def test_pages_together_are_the_whole_list_even_of_one_instant(acme: Any, clock: FakeClock) -> None:
    clock.fixed = clock.now()
    for _ in range(7):
        acme.organization.scim.get("/Users")
    whole = listed(acme)
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = acme.get(f"/scim_requests?limit=2{cursor}", scopes=READ).json
        seen += page["data"]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (len(whole), seen) == (7, whole)


def test_a_cursor_is_bound_to_its_filters_and_organization(acme: Any, globex: Any, problem: Problem) -> None:
    for office in (acme, globex):
        office.organization.scim.get("/Users")
        office.organization.scim.get("/Users")
        listed(office)
    cursor = acme.get("/scim_requests?limit=1&status=200").json["next_cursor"]
    for office, query in ((acme, ""), (acme, "&status=201"), (globex, "&status=200")):
        problem(office.get(f"/scim_requests?limit=1{query}&cursor={cursor}"), 400, "invalid_cursor")


def test_another_organizations_request_is_not_there(acme: Any, globex: Any, problem: Problem) -> None:
    user_id = globex.organization.scim.create_user()
    (foreign,) = listed(globex)
    assert listed(acme) == listed(acme, f"user_id=user_{user_id}") == []
    problem(acme.get(f"/scim_requests/{foreign['id']}", scopes=READ), 404, "not_found")


@pytest.mark.parametrize("id_", [NOBODY, "scimreq_7", "user_00000000-0000-7000-8000-000000000000", "x"])
def test_what_is_no_request_is_not_found(acme: Any, problem: Problem, id_: str) -> None:
    problem(acme.get(f"/scim_requests/{id_}", scopes=READ), 404, "not_found")


@pytest.mark.parametrize(
    "query", ["status=99", "status=refused", "starting_at=yesterday", "limit=1001", "method=GET"]
)
def test_a_bad_filter_is_named(acme: Any, problem: Problem, query: str) -> None:
    detail = problem(acme.get(f"/scim_requests?{query}", scopes=READ), 400, "invalid_request")["detail"]
    assert detail.startswith(query.partition("=")[0])


def test_a_filter_by_what_is_no_id_is_not_found(acme: Any, problem: Problem) -> None:
    problem(acme.get("/scim_requests?user_id=ada", scopes=READ), 404, "not_found")


def test_without_the_scope_no_request_is_shown(acme: Any, problem: Problem) -> None:
    problem(acme.get("/scim_requests", scopes=["audit:read"]), 403, "scope_missing")
