"""Attacks on signing in by OpenID Connect, at the callback of a real connection: each gets its verdict."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask

from tests.support.cast import Organization, create_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.oidc_corpus import ACCEPTED, Case, corpus
from tests.support.oidc_idp import OidcIdp, answered, rsa_key
from tests.support.oidc_sign_on import OidcSignOn, oidc_sign_on, reason
from tests.support.sign_on import session_of, sign_on

# Before these the login is not known to be this browser's, so it stays open.
BEFORE_THE_LOGIN = ("callback_malformed", "request_unknown")


@pytest.fixture(scope="module")
def shared(app: Flask) -> OidcSignOn:
    return oidc_sign_on(create_organization(app))


@pytest.fixture
def door(shared: OidcSignOn) -> Iterator[OidcSignOn]:
    yield shared
    shared.idp.make_token = shared.idp.make_answer = shared.idp.userinfo = None


def filled(value: Any, domain: str) -> Any:
    if isinstance(value, str):
        return value.replace("DOMAIN", domain)
    if isinstance(value, dict):
        return {name: filled(part, domain) for name, part in value.items()}
    return [filled(part, domain) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("family", "case"), corpus(), ids=lambda part: getattr(part, "name", part))
def test_each_attack_gets_its_verdict_and_no_login_is_answered_twice(
    door: OidcSignOn, clock: FakeClock, family: str, case: Case
) -> None:
    clock.stop()
    browser = door.browser()
    claims = {name: filled(value, door.domain) for name, value in case.claims.items()}
    moments = {name: door.idp.now + seconds for name, seconds in case.moments.items()}
    door.idp.make_token, door.idp.make_answer = case.token, case.answer
    door.idp.userinfo = filled(case.userinfo, door.domain)
    # Each case is about somebody of its own, who is new here.
    person = door.told(f"{family}-{case.name}")
    if case.userinfo is not None:
        person["sub"] = "sub-ada"
    query = door.answer(browser, **{**person, **claims, **moments})
    first = door.come_back(browser, query if case.back is None else case.back(query))
    is_accepted = case.expected == ACCEPTED
    if is_accepted:
        assert first.status_code == 303, reason(first)
    else:
        status = 400 if case.expected == "callback_malformed" else 403
        assert reason(first) == (status, case.expected)
        assert session_of(browser).status_code == 401
    if is_accepted or case.expected not in BEFORE_THE_LOGIN:
        # By another tab, which has no session yet.
        tab = door.browser()
        cookie = browser.get_cookie("usher_browser")
        assert cookie is not None
        tab.set_cookie("usher_browser", cookie.value)
        assert reason(door.come_back(tab, query)) == (403, "request_consumed")


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    names = [(family, case.name) for family, case in corpus()]
    assert len(set(names)) == len(names) > 100


# Who brings what where


def test_an_answer_signs_in_only_the_browser_that_asked(door: OidcSignOn) -> None:
    """Login CSRF: the attacker's own genuine answer, opened by the victim's browser."""
    attacker, victim, fresh = door.browser(), door.browser(), door.browser()
    query = door.answer(attacker)
    door.begin(victim)
    for browser in (victim, fresh):
        assert reason(door.come_back(browser, query)) == (403, "other_browser")
        assert session_of(browser).status_code == 401
    # What would let the attacker's answer in is not to be read anywhere.
    assert query["state"].partition(".")[2] not in door.traces()[0]["received"]


def test_a_code_of_another_login_is_worth_nothing(door: OidcSignOn) -> None:
    """Code injection: the stolen code of the victim, brought to a login of the attacker's own."""
    victim, attacker = door.browser(), door.browser()
    stolen = door.answer(victim)
    own = door.answer(attacker, **door.told("eve"))
    assert reason(door.come_back(attacker, {**own, "code": stolen["code"]})) == (403, "token_request_refused")
    assert "code_verifier" in door.traces()[0]["received"]


def test_a_provider_that_knows_no_pkce_still_gives_nobody_anothers_code(door: OidcSignOn) -> None:
    """Then the nonce stands between: the token is that of the victim's login."""
    victim, attacker = door.browser(), door.browser()
    stolen, own = door.answer(victim), door.answer(attacker, **door.told("eve"))
    grants = door.idp.grants
    grants[stolen["code"]].challenge = grants[own["code"]].challenge
    assert reason(door.come_back(attacker, {**own, "code": stolen["code"]})) == (403, "token_nonce_mismatch")


def test_a_code_is_good_once(door: OidcSignOn) -> None:
    browser = door.browser()
    query = door.answer(browser)
    assert door.come_back(browser, query).status_code == 303
    again = {**door.answer(browser), "code": query["code"]}
    assert reason(door.come_back(browser, again)) == (403, "token_request_refused")


