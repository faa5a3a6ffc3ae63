"""P1 for applications: whatever ends a session, a person or a seat is felt at the next question."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from app.core.clock import rfc3339
from app.core.tenancy import ORG_ID
from app.oauth.leftovers import SESSIONS_KEPT
from app.oauth.models import access_tokens, application_sessions, authorization_codes
from tests.oauth.conftest import Person
from tests.support.application import Application, Listener, register
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock, FakeFetch
from tests.support.sign_on import SignOn

EVENT = "http://schemas.openid.net/event/backchannel-logout"

Ending = Callable[[Organization, SignOn, Person], object]

ENDS: dict[str, Ending] = {
    "SCIM active false": lambda acme, _, ada: acme.scim.set_active(ada.id, False),
    "SCIM DELETE": lambda acme, _, ada: acme.scim.delete(f"/Users/{ada.id}"),
    "an administrator's block": lambda acme, _, ada: acme.api.post(f"/users/user_{ada.id}/deactivate"),
    "the last mapped group": lambda acme, _, ada: acme.scim.remove_members(ada.group_id, ada.id),
    "a suspended seat": lambda acme, _, ada: acme.api.patch(
        f"/seats/user_{ada.id}", {"suspended": True, "reason": "leave"}
    ),
    "a sign-out": lambda acme, _, ada: ada.browser.post(
        "/sso/logout", headers={"Origin": acme.container.settings.base_url}
    ),
    "an administrator ends the session": lambda acme, _, ada: acme.api.delete(
        f"/sessions/{json_of(acme.api.get(f'/sessions?user_id=user_{ada.id}'))['data'][0]['id']}"
    ),
    "the connection is switched off": lambda acme, door, _: acme.api.patch(
        f"/connections/conn_{door.connection_id}", {"mode": "off"}
    ),
}
EVERY_END = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())


@dataclass
class Listening(Application):
    """An application that wants to be told of sign-outs."""

    listener: Listener = field(default_factory=Listener)

    def told(self) -> list[dict[str, Any]]:
        """The claims of the logout tokens that it got, each checked by the published keys."""
        assert all(form.keys() == {"logout_token"} for form in self.listener.got)
        return [self.claims(form["logout_token"], "logout+jwt") for form in self.listener.got]


@pytest.fixture
def listening(acme: Organization, fetch: FakeFetch) -> Listening:
    made = register(acme)
    uri = f"{made.redirect_uri}/logout"
    acme.api.patch(f"/applications/{made.id}", {"backchannel_logout_uri": uri})
    found = Listening(acme, made.id, made.secret, made.redirect_uri)
    fetch.endpoints[uri] = found.listener
    return found


def work(acme: Organization) -> None:
    while acme.work():
        pass


@EVERY_END
def test_every_end_reaches_tokens_at_the_next_question(
    acme: Organization, door: SignOn, tool: Application, ada: Person, end: Ending
) -> None:
    token = tool.tokens(ada.browser)["access_token"]
    assert tool.introspect(token)["active"] is True
    end(acme, door, ada)
    assert tool.introspect(token) == {"active": False}
    refused = tool.user_info(token)
    assert (refused.status_code, json_of(refused)["error"]) == (401, "invalid_token")


@EVERY_END
def test_every_end_is_told_to_applications_that_listen(
    *,
    acme: Organization,
    door: SignOn,
    tool: Application,
    listening: Listening,
    ada: Person,
    clock: FakeClock,
    end: Ending,
) -> None:
    clock.stop()
    sid = listening.claims(listening.tokens(ada.browser)["id_token"])["sid"]
    tool.tokens(ada.browser)
    end(acme, door, ada)
    work(acme)
    (claims,) = listening.told()
    now = int(clock.now().timestamp())
    assert (claims["iss"], claims["aud"], claims["sub"]) == (listening.issuer, listening.id, f"user_{ada.id}")
    assert (claims["iat"], claims["exp"]) == (now, now + 120)
    assert claims["events"] == {EVENT: {}}
    assert claims["jti"]
    assert "nonce" not in claims
    # Who ends a session says which; who ends a person means all of theirs.
    assert claims.get("sid") in (sid, None)
    work(acme)
    assert len(listening.told()) == 1


def test_only_the_session_that_ended_is_named(
    acme: Organization, door: SignOn, listening: Listening, ada: Person
) -> None:
    first = listening.claims(listening.tokens(ada.browser)["id_token"])["sid"]
    other = door.sign_in(ada.email)
    kept = listening.tokens(other)
    ada.browser.post("/sso/logout", headers={"Origin": listening.issuer})
    work(acme)
    (claims,) = listening.told()
    assert claims["sid"] == first
    assert listening.introspect(kept["access_token"])["active"] is True


def test_a_person_who_goes_is_named_once_however_many_sessions(
    acme: Organization, door: SignOn, listening: Listening, ada: Person
) -> None:
    listening.tokens(ada.browser)
    listening.tokens(door.sign_in(ada.email))
    acme.scim.set_active(ada.id, False)
    work(acme)
    (claims,) = listening.told()
    assert "sid" not in claims


def test_a_person_is_named_long_after_their_session_was_over(
    acme: Organization, listening: Listening, ada: Person, clock: FakeClock
) -> None:
    """An application's own session may outlive ours."""
    listening.tokens(ada.browser)
    clock.advance(days=20)
    work(acme)
    acme.scim.set_active(ada.id, False)
    work(acme)
    (claims,) = listening.told()
    assert claims["sub"] == f"user_{ada.id}"


