"""Signed-in people over REST: their session stands in for an API key, with the scopes of their role."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.declarations import Endpoint
from app.api.scopes import allows, scopes_of
from app.governance.roles import BUILT_IN
from app.sso.session_recognition import SESSION_LOOKUP
from app.sso.sessions import NewSession, SessionService
from tests.api.test_access import ROUTES, path_of
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.sign_on import SignOn, sign_on

Problem = Callable[..., dict[str, Any]]
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
ROOT = "/api/v1"


@pytest.fixture(scope="module")
def office(app: Flask) -> Organization:
    return create_organization(app)


@pytest.fixture(scope="module")
def door(office: Organization) -> SignOn:
    return sign_on(office)


def browser_of(office: Organization, role: str, *, kind: str = "sso") -> tuple[str, FlaskClient]:
    """Somebody new with a role, and a browser in which they are signed in."""
    user_id = office.scim.create_user()
    office.map_group(office.scim.create_group(members=[user_id]), role)
    with in_organization(office.app, office.id) as services:
        moment = services.uow.now
        new = NewSession(kind=kind, user_id=user_id, principal_id=user_id, authenticated_at=moment)
        _, secret = services.get(SessionService).begin(new)
        services.commit()
    browser = office.app.test_client()
    browser.set_cookie("usher_session", secret)
    return user_id, browser


@pytest.fixture(scope="module")
def browsers(office: Organization) -> dict[str, FlaskClient]:
    return {role: browser_of(office, role)[1] for role in BUILT_IN}


@pytest.fixture(scope="module")
def past_the_idp(office: Organization) -> FlaskClient:
    """The browser of an owner who came in by a code."""
    return browser_of(office, "owner", kind="break_glass")[1]


@ROUTES
def test_every_route_opens_to_just_the_roles_whose_scopes_hold_its_own(
    browsers: dict[str, FlaskClient], problem: Problem, endpoint: Endpoint
) -> None:
    for role, browser in browsers.items():
        path = ROOT + path_of(endpoint) + "?nonsense=1"
        response = browser.open(path, method=endpoint.method, headers=SAME_ORIGIN, data="no json")
        if allows(scopes_of(BUILT_IN[role]["permissions"]), str(endpoint.scope)):
            assert response.status_code not in (401, 403, 500), response.text
        else:
            problem(response, 403, "scope_missing")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/connections", 200),
        ("/domains", 200),
        ("/sessions", 200),
        ("/organization", 403),
        ("/users", 403),
        ("/roles", 403),
        ("/seat_pool", 403),
        ("/api_keys", 403),
        ("/audit/events", 403),
    ],
)
def test_a_session_by_code_opens_sign_on_and_nothing_else(
    past_the_idp: FlaskClient, path: str, status: int
) -> None:
    assert past_the_idp.get(ROOT + path).status_code == status


def test_what_an_administrator_does_is_logged_as_theirs(office: Organization) -> None:
    user_id, browser = browser_of(office, "owner")
    made = browser.post(f"{ROOT}/roles", json={"name": "made by ada"}, headers=SAME_ORIGIN)
    assert made.status_code == 201, made.text
    (event,) = json_of(office.api.get(f"/audit/events?target_id={json_of(made)['id']}"))["data"]
    assert event["actor"]["type"] == "user"
    assert user_id in event["actor"]["id"]


# Other sites


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": "ü"},
    ],
)
def test_no_other_page_makes_an_administrators_browser_write(
    browsers: dict[str, FlaskClient], problem: Problem, headers: dict[str, str]
) -> None:
    response = browsers["owner"].post(f"{ROOT}/roles", json={"name": "evil"}, headers=headers)
    problem(response, 403, "cross_origin")


def test_a_get_that_writes_is_a_write(
    door: SignOn, browsers: dict[str, FlaskClient], problem: Problem
) -> None:
    path = f"{ROOT}/connections/conn_{door.connection_id}/locked_out"
    problem(browsers["owner"].get(path, headers={"Sec-Fetch-Site": "cross-site"}), 403, "cross_origin")
    assert browsers["owner"].get(path, headers=SAME_ORIGIN).status_code == 200


def test_the_sessions_token_proves_the_page(browsers: dict[str, FlaskClient]) -> None:
    page = browsers["owner"].get("/sso/logout").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    headers = {"X-CSRF-Token": token}
    assert (
        browsers["owner"].post(f"{ROOT}/roles", json={"name": "by token"}, headers=headers).status_code == 201
    )
    other = browsers["admin"].post(f"{ROOT}/roles", json={"name": "by anothers token"}, headers=headers)
    assert other.status_code == 403


def test_a_key_needs_no_page_and_goes_before_the_cookie(
    office: Organization, browsers: dict[str, FlaskClient], problem: Problem
) -> None:
    headers = {"Authorization": f"Bearer {office.api_with('audit:read').token}"}
    assert browsers["owner"].get(f"{ROOT}/audit/events", headers=headers).status_code == 200
    problem(browsers["owner"].get(f"{ROOT}/roles", headers=headers), 403, "scope_missing")
    refused = browsers["owner"].get(f"{ROOT}/roles", headers={"Authorization": "Bearer nonsense"})
    problem(refused, 401, "unauthenticated")


# Other organizations


def test_nothing_of_another_organization_is_there(
    browsers: dict[str, FlaskClient], globex: Any, problem: Problem
) -> None:
    role = globex.role()["id"]
    problem(browsers["owner"].get(f"{ROOT}/roles/{role}"), 404, "role_not_found")
    response = browsers["owner"].patch(f"{ROOT}/roles/{role}", json={"name": "x"}, headers=SAME_ORIGIN)
    problem(response, 404, "role_not_found")


# Ends


@pytest.mark.parametrize("end", ["deprovision", "session", "role"])
def test_every_end_is_felt_at_the_next_request(office: Organization, problem: Problem, end: str) -> None:
    user_id, browser = browser_of(office, "owner")
    assert browser.get(f"{ROOT}/roles").status_code == 200
    if end == "deprovision":
        office.scim.set_active(user_id, False)
    elif end == "session":
        (session,) = json_of(office.api.get(f"/sessions?user_id=user_{user_id}"))["data"]
        office.api.delete(f"/sessions/{session['id']}")
    else:
        for group in json_of(office.api.get("/groups?limit=1000"))["data"]:
            office.scim.remove_members(group["id"].removeprefix("group_"), user_id)
        problem(browser.get(f"{ROOT}/roles"), 403, "scope_missing")
        return
    problem(browser.get(f"{ROOT}/roles"), 401, "unauthenticated")


@pytest.mark.parametrize("cookie", ["", "x", f"usher_{SESSION_LOOKUP}_{'0' * 39}"])
def test_a_cookie_that_nobody_gave_is_nobody(office: Organization, problem: Problem, cookie: str) -> None:
    browser = office.app.test_client()
    browser.set_cookie("usher_session", cookie)
    problem(browser.get(f"{ROOT}/roles"), 401, "unauthenticated")


# Twice


def test_the_same_request_of_a_session_is_done_once(office: Organization, browsers: Any) -> None:
    headers = {**SAME_ORIGIN, "Idempotency-Key": "8f14e45f"}
    body = {"name": "once", "scopes": ["audit:read"]}
    first, second = (browsers["owner"].post(f"{ROOT}/api_keys", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, first.json) == (201, second.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    _, other = browser_of(office, "owner")
    third = other.post(f"{ROOT}/api_keys", json=body, headers=headers)
    assert (third.status_code, "Idempotency-Replayed" in third.headers) == (201, False)