def test_the_token_of_one_login_answers_no_other(door: OidcSignOn) -> None:
    kept: list[str] = []

    def keep(idp: OidcIdp, claims: dict[str, Any]) -> str:
        kept.append(idp.sign(claims))
        return kept[0]

    door.idp.make_token = keep
    door.sign_in()
    assert door.refusal() == (403, "token_nonce_mismatch")


def test_an_answer_is_good_for_one_connection(door: OidcSignOn, acme: Organization) -> None:
    other = oidc_sign_on(acme)
    browser = door.browser()
    query = door.answer(browser)
    assert reason(other.come_back(browser, query)) == (403, "request_unknown")
    mixed = {**other.answer(browser), "code": query["code"]}
    assert reason(other.come_back(browser, mixed)) == (403, "token_request_refused")


def test_the_answer_of_a_provider_that_was_not_asked_is_refused(door: OidcSignOn, acme: Organization) -> None:
    """Mix-up: the login is at one provider, its answer says it is from another."""
    other = oidc_sign_on(acme)
    browser = door.browser()
    query = door.answer(browser)
    mixed = {**query, "iss": other.idp.issuer}
    assert reason(door.come_back(browser, mixed)) == (403, "response_issuer_mismatch")


def test_a_token_of_another_connections_provider_is_refused(door: OidcSignOn, acme: Organization) -> None:
    other = oidc_sign_on(acme)
    other.idp.key = rsa_key("other")
    door.idp.make_token = lambda _, claims: other.idp.sign({**claims, "iss": other.idp.issuer})
    assert door.refusal() == (403, "token_key_unknown")


def test_a_provider_that_promises_no_name_may_leave_it_out_but_not_lie(acme: Organization) -> None:
    door = oidc_sign_on(
        acme,
        prepare=lambda idp: idp.publish(authorization_response_iss_parameter_supported=None),
    )
    browser = door.browser()
    query = door.answer(browser)
    assert reason(door.come_back(browser, {**query, "iss": "https://evil.example"})) == (
        403,
        "response_issuer_mismatch",
    )
    query = door.answer(browser)
    del query["iss"]
    assert door.come_back(browser, query).status_code == 303


def test_no_connection_signs_in_addresses_of_another_organization(
    door: OidcSignOn, globex: Organization
) -> None:
    foreign = sign_on(globex)
    assert door.refusal(email=f"ceo@{foreign.domain}") == (403, "domain_captured_elsewhere")


def test_among_several_keys_a_token_must_name_its_own(acme: Organization) -> None:
    door = oidc_sign_on(acme, prepare=lambda idp: idp.publish(rsa_key("idp"), rsa_key("second")))
    door.idp.make_token = lambda idp, claims: idp.sign(claims, kid=None)
    assert door.refusal() == (403, "token_key_unknown")


def test_of_many_browsers_with_one_answer_one_is_signed_in(door: OidcSignOn, chaos: bool) -> None:
    for number in range(20 if chaos else 2):
        browser = door.browser()
        query = door.answer(browser, **door.told(f"many{number}"))
        cookie = browser.get_cookie("usher_browser")
        assert cookie is not None
        copies = [door.browser() for _ in range(5)]
        for copy in copies:
            copy.set_cookie("usher_browser", cookie.value)
        at_once([partial(door.come_back, copy, query) for copy in copies])
        assert [session_of(copy).status_code for copy in copies].count(200) <= 1
        assert len(door.idp.grants.keys() & {query["code"]}) == 0


def test_even_if_the_provider_gives_a_code_many_times_one_is_signed_in(door: OidcSignOn, chaos: bool) -> None:
    for number in range(20 if chaos else 2):
        told = door.told(f"generous{number}")
        browser = door.browser()
        query = door.answer(browser, **told)
        claims = dict(door.idp.grants[query["code"]].claims)
        token = door.idp.sign(claims)
        generous = answered(200, {"access_token": "access", "id_token": token})
        door.idp.fetch.endpoints[f"{door.idp.issuer}/token"] = lambda *_, found=generous: found
        cookie = browser.get_cookie("usher_browser")
        assert cookie is not None
        copies = [door.browser() for _ in range(5)]
        for copy in copies:
            copy.set_cookie("usher_browser", cookie.value)
        answers = at_once([partial(door.come_back, copy, query) for copy in copies])
        door.idp.publish()
        assert sorted(response.status_code for response in answers) == [303, 403, 403, 403, 403]
        assert [session_of(copy).status_code for copy in copies].count(200) == 1
        user = json_of(session_of(copies[[r.status_code for r in answers].index(303)]))["user"]["id"]
        sessions = json_of(door.organization.api.get(f"/sessions?user_id={user}"))["data"]
        assert len(sessions) == 1


def at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """What the tasks answer, begun together."""
    together = threading.Barrier(len(tasks))
    answers: list[Any] = [None] * len(tasks)

    def run(place: int) -> None:
        together.wait()
        answers[place] = tasks[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