def test_who_never_came_to_an_application_is_none_of_its_business(
    acme: Organization, listening: Listening, ada: Person
) -> None:
    acme.scim.set_active(ada.id, False)
    work(acme)
    assert listening.told() == []


def test_an_application_that_does_not_answer_is_told_again(
    acme: Organization, listening: Listening, ada: Person, clock: FakeClock
) -> None:
    listening.tokens(ada.browser)
    listening.listener.status = 500
    acme.scim.set_active(ada.id, False)
    work(acme)
    assert listening.told() == []
    # Meanwhile nobody else's message waits for it: it is not even asked.
    clock.advance(seconds=2)
    work(acme)
    assert listening.listener.asked == 1
    listening.listener.status = 204
    clock.advance(seconds=40)
    work(acme)
    assert len(listening.told()) == 1


def test_a_removed_application_is_told_nothing(acme: Organization, listening: Listening, ada: Person) -> None:
    token = listening.tokens(ada.browser)["access_token"]
    acme.api.delete(f"/applications/{listening.id}")
    assert listening.user_info(token).status_code == 401
    acme.scim.set_active(ada.id, False)
    work(acme)
    assert listening.told() == []


def test_a_failing_handler_leaves_person_and_token_alive(
    acme: Organization, tool: Application, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nobody can be told")

    token = tool.tokens(ada.browser)["access_token"]
    with monkeypatch.context() as broken:
        broken.setattr("app.oauth.logout.BackchannelLogout.announce_people", fail)
        assert acme.scim.set_active(ada.id, False).status_code == 500
    assert tool.introspect(token)["active"] is True


# Time and change


def test_an_access_token_lives_ten_minutes(tool: Application, ada: Person, clock: FakeClock) -> None:
    token = tool.tokens(ada.browser)["access_token"]
    clock.advance(minutes=9, seconds=59)
    assert tool.introspect(token)["active"] is True
    clock.advance(seconds=2)
    assert tool.introspect(token) == {"active": False}
    assert tool.user_info(token).status_code == 401


def test_no_token_outlives_its_session(
    tool: Application, door: SignOn, ada: Person, clock: FakeClock
) -> None:
    browser = door.sign_in(ada.email, session_end=300)
    tokens = tool.tokens(browser)
    assert tokens["expires_in"] <= 300
    clock.advance(seconds=301)
    assert tool.introspect(tokens["access_token"]) == {"active": False}


def test_a_change_of_rights_ends_the_token_and_the_next_one_says_so(
    acme: Organization, tool: Application, ada: Person
) -> None:
    tokens = tool.tokens(ada.browser)
    assert acme.api.post("/roles", {"name": "reviewer", "surfaces": ["code"]}).status_code == 201
    body = {"data": [{"group_id": f"group_{ada.group_id}", "role_id": acme.role_id("reviewer")}]}
    version = json_of(acme.api.get("/group_mappings"))["version"]
    changed = acme.api.put("/group_mappings", body, headers={"If-Match": str(version)})
    assert changed.status_code == 200, changed.text
    assert tool.introspect(tokens["access_token"]) == {"active": False}
    before, after = (
        tool.claims(given["id_token"]) for given in (tokens, tool.tokens(ada.browser, prompt="none"))
    )
    assert (after["role"], after["surfaces"]) == ("reviewer", ["code"])
    assert after["epoch"] > before["epoch"]


def test_rights_that_lapse_by_the_clock_end_the_token(
    acme: Organization, tool: Application, door: SignOn, clock: FakeClock
) -> None:
    email = f"temp@{door.domain}"
    clock.stop()
    group_id = acme.scim.create_group(members=[acme.scim.create_user(email)])
    acme.map_group(group_id, expires_at=rfc3339(clock.now() + timedelta(minutes=5)))
    token = tool.tokens(door.sign_in(email))["access_token"]
    assert tool.introspect(token)["active"] is True
    # Nobody has written it down; the worker has not come by.
    clock.advance(seconds=301)
    assert tool.introspect(token) == {"active": False}
    assert tool.user_info(token).status_code == 401


def test_what_serves_nobody_any_more_is_forgotten(
    acme: Organization, tool: Application, ada: Person, clock: FakeClock
) -> None:
    token = tool.tokens(ada.browser)["access_token"]
    clock.advance(minutes=12)
    work(acme)

    def count(table: Any) -> int:
        with in_organization(acme.app, acme.id, write=False) as services:
            statement = select(func.count()).select_from(table).where(table.c.org_id == ORG_ID)
            found: int = services.uow.execute(statement).scalar_one()
        return found

    assert (count(authorization_codes), count(access_tokens)) == (0, 0)
    assert count(application_sessions) == 1
    assert tool.user_info(token).status_code == 401
    clock.advance(days=SESSIONS_KEPT.days + 1)
    work(acme)
    assert count(application_sessions) == 0


# Signing out of an application and of us


def log_out(ada: Person, **parameters: str) -> Any:
    return ada.browser.get(f"/oauth/logout?{urlencode(parameters)}")


@pytest.fixture
def leaving(acme: Organization) -> Application:
    made = register(acme)
    after = f"{made.redirect_uri}/bye"
    acme.api.patch(f"/applications/{made.id}", {"post_logout_redirect_uris": [after]})
    return made


def test_an_application_signs_its_person_out(leaving: Application, ada: Person) -> None:
    tokens = leaving.tokens(ada.browser)
    after = f"{leaving.redirect_uri}/bye"
    response = log_out(ada, id_token_hint=tokens["id_token"], post_logout_redirect_uri=after, state="s")
    assert (response.status_code, response.headers["Location"]) == (303, f"{after}?state=s")
    assert ada.browser.get("/sso/session").status_code == 401
    assert leaving.introspect(tokens["access_token"]) == {"active": False}
    # Once more does no harm.
    again = log_out(ada, id_token_hint=tokens["id_token"], post_logout_redirect_uri=after)
    assert again.headers["Location"] == after


def test_an_id_token_that_is_over_still_shows_whose_session_it_was(
    leaving: Application, ada: Person, clock: FakeClock
) -> None:
    hint = leaving.tokens(ada.browser)["id_token"]
    clock.advance(hours=2)
    assert log_out(ada, id_token_hint=hint).status_code == 303
    assert ada.browser.get("/sso/session").status_code == 401


def test_without_proof_the_person_is_asked(leaving: Application, ada: Person, door: SignOn) -> None:
    other = leaving.tokens(door.sign_in(ada.email))["id_token"]
    after = f"{leaving.redirect_uri}/bye"
    for parameters in (
        {},
        {"client_id": leaving.id, "post_logout_redirect_uri": after},
        {"id_token_hint": other, "post_logout_redirect_uri": after},
    ):
        assert log_out(ada, **parameters).headers["Location"] == "/sso/logout"
    assert ada.browser.get("/sso/session").status_code == 200


def test_a_logout_token_passes_for_no_id_token(
    acme: Organization, door: SignOn, listening: Listening, ada: Person
) -> None:
    listening.tokens(ada.browser)
    other = door.sign_in(ada.email)
    listening.tokens(other)
    other.post("/sso/logout", headers={"Origin": listening.issuer})
    work(acme)
    (form,) = listening.listener.got
    assert log_out(ada, id_token_hint=form["logout_token"]).status_code == 400


def test_a_sign_out_leads_to_no_strange_place(
    acme: Organization, leaving: Application, tool: Application, ada: Person
) -> None:
    tokens = leaving.tokens(ada.browser)
    after = f"{leaving.redirect_uri}/bye"
    for parameters in (
        {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://evil.example/"},
        {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": f"{after}/x"},
        {"id_token_hint": tokens["id_token"], "client_id": tool.id},
        {"id_token_hint": tokens["access_token"]},
        {"id_token_hint": "a.b.c"},
        {"post_logout_redirect_uri": after},
        {"client_id": tool.id, "post_logout_redirect_uri": after},
    ):
        response = log_out(ada, **parameters)
        assert (response.status_code, response.headers.get("Location")) == (400, None)
    assert ada.browser.get("/sso/session").status_code == 200
