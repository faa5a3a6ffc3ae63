"""Signing out by OpenID Connect: the provider's word ends sessions here, and ours is told to the provider."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock
from tests.support.oidc_idp import CLIENT_ID, LOGOUT_EVENT, OidcIdp, raw_token, rsa_key, signed_raw
from tests.support.oidc_sign_on import OidcSignOn, oidc_sign_on
from tests.support.sign_on import session_of

Token = Callable[[OidcIdp], str]


@pytest.fixture
def door(acme: Organization) -> OidcSignOn:
    return oidc_sign_on(acme)


def said(response: TestResponse) -> tuple[int, str]:
    return response.status_code, json_of(response)["error_description"] if response.data else ""


def are_signed_in(*browsers: FlaskClient) -> list[bool]:
    return [session_of(browser).status_code == 200 for browser in browsers]


def test_a_logout_of_a_person_ends_all_their_sessions_and_nobody_elses(
    door: OidcSignOn, acme: Organization
) -> None:
    desk, phone, bob = door.sign_in(sid="s1"), door.sign_in(sid="s2"), door.sign_in("bob", sid="s3")
    response = door.log_out(door.idp.logout_token(sub="sub-ada"))
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    assert are_signed_in(desk, phone, bob) == [False, False, True]
    events = json_of(acme.api.get("/audit/events?limit=1000"))["data"]
    ended = [event["data"]["reason"] for event in events if event["action"] == "session.ended"]
    assert ended == ["single_logout", "single_logout"]


@pytest.mark.parametrize("claims", [{"sid": "s1"}, {"sid": "s1", "sub": "sub-ada"}])
def test_a_logout_of_a_session_ends_that_one(door: OidcSignOn, claims: dict[str, Any]) -> None:
    desk, phone, bob = door.sign_in(sid="s1"), door.sign_in(sid="s2"), door.sign_in("bob", sid="s3")
    assert door.log_out(door.idp.logout_token(**claims)).status_code == 200
    assert are_signed_in(desk, phone, bob) == [False, True, True]


@pytest.mark.parametrize("claims", [{"sid": "s9"}, {"sid": "s1", "sub": "sub-bob"}, {"sub": "sub-nobody"}])
def test_a_logout_of_what_is_not_here_ends_nothing_and_is_no_fault(
    door: OidcSignOn, claims: dict[str, Any]
) -> None:
    browser = door.sign_in(sid="s1")
    door.sign_in("bob", sid="s2")
    assert said(door.log_out(door.idp.logout_token(**claims))) == (200, "")
    assert are_signed_in(browser) == [True]


def test_a_logout_by_one_connection_ends_no_session_of_another(door: OidcSignOn, acme: Organization) -> None:
    other = oidc_sign_on(acme)
    browser = other.sign_in(sid="s1")
    assert door.log_out(door.idp.logout_token(sid="s1")).status_code == 200
    assert said(door.log_out(other.idp.logout_token(sub="sub-ada"))) == (400, "token_issuer_mismatch")
    assert are_signed_in(browser) == [True]


def test_a_logout_token_is_obeyed_once(door: OidcSignOn) -> None:
    token = door.idp.logout_token(sub="sub-ada")
    assert said(door.log_out(token)) == (200, "")
    browser = door.sign_in()
    assert said(door.log_out(token)) == (400, "logout_replayed")
    same_name = door.idp.logout_token(sub="sub-ada", jti="once")
    assert said(door.log_out(same_name)) == (200, "")
    assert said(door.log_out(door.idp.logout_token(sub="sub-ada", jti="once"))) == (400, "logout_replayed")
    assert are_signed_in(browser) == [False]


def _logout(**claims: Any) -> Token:
    return lambda idp: idp.logout_token(**{"sub": "sub-ada", **claims})


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (_logout(nonce="n"), "logout_token_nonce"),
        (_logout(events=None), "logout_token_event"),
        (_logout(events={}), "logout_token_event"),
        (_logout(events={LOGOUT_EVENT: True}), "logout_token_event"),
        (_logout(events=[LOGOUT_EVENT]), "logout_token_event"),
        (_logout(events={"http://schemas.openid.net/event/other": {}}), "logout_token_event"),
        (_logout(header={"typ": "JWT"}), "token_type"),
        (_logout(header={"typ": None}), "token_type"),
        (_logout(header={"typ": "at+jwt"}), "token_type"),
        (_logout(jti=None), "logout_token_id"),
        (_logout(jti=""), "logout_token_id"),
        (_logout(jti=5), "logout_token_id"),
        (_logout(sub=None), "logout_token_subject"),
        (_logout(sub=5), "logout_token_subject"),
        (_logout(sid=""), "logout_token_subject"),
        (_logout(iss="https://evil.example"), "token_issuer_mismatch"),
        (_logout(aud="other"), "token_audience_mismatch"),
        (_logout(aud=[CLIENT_ID, "other"]), "token_audience_mismatch"),
        (_logout(exp=None), "token_time_malformed"),
        (_logout(exp=1), "token_expired"),
        (_logout(iat=None), "token_time_malformed"),
        (_logout(iat=8_000_000_000), "token_not_yet_valid"),
        (_logout(exp=8_000_000_000), "token_lives_too_long"),
        (_logout(key=rsa_key("attacker")), "token_key_unknown"),
        (_logout(key=rsa_key("attacker"), header={"kid": "idp"}), "token_signature_invalid"),
        (lambda _: raw_token({"alg": "none", "typ": "logout+jwt"}, {}), "token_algorithm"),
        (lambda idp: signed_raw(idp.key, {"alg": "RS256", "typ": "logout+jwt"}, b"{}{"), "token_malformed"),
        (lambda _: "", "token_malformed"),
        (lambda _: "x" * 70_000, "token_malformed"),
    ],
)
def test_a_logout_token_that_is_none_ends_nothing(door: OidcSignOn, token: Token, expected: str) -> None:
    browser = door.sign_in()
    assert said(door.log_out(token(door.idp))) == (400, expected)
    assert are_signed_in(browser) == [True]
    assert (door.traces()[0]["outcome"], door.traces()[0]["reason"]) == ("refused", expected)


def test_an_id_token_is_no_logout_token(door: OidcSignOn) -> None:
    kept: list[str] = []

    def keep(idp: OidcIdp, claims: dict[str, Any]) -> str:
        kept.append(idp.sign(claims))
        return kept[0]

    door.idp.make_token = keep
    browser = door.sign_in()
    assert said(door.log_out(kept[0])) == (400, "token_type")
    assert are_signed_in(browser) == [True]


@pytest.mark.parametrize("form", ["", "logout_token=a&logout_token=b", "token=a"])
def test_a_logout_without_exactly_one_token_is_malformed(door: OidcSignOn, form: str) -> None:
    response = door.browser().post(
        f"{door.path}/backchannel-logout", data=form, content_type="application/x-www-form-urlencoded"
    )
    assert said(response) == (400, "callback_malformed")


def test_a_session_that_waits_for_nobody_is_no_door_back(door: OidcSignOn, clock: FakeClock) -> None:
    """A logout between the sign-in and a reload of its last page."""
    browser = door.browser()
    query = door.answer(browser, sid="s1")
    door.come_back(browser, query)
    door.log_out(door.idp.logout_token(sub="sub-ada"))
    door.come_back(browser, query)
    assert are_signed_in(browser) == [False]


# From here to the provider


def sign_out(browser: FlaskClient) -> TestResponse:
    return browser.post("/sso/logout", headers={"Origin": "http://127.0.0.1:8000"})


def test_signing_out_here_leads_to_the_provider_that_then_sends_the_browser_back(door: OidcSignOn) -> None:
    browser = door.sign_in()
    response = sign_out(browser)
    place = urlsplit(response.headers["Location"])
    asked = parse_qs(place.query)
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{door.idp.issuer}/end"
    assert asked["from"] == ["usher"]
    assert asked["client_id"] == [CLIENT_ID]
    assert asked["post_logout_redirect_uri"] == ["http://127.0.0.1:8000/sso/logout"]
    assert asked["id_token_hint"][0].count(".") == 2
    assert are_signed_in(browser) == [False]
    assert "not signed in" in browser.get("/sso/logout").text


def test_a_token_too_long_for_an_address_is_left_out_of_it(door: OidcSignOn) -> None:
    browser = door.sign_in(groups=[f"group-{number}" for number in range(400)])
    asked = parse_qs(urlsplit(sign_out(browser).headers["Location"]).query)
    assert set(asked) == {"from", "client_id", "post_logout_redirect_uri"}


def test_a_provider_without_a_place_to_sign_out_is_not_bothered(acme: Organization) -> None:
    door = oidc_sign_on(acme, prepare=lambda idp: idp.publish(end_session_endpoint=None))
    browser = door.sign_in()
    assert sign_out(browser).status_code == 200
    assert are_signed_in(browser) == [False]


def test_the_token_of_a_session_is_neither_shown_nor_stored_in_the_clear(
    door: OidcSignOn, acme: Organization
) -> None:
    from sqlalchemy import select

    from app.core.tenancy import ORG_ID
    from app.sso.models_sign_in import sessions
    from tests.support.cast import in_organization

    door.sign_in()
    assert "token" not in acme.api.get("/sessions").text
    with in_organization(acme.app, acme.id, write=False) as services:
        (row,) = services.uow.execute(select(sessions).where(sessions.c.org_id == ORG_ID)).all()
    assert row.sealed_id_token
    assert "." not in row.sealed_id_token
