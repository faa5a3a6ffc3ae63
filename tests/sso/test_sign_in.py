"""From the login URL to a session: the way in, its bindings, and what it refuses."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.cast import Organization, create_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.sign_on import SignOn, session_of, sign_on


@pytest.fixture
def door(acme: Organization) -> SignOn:
    return sign_on(acme)


def reason(response: TestResponse) -> tuple[int, str | None]:
    return response.status_code, response.headers.get("X-Usher-Reason")


def test_a_provisioned_person_signs_in_and_an_app_sees_who_it_is(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email, emails=[{"value": email}])
    acme.map_group(acme.scim.create_group(members=[user_id]))
    shown = json_of(session_of(door.sign_in(email)))
    assert shown["user"] == {"id": f"user_{user_id}", "user_name": email, "email": email}
    assert shown["organization"] == {"id": f"org_{acme.id}", "slug": acme.slug}
    assert (shown["role"], shown["seat_state"]) == ("member", "assigned")
    assert shown["surfaces"] == ["chat", "code", "cowork"]
    assert shown["expires_at"].endswith("Z")


def test_a_sign_in_leads_to_where_it_was_asked_from(door: SignOn) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser, "?return_to=/console/spend%3Fmonth=7")
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    fetched = browser.get(waiting.headers["Location"])
    assert (fetched.status_code, fetched.headers["Location"]) == (303, "/console/spend?month=7")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%5cevil.example",
        "/%2fevil.example",
        "/\tevil.example",
        "/%09/evil.example",
        "/\n/evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        " //evil.example",
        "/\u2044evil.example",
        "////evil.example",
        "/" + "a" * 3000,
    ],
)
def test_no_spelling_leads_anywhere_else(door: SignOn, target: str) -> None:
    from urllib.parse import quote

    browser = door.browser()
    request_id, relay_state = door.begin(browser, f"?return_to={quote(target, safe='')}")
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert browser.get(waiting.headers["Location"]).headers["Location"] == "/sso/me"


def test_the_relay_state_decides_nothing(door: SignOn) -> None:
    browser = door.browser()
    request_id, _ = door.begin(browser, "?return_to=/console")
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), "https://evil.example/")
    assert browser.get(waiting.headers["Location"]).headers["Location"] == "/console"


def test_nobody_is_signed_in_without_a_session(door: SignOn) -> None:
    response = session_of(door.browser())
    assert (response.status_code, json_of(response)["code"]) == (401, "not_signed_in")


def test_the_cookie_is_no_secret_of_the_database_and_no_script_reads_it(door: SignOn) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    cookies = browser.get(waiting.headers["Location"]).headers.getlist("Set-Cookie")
    (given,) = [cookie for cookie in cookies if cookie.startswith("usher_session=")]
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in given.split(";")}


def test_the_session_is_not_there_before_the_browser_fetches_it(door: SignOn) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert session_of(browser).status_code == 401
    browser.get(waiting.headers["Location"])
    assert session_of(browser).status_code == 200


def test_an_answer_signs_in_only_the_browser_that_asked(door: SignOn) -> None:
    """Login CSRF: the attacker's own genuine answer, posted by the victim's browser."""
    attacker, victim = door.browser(), door.browser()
    request_id, relay_state = door.begin(attacker)
    waiting = door.post(victim, door.message(f"eve@{door.domain}", request_id), relay_state)
    # The victim's browser sends no cookie along with the cross-site POST; the second step finds none.
    assert reason(victim.get(waiting.headers["Location"])) == (403, "other_browser")
    assert session_of(victim).status_code == 401


def test_a_browser_that_says_at_once_that_it_is_another_one_is_refused_at_once(door: SignOn) -> None:
    attacker, victim = door.browser(), door.browser()
    request_id, relay_state = door.begin(attacker)
    door.begin(victim)
    response = door.post(victim, door.message(f"eve@{door.domain}", request_id), relay_state)
    assert reason(response) == (403, "other_browser")


def test_a_stolen_code_opens_nothing_in_another_browser(door: SignOn) -> None:
    browser, thief = door.browser(), door.browser()
    request_id, relay_state = door.begin(browser)
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    door.begin(thief)
    assert reason(thief.get(waiting.headers["Location"])) == (403, "other_browser")
    assert browser.get(waiting.headers["Location"]).status_code == 303


def test_loading_the_last_page_again_is_harmless(door: SignOn) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser, "?return_to=/console")
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    first = browser.get(waiting.headers["Location"])
    again = browser.get(waiting.headers["Location"])
    assert first.headers["Location"] == again.headers["Location"] == "/console"
    assert session_of(browser).status_code == 200


def test_a_code_is_good_once_and_not_for_long(door: SignOn, clock: FakeClock) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    clock.advance(minutes=3)
    assert reason(browser.get(waiting.headers["Location"])) == (403, "code_spent")


@pytest.mark.parametrize("code", ["", "x", "00000000-0000-7000-8000-000000000000.usher_code_x", "." * 99])
def test_a_code_that_was_never_given_opens_nothing(door: SignOn, code: str) -> None:
    assert reason(door.browser().get(f"{door.path}/acs?code={code}")) == (403, "request_unknown")


def test_the_second_post_of_an_accepted_answer_is_refused(door: SignOn) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    message = door.message(f"ada@{door.domain}", request_id)
    assert door.post(browser, message, relay_state).status_code == 303
    assert reason(door.post(browser, message, relay_state)) == (403, "request_consumed")


def test_an_answer_is_good_for_one_login_and_one_connection(door: SignOn, acme: Organization) -> None:
    other = sign_on(acme)
    browser = door.browser()
    request_id, relay_state = other.begin(browser)
    response = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert reason(response) == (403, "request_unknown")


@pytest.mark.parametrize("request_id", ["_", "_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e", "nothing"])
def test_an_answer_to_what_nobody_asked_is_refused(door: SignOn, request_id: str) -> None:
    response = door.post(door.browser(), door.message(f"ada@{door.domain}", request_id))
    assert reason(response) == (403, "request_unknown")


def test_an_answer_that_takes_too_long_is_refused(door: SignOn, clock: FakeClock) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    clock.advance(minutes=11)
    response = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert reason(response) == (403, "request_expired")


def test_a_request_stripped_of_its_name_is_not_taken_for_unasked(door: SignOn) -> None:
    """The relay state still says that this login was begun here."""
    browser = door.browser()
    _, relay_state = door.begin(browser)
    response = door.post(browser, door.message(f"ada@{door.domain}", None), relay_state)
    assert reason(response) == (403, "in_response_to_missing")


# Unasked answers


def test_an_unasked_answer_is_not_believed_and_the_login_begins_anew(door: SignOn) -> None:
    browser = door.browser()
    response = door.post(browser, door.message(f"ada@{door.domain}", None), "/console")
    assert response.status_code == 303
    assert response.headers["Location"] == f"{door.path}/login?bounced=1&return_to=%2Fconsole"
    assert session_of(browser).status_code == 401


def test_a_bounced_login_ends_where_the_tile_wanted_to_go(door: SignOn) -> None:
    browser = door.browser()
    target = door.organization.container.settings.base_url + "/console/spend"
    bounced = door.post(browser, door.message(f"ada@{door.domain}", None), target)
    request_id, relay_state = door.begin(browser, "?" + bounced.headers["Location"].partition("?")[2])
    waiting = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert browser.get(waiting.headers["Location"]).headers["Location"] == "/console/spend"


def test_a_third_bounce_in_a_row_is_refused_with_its_cause(door: SignOn) -> None:
    browser = door.browser()
    for _ in range(2):
        door.begin(browser, "?bounced=1")
    assert reason(browser.get(f"{door.path}/login?bounced=1")) == (403, "bounce_loop")
    # A login that a person begins is no part of the loop.
    door.begin(browser)


def test_an_organization_can_refuse_unasked_answers(door: SignOn) -> None:
    door.set(idp_initiated="refuse")
    response = door.post(door.browser(), door.message(f"ada@{door.domain}", None))
    assert reason(response) == (403, "unsolicited")


def test_an_organization_can_accept_unasked_answers_once(door: SignOn) -> None:
    door.set(idp_initiated="accept")
    browser = door.browser()
    message = door.message(f"ada@{door.domain}", None)
    waiting = door.post(browser, message, "https://evil.example/")
    fetched = browser.get(waiting.headers["Location"])
    assert fetched.headers["Location"] == "/sso/me"
    assert session_of(browser).status_code == 200
    assert reason(door.post(door.browser(), message)) == (403, "assertion_replayed")


def test_an_accepted_unasked_answer_is_fetched_by_the_browser_that_brought_it(door: SignOn) -> None:
    door.set(idp_initiated="accept")
    waiting = door.post(door.browser(), door.message(f"ada@{door.domain}", None))
    thief = door.browser()
    assert reason(thief.get(waiting.headers["Location"])) == (403, "other_browser")


def test_an_old_unasked_answer_is_refused(door: SignOn) -> None:
    door.set(idp_initiated="accept")
    message = door.message(f"ada@{door.domain}", None, issued=-500, not_before=-500)
    assert reason(door.post(door.browser(), message)) == (403, "unsolicited_too_old")


# Connections and domains


def test_a_connection_that_is_off_lets_nobody_begin_or_end_a_login(door: SignOn) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    door.set(mode="off")
    response = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert reason(response) == (403, "connection_off")
    assert reason(browser.get(f"{door.path}/login")) == (403, "connection_off")


def test_in_test_mode_only_testers_get_in(door: SignOn) -> None:
    door.set(mode="test", testers=[f"ada@{door.domain}"])
    assert session_of(door.sign_in(f"ada@{door.domain}")).status_code == 200
    assert door.refusal(f"bob@{door.domain}") == (403, "not_a_tester")


def test_an_address_of_a_domain_that_nobody_verified_is_refused(door: SignOn) -> None:
    assert door.refusal("ada@nobody.example") == (403, "domain_not_verified")


def test_no_connection_signs_in_addresses_of_another_organization(app: Flask, door: SignOn) -> None:
    globex = sign_on(create_organization(app))
    assert door.refusal(f"ceo@{globex.domain}") == (403, "domain_captured_elsewhere")


def test_the_domain_of_the_subject_is_judged_as_well_as_that_of_the_address(door: SignOn) -> None:
    changes = {"attributes": {"email": (f"ada@{door.domain}",)}, "name_id": "ada@nobody.example"}
    assert door.refusal("ignored", **changes) == (403, "domain_not_verified")


@pytest.mark.parametrize(
    ("attributes", "name_id", "expected"),
    [
        ({}, "00u1", "email_missing"),
        ({"email": ("ada",)}, "00u1", "email_malformed"),
        ({"email": ("ada@\u0430cme.example",)}, "00u1", "email_malformed"),
    ],
)
def test_without_a_usable_address_nobody_comes_in(
    door: SignOn, attributes: dict[str, Any], name_id: str, expected: str
) -> None:
    changes = {"attributes": attributes, "name_id": name_id, "name_id_format": None}
    assert door.refusal("ignored", **changes) == (403, expected)


def test_what_is_no_saml_is_400(door: SignOn) -> None:
    browser = door.browser()
    assert reason(door.post(browser, "!!!")) == (400, "not_base64")
    assert reason(browser.post(f"{door.path}/acs", data=b"\xff\x00=1;")) == (400, "parameter_missing")
    assert reason(browser.post(f"{door.path}/acs", data="SAMLResponse=a&SAMLResponse=b")) == (
        400,
        "parameter_repeated",
    )


def test_an_unknown_connection_is_404(door: SignOn) -> None:
    for path in ("conn_00000000-0000-7000-8000-000000000000", "conn_x", "x", door.connection_id):
        assert door.browser().get(f"/sso/saml/{path}/login").status_code == 404
        assert door.browser().post(f"/sso/saml/{path}/acs").status_code == 404


def test_a_refusal_says_one_sentence_and_a_number_whatever_the_reason(door: SignOn) -> None:
    browser = door.browser()
    one = door.post(browser, door.message("ada@nobody.example", None)).text
    door.set(idp_initiated="refuse")
    two = door.post(browser, door.message(f"ada@{door.domain}", None)).text
    three = door.post(browser, "!!!").text
    pages = {
        page.partition("Reference")[0].partition("<h1>")[2].partition("</h1>")[2] for page in (two, three)
    }
    assert len(pages) == 1
    assert "nobody.example" not in one + two + three
