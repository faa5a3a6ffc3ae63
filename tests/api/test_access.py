"""Keys and scopes, for every route there is: a new route is covered by being declared."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.api.declarations import Endpoint
from app.api.edge_ids import PATH_IDS
from app.api.routes import endpoints
from app.api.scopes import SCOPES, allows

Problem = Callable[..., dict[str, Any]]

GUARDED = [endpoint for endpoint in endpoints() if endpoint.scope is not None]
ROUTES = pytest.mark.parametrize("endpoint", GUARDED, ids=lambda endpoint: endpoint.name)


def path_of(endpoint: Endpoint) -> str:
    """A path that names nothing: its ids are of nobody."""
    return re.sub(
        r"<(\w+)>", lambda match: f"{PATH_IDS[match[1]]}_00000000-0000-7000-8000-000000000000", endpoint.path
    )


@ROUTES
def test_without_a_key_every_route_is_401(acme: Any, problem: Problem, endpoint: Endpoint) -> None:
    response = acme.client.open("/api/v1" + path_of(endpoint), method=endpoint.method)
    problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


# DESIGN's own words: which scope reads and which one writes a resource. All else is `admin`.
BY_RESOURCE = {
    "users": ("directory:read", "admin"),
    "groups": ("directory:read", "admin"),
    "scim_requests": ("directory:read", "admin"),
    **dict.fromkeys(
        (
            "roles",
            "group_mappings",
            "seats",
            "seat_pool",
            "spend_limits",
            "limit_increases",
            "held_changes",
            "jobs",
        ),
        ("governance:read", "governance:write"),
    ),
    **dict.fromkeys(("domains", "connections", "sessions"), ("sso:write", "sso:write")),
    "authorizations": ("spend:authorize", "spend:authorize"),
    "usage_events": ("usage:write", "usage:write"),
    **dict.fromkeys(("analytics", "billing", "prices"), ("analytics:read", "admin")),
    "audit": ("audit:read", "admin"),
}
# A plan is asked for with a body and changes nothing.
READING_POSTS = {"plan"}
BY_LAST_WORD = {"explain": "governance:read", "timeline": "audit:read"}


@ROUTES
def test_every_route_has_the_scope_of_its_resource(endpoint: Endpoint) -> None:
    words = endpoint.path.split("/")
    read, write = BY_RESOURCE.get(words[1], ("admin", "admin"))
    reads = endpoint.method == "GET" or words[-1] in READING_POSTS
    assert endpoint.scope == BY_LAST_WORD.get(words[-1], read if reads else write)


@ROUTES
def test_every_route_opens_to_just_the_scopes_that_hold_its_own(
    acme: Any, problem: Problem, endpoint: Endpoint
) -> None:
    for scope in SCOPES:
        # The body and the query would be refused as well; the scope is judged first.
        response = acme.call(
            endpoint.method, path_of(endpoint) + "?nonsense=1", scopes=[scope], data="no json"
        )
        if allows({scope}, str(endpoint.scope)):
            assert response.status_code in (400, 404, 415)
        else:
            assert str(endpoint.scope) in problem(response, 403, "scope_missing")["detail"]


@ROUTES
def test_every_other_scope_together_does_not_open_a_route(
    acme: Any, problem: Problem, endpoint: Endpoint
) -> None:
    lacking = [scope for scope in SCOPES if not allows({scope}, str(endpoint.scope))]
    assert "admin" not in lacking
    problem(acme.call(endpoint.method, path_of(endpoint), scopes=lacking), 403, "scope_missing")


@ROUTES
def test_the_declared_scope_is_enough(acme: Any, endpoint: Endpoint) -> None:
    response = acme.call(endpoint.method, path_of(endpoint), scopes=[str(endpoint.scope)])
    assert response.status_code not in (401, 403)
    assert response.status_code < 500


@pytest.mark.parametrize(
    ("held", "needed", "verdict"),
    [
        ("admin", "audit:read", True),
        ("governance:write", "governance:read", True),
        ("governance:read", "governance:write", False),
        ("directory:read", "governance:read", False),
    ],
)
def test_scopes_include_what_they_say(held: str, needed: str, verdict: bool) -> None:
    assert allows({held}, needed) is verdict


def test_the_key_may_come_in_either_header_or_the_same_in_both(acme: Any) -> None:
    key = acme.key("admin")
    for headers in (
        {"x-api-key": key},
        {"Authorization": f"bearer {key}"},
        {"Authorization": f"Bearer {key}", "x-api-key": key},
    ):
        assert acme.client.get("/api/v1/organization", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer nonsense", "Bearer é"]
)
def test_a_malformed_authorization_is_401(acme: Any, problem: Problem, value: str) -> None:
    response = acme.client.get("/api/v1/organization", headers={"Authorization": value})
    problem(response, 401, "unauthenticated")


def test_two_different_keys_are_401(acme: Any, problem: Problem) -> None:
    headers = {"Authorization": f"Bearer {acme.key('admin')}", "x-api-key": acme.key("audit:read")}
    problem(acme.client.get("/api/v1/organization", headers=headers), 401, "unauthenticated")


def test_a_scim_token_is_a_stranger_here(acme: Any, problem: Problem) -> None:
    headers = {"Authorization": f"Bearer {acme.organization.scim.token}"}
    problem(acme.client.get("/api/v1/organization", headers=headers), 401, "unauthenticated")


def test_the_use_of_a_key_is_noted_even_when_it_is_refused(acme: Any, problem: Problem) -> None:
    problem(acme.get("/organization", scopes=["audit:read"]), 403, "scope_missing")
    keys = {tuple(key["scopes"]): key for key in acme.get("/api_keys").json["data"]}
    assert keys["audit:read",]["last_used_at"] is not None


def test_a_key_over_its_rate_is_429_with_whole_seconds_to_wait(limited: Any, problem: Problem) -> None:
    codes = [limited.get("/organization").status_code for _ in range(8)]
    assert codes[:2] == [200, 200]
    assert 429 in codes
    response = next(
        answer for answer in iter(lambda: limited.get("/organization"), None) if answer.status_code == 429
    )
    problem(response, 429, "rate_limited")
    assert response.headers["Retry-After"].isdigit()
    # Gateways ask for each call that they let through, so their keys are not counted.
    gateway = ["spend:authorize", "admin"]
    assert {limited.get("/organization", scopes=gateway).status_code for _ in range(5)} == {200}
