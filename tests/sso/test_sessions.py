"""Sessions: how long they last, who ends them, and that every end is felt at the next request."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.connection import Connection
from app.core.tenancy import ORG_ID
from app.sso.models_sign_in import consumed_assertions, login_requests, login_traces, sessions
from app.sso.sessions import SessionService
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.sign_on import SignOn, session_of, sign_on

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def door(acme: Organization) -> SignOn:
    return sign_on(acme)


@pytest.fixture
def ada(door: SignOn, acme: Organization) -> tuple[str, FlaskClient]:
    """A provisioned person with a seat, signed in; answers the id and the browser."""
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    acme.map_group(acme.scim.create_group("Engineering", members=[user_id]))
    return user_id, door.sign_in(email)


def is_live(browser: FlaskClient) -> bool:
    return session_of(browser).status_code == 200


def sessions_of(acme: Organization, user_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json_of(acme.api.get(f"/sessions?user_id=user_{user_id}"))["data"]
    return found


# How long


def test_a_session_ends_when_nobody_uses_it(ada: tuple[str, FlaskClient], clock: FakeClock) -> None:
    _, browser = ada
    clock.advance(hours=7)
    assert is_live(browser)
    clock.advance(hours=7)
    assert is_live(browser)
    clock.advance(hours=9)
    assert not is_live(browser)


def test_a_session_ends_after_a_day_however_much_it_is_used(
    ada: tuple[str, FlaskClient], clock: FakeClock
) -> None:
    _, browser = ada
    for _ in range(3):
        clock.advance(hours=7)
        assert is_live(browser)
    clock.advance(hours=4)
    assert not is_live(browser)


def test_the_idps_own_bound_on_the_session_holds(door: SignOn, clock: FakeClock) -> None:
    browser = door.sign_in(f"ada@{door.domain}", session_end=3600)
    clock.advance(minutes=59)
    assert is_live(browser)
    clock.advance(minutes=2)
    assert not is_live(browser)


def test_looking_at_a_session_costs_one_statement(
    ada: tuple[str, FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, browser = ada
    is_live(browser)
    seen: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        if not sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            seen.append(sql)
        send(self, sql, values, **kept)

    monkeypatch.setattr(Connection, "send", note)
    assert is_live(browser)
    assert len(seen) == 1


# Who ends them

ENDS: dict[str, Callable[[Organization, SignOn, str], object]] = {
    "SCIM active false": lambda acme, _, user: acme.scim.set_active(user, False),
    "SCIM DELETE": lambda acme, _, user: acme.scim.delete(f"/Users/{user}"),
    "an administrator's block": lambda acme, _, user: acme.api.post(f"/users/user_{user}/deactivate"),
    "an administrator ends the session": lambda acme, _, user: acme.api.delete(
        f"/sessions/{sessions_of(acme, user)[0]['id']}"
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_every_end_is_felt_at_the_next_request(
    acme: Organization, door: SignOn, ada: tuple[str, FlaskClient], end: Callable[..., object]
) -> None:
    user_id, browser = ada
    assert is_live(browser)
    end(acme, door, user_id)
    assert not is_live(browser)


def test_a_session_that_still_waits_for_its_browser_ends_as_well(
    acme: Organization, door: SignOn, ada: tuple[str, FlaskClient]
) -> None:
    user_id, browser = ada
    request_id, relay_state = door.begin(browser)
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    acme.scim.set_active(user_id, False)
    response = browser.get(waiting.headers["Location"])
    assert (response.status_code, response.headers["X-Usher-Reason"]) == (403, "code_spent")
    assert not is_live(browser)


def test_reactivation_brings_no_session_back(acme: Organization, ada: tuple[str, FlaskClient]) -> None:
    user_id, browser = ada
    acme.scim.set_active(user_id, False)
    acme.scim.set_active(user_id, True)
    assert not is_live(browser)


def test_group_loss_takes_role_and_seat_at_the_next_request(
    acme: Organization, ada: tuple[str, FlaskClient]
) -> None:
    user_id, browser = ada
    group_id = json_of(acme.api.get("/groups"))["data"][0]["id"].removeprefix("group_")
    acme.scim.remove_members(group_id, user_id)
    shown = json_of(session_of(browser))
    assert (shown["role"], shown["surfaces"], shown["seat_state"]) == (None, [], "released")


def test_group_loss_ends_the_session_where_the_organization_says_so(
    acme: Organization, ada: tuple[str, FlaskClient]
) -> None:
    acme.api.patch("/organization", {"end_sessions_on_group_loss": True})
    user_id, browser = ada
    group_id = json_of(acme.api.get("/groups"))["data"][0]["id"].removeprefix("group_")
    acme.scim.remove_members(group_id, user_id)
    assert not is_live(browser)


def test_deprovisioning_writes_one_entry_for_each_session(
    acme: Organization, door: SignOn, ada: tuple[str, FlaskClient]
) -> None:
    user_id, _ = ada
    door.sign_in(f"ada@{door.domain}")
    acme.scim.set_active(user_id, False)
    listed = json_of(acme.api.get("/audit/events?limit=1000"))["data"]
    ended = [entry for entry in listed if entry["action"] == "session.ended"]
    assert [entry["data"]["reason"] for entry in ended] == ["user.deactivated"] * 2
    assert {entry["target"]["type"] for entry in ended} == {"session"}


def test_a_failing_handler_leaves_person_and_session_alive(
    acme: Organization, ada: tuple[str, FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no sessions can be ended")

    user_id, browser = ada
    with monkeypatch.context() as broken:
        broken.setattr(SessionService, "revoke_users", fail)
        assert acme.scim.set_active(user_id, False).status_code == 500
    assert json_of(acme.scim.get(f"/Users/{user_id}"))["active"] is True
    assert is_live(browser)


# The person's own


def test_a_person_sees_and_ends_their_other_sessions(door: SignOn, ada: tuple[str, FlaskClient]) -> None:
    _, browser = ada
    other = door.sign_in(f"ada@{door.domain}")
    shown = browser.get("/sso/me").text
    action = shown.partition('action="/sso/me/sessions/')[2].partition('"')[0]
    response = browser.post(f"/sso/me/sessions/{action}", headers={"Origin": BASE})
    assert response.status_code == 303
    assert (is_live(browser), is_live(other)) == (True, False)


def test_nobody_ends_anybody_elses_session(
    door: SignOn, acme: Organization, ada: tuple[str, FlaskClient]
) -> None:
    user_id, browser = ada
    (session,) = sessions_of(acme, user_id)
    eve = door.sign_in(f"eve@{door.domain}")
    response = eve.post(f"/sso/me/sessions/{session['id']}/end", headers={"Origin": BASE})
    assert response.status_code == 404
    assert is_live(browser)


def test_a_new_session_of_a_browser_ends_the_one_before(
    door: SignOn, acme: Organization, ada: tuple[str, FlaskClient]
) -> None:
    user_id, browser = ada
    door.sign_in(f"ada@{door.domain}", browser)
    assert len(sessions_of(acme, user_id)) == 1


def test_a_browser_may_go_from_one_organization_to_another(acme: Organization, door: SignOn) -> None:
    other = sign_on(create_organization(acme.app))
    browser = door.sign_in(f"ada@{door.domain}")
    other.sign_in(f"ada@{other.domain}", browser)
    assert json_of(session_of(browser))["organization"]["slug"] == other.organization.slug


# Signing out


def test_a_link_signs_nobody_out(ada: tuple[str, FlaskClient]) -> None:
    _, browser = ada
    assert "<form" in browser.get("/sso/logout").text
    assert is_live(browser)


def test_the_button_on_the_page_signs_out(ada: tuple[str, FlaskClient]) -> None:
    _, browser = ada
    token = browser.get("/sso/logout").text.partition('value="')[2].partition('"')[0]
    response = browser.post("/sso/logout", data={"csrf_token": token})
    assert response.status_code == 200
    assert "usher_session=;" in response.headers["Set-Cookie"]
    assert not is_live(browser)


@pytest.mark.parametrize("headers", [{"Origin": BASE}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_page_of_this_server_signs_out(ada: tuple[str, FlaskClient], headers: dict[str, str]) -> None:
    _, browser = ada
    assert browser.post("/sso/logout", headers=headers).status_code == 200
    assert not is_live(browser)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_no_other_page_signs_anybody_out(ada: tuple[str, FlaskClient], headers: dict[str, str]) -> None:
    _, browser = ada
    response = browser.post("/sso/logout", headers=headers, data={"csrf_token": "0" * 64})
    assert response.status_code == 403
    assert is_live(browser)


def test_a_second_sign_out_is_harmless(door: SignOn) -> None:
    assert door.browser().post("/sso/logout", headers={"Origin": BASE}).status_code == 200


# Other organizations


def test_no_organization_sees_or_ends_sessions_of_another(
    acme: Organization, globex: Organization, ada: tuple[str, FlaskClient]
) -> None:
    user_id, browser = ada
    (session,) = sessions_of(acme, user_id)
    assert sessions_of(globex, user_id) == []
    assert globex.api.get(f"/sessions/{session['id']}").status_code == 404
    assert globex.api.delete(f"/sessions/{session['id']}").status_code == 404
    assert is_live(browser)


@pytest.mark.parametrize("cookie", ["", "x", "usher_session_" + "0" * 39, "ü"])
def test_a_cookie_that_nobody_gave_is_nobody(door: SignOn, cookie: str) -> None:
    browser = door.browser()
    browser.set_cookie("usher_session", cookie)
    assert not is_live(browser)


def test_what_is_over_is_forgotten(
    door: SignOn, acme: Organization, ada: tuple[str, FlaskClient], later: Callable[..., None]
) -> None:
    def counts() -> list[int]:
        with in_organization(acme.app, acme.id, write=False) as services:
            return [
                len(services.uow.execute(select(table.c.org_id).where(table.c.org_id == ORG_ID)).all())
                for table in (sessions, login_requests, consumed_assertions, login_traces)
            ]

    assert counts() == [1, 1, 1, 1]
    later(days=2)
    assert counts() == [0, 0, 0, 1]
    later(days=30)
    assert counts() == [0, 0, 0, 0]
