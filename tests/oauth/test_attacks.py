"""Everything that somebody may try at the provider: each attempt has one verdict, and none is a fault."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from tests.oauth.conftest import Hall, Person
from tests.support.application import Application, answer_in, challenge_of, register
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock

# At the authorization endpoint: what goes back to the application.

REFUSED_BY_REDIRECT: dict[str, tuple[dict[str, str | None], str]] = {
    "no challenge": ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    "no method, which means plain": ({"code_challenge_method": None}, "invalid_request"),
    "plain challenge": ({"code_challenge_method": "plain", "code_challenge": "a" * 43}, "invalid_request"),
    "method in small letters": ({"code_challenge_method": "s256"}, "invalid_request"),
    "challenge too short": ({"code_challenge": "a" * 42}, "invalid_request"),
    "challenge too long": ({"code_challenge": "a" * 44}, "invalid_request"),
    "challenge of other letters": ({"code_challenge": "~" * 43}, "invalid_request"),
    "no response_type": ({"response_type": None}, "invalid_request"),
    "response_type token": ({"response_type": "token"}, "unsupported_response_type"),
    "response_type id_token": ({"response_type": "id_token"}, "unsupported_response_type"),
    "hybrid response_type": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "response_mode fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "response_mode form_post": ({"response_mode": "form_post"}, "invalid_request"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "no openid": ({"scope": "profile"}, "invalid_scope"),
    "unknown scope": ({"scope": "openid admin"}, "invalid_scope"),
    "offline access": ({"scope": "openid offline_access"}, "invalid_scope"),
    "a request object": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    "a request by reference": ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
    "a self-made registration": ({"registration": "{}"}, "registration_not_supported"),
    "prompt none and login": ({"prompt": "none login"}, "invalid_request"),
    "unknown prompt": ({"prompt": "create"}, "invalid_request"),
    "max_age below zero": ({"max_age": "-1"}, "invalid_request"),
    "max_age in words": ({"max_age": "soon"}, "invalid_request"),
    "max_age beyond time": ({"max_age": "9" * 30}, "invalid_request"),
    "huge nonce": ({"nonce": "n" * 513}, "invalid_request"),
    "too long to come back to": (
        {"nonce": "n" * 500, "state": "s" * 1_000, "ui_locales": "x" * 900},
        "invalid_request",
    ),
}


@pytest.mark.parametrize(("changes", "error"), REFUSED_BY_REDIRECT.values(), ids=REFUSED_BY_REDIRECT.keys())
def test_what_is_never_granted_goes_back_as_a_refusal(
    hall: Hall, changes: dict[str, str | None], error: str
) -> None:
    tool = hall.tool
    response = tool.ask(hall.ada.browser, **changes)
    assert response.headers["Location"].startswith(f"{tool.redirect_uri}?")
    answer = answer_in(response)
    assert (answer["error"], answer["iss"]) == (error, tool.issuer)
    assert answer["state"] == changes.get("state", "a state")
    assert "code" not in answer


# And what goes nowhere: whoever cannot be trusted with an answer gets none.

NEVER_REDIRECTED: dict[str, Callable[[str], dict[str, str | None]]] = {
    "no client_id": lambda _: {"client_id": None},
    "unknown client_id": lambda _: {"client_id": "app_00000000-0000-7000-8000-000000000000"},
    "client_id of another kind": lambda _: {"client_id": "user_1"},
    "client_id that is SQL": lambda _: {"client_id": "' OR 1=1 --"},
    "client_id with NUL": lambda _: {"client_id": "app_\x00"},
    "no redirect_uri": lambda _: {"redirect_uri": None},
    "prefix of it": lambda uri: {"redirect_uri": uri[:-1]},
    "longer path": lambda uri: {"redirect_uri": f"{uri}/evil"},
    "dots in the path": lambda uri: {"redirect_uri": f"{uri}/../evil"},
    "more query": lambda uri: {"redirect_uri": f"{uri}?next=evil"},
    "empty query": lambda uri: {"redirect_uri": f"{uri}?"},
    "fragment": lambda uri: {"redirect_uri": f"{uri}#evil"},
    "other port": lambda uri: {"redirect_uri": uri.replace(".example", ".example:8443")},
    "default port spelt out": lambda uri: {"redirect_uri": uri.replace(".example", ".example:443")},
    "http instead of https": lambda uri: {"redirect_uri": uri.replace("https:", "http:")},
    "host in front of an at-sign": lambda uri: {
        "redirect_uri": uri.replace(".example", ".example@evil.example")
    },
    "longer host": lambda uri: {"redirect_uri": uri.replace(".example", ".example.evil.example")},
    "sub-domain": lambda uri: {"redirect_uri": uri.replace("https://", "https://www.")},
    "capital letters": lambda uri: {"redirect_uri": uri.upper()},
    "encoded letter": lambda uri: {"redirect_uri": uri.replace("callback", "%63allback")},
    "backslash": lambda uri: {"redirect_uri": uri.replace("/callback", "\\callback")},
    "space behind": lambda uri: {"redirect_uri": f"{uri} "},
    "script": lambda _: {"redirect_uri": "javascript:alert(1)"},
    "huge state": lambda _: {"state": "s" * 1_025},
    "huge parameter": lambda _: {"login_hint": "h" * 3_000},
    "huge request": lambda _: {f"p{number}": "x" * 1_000 for number in range(20)},
    "too many parameters": lambda _: {f"p{number}": "x" for number in range(60)},
}


@pytest.mark.parametrize("changes", NEVER_REDIRECTED.values(), ids=NEVER_REDIRECTED.keys())
def test_an_answer_goes_nowhere_but_to_a_registered_address(
    hall: Hall, changes: Callable[[str], dict[str, str | None]]
) -> None:
    response = hall.tool.ask(hall.ada.browser, **changes(hall.tool.redirect_uri))
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert response.content_type.startswith("text/html")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "code_challenge", "nonce"])
def test_a_parameter_that_stands_twice_is_refused(hall: Hall, name: str) -> None:
    query = hall.tool.query()
    again = urlencode(query) + "&" + urlencode({name: query[name]})
    response = hall.ada.browser.get(f"/oauth/authorize?{again}")
    assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_what_is_no_utf_8_is_refused(tool: Application, ada: Person) -> None:
    response = ada.browser.get(f"/oauth/authorize?{urlencode(tool.query(state=None))}&state=%ff%fe")
    assert response.status_code == 400


def test_another_application_s_address_is_not_one_s_own(hall: Hall) -> None:
    response = hall.tool.ask(hall.ada.browser, redirect_uri=hall.other.redirect_uri)
    assert response.status_code == 400


# At the token endpoint.


@dataclass
class Stage:
    """One application with a code that is good, another of the same organization, one of elsewhere."""

    tool: Application
    code: str
    other: Application
    foreign: Application
    ada: Person
    clock: FakeClock
    acme: Organization


@pytest.fixture
def stage(
    acme: Organization, globex: Organization, tool: Application, ada: Person, clock: FakeClock
) -> Stage:
    return Stage(tool, tool.code(ada.browser), register(acme), register(globex), ada, clock, acme)


def late(stage: Stage) -> TestResponse:
    stage.clock.advance(seconds=61)
    return stage.tool.redeem(stage.code)


def deprovisioned(stage: Stage) -> TestResponse:
    stage.acme.scim.set_active(stage.ada.id, False)
    return stage.tool.redeem(stage.code)


def deprovisioned_and_back(stage: Stage) -> TestResponse:
    stage.acme.scim.set_active(stage.ada.id, False)
    stage.acme.scim.set_active(stage.ada.id, True)
    return stage.tool.redeem(stage.code)


def seatless(stage: Stage) -> TestResponse:
    stage.acme.scim.remove_members(stage.ada.group_id, stage.ada.id)
    return stage.tool.redeem(stage.code)


def signed_out(stage: Stage) -> TestResponse:
    stage.ada.browser.post("/sso/logout", headers={"Origin": stage.tool.issuer})
    return stage.tool.redeem(stage.code)


def after_overlap(stage: Stage) -> TestResponse:
    stage.acme.api.post(f"/applications/{stage.tool.id}/rotate")
    stage.clock.advance(days=7, seconds=1)
    return stage.tool.redeem(stage.code)


def twice_rotated(stage: Stage) -> TestResponse:
    for _ in range(2):
        stage.acme.api.post(f"/applications/{stage.tool.id}/rotate")
    return stage.tool.redeem(stage.code)


def removed(stage: Stage) -> TestResponse:
    stage.acme.api.delete(f"/applications/{stage.tool.id}")
    return stage.tool.redeem(stage.code)


def replayed(stage: Stage) -> TestResponse:
    assert stage.tool.redeem(stage.code).status_code == 200
    return stage.tool.redeem(stage.code)


def twice_in_the_form(name: str) -> Callable[[Stage], TestResponse]:
    def send(stage: Stage) -> TestResponse:
        form = stage.tool.form(stage.code)
        again = urlencode(form) + "&" + urlencode({name: form[name]})
        return stage.tool.post("/oauth/token", again)

    return send


def by_json(stage: Stage) -> TestResponse:
    browser = stage.tool.organization.app.test_client()
    return browser.post("/oauth/token", json=stage.tool.form(stage.code), headers=stage.tool.basic())


def in_the_address(stage: Stage) -> TestResponse:
    return stage.tool.post(f"/oauth/token?{urlencode(stage.tool.form(stage.code))}", {})


def with_header(text: str) -> Callable[[Stage], TestResponse]:
    return lambda stage: stage.tool.redeem(stage.code, {"Authorization": text})


REFUSED_BY_TOKEN: dict[str, tuple[Callable[[Stage], TestResponse], int, str]] = {
    "no verifier": (lambda s: s.tool.redeem(s.code, code_verifier=None), 400, "invalid_request"),
    "wrong verifier": (lambda s: s.tool.redeem(s.code, code_verifier="w" * 43), 400, "invalid_grant"),
    "the challenge as verifier": (
        lambda s: s.tool.redeem(s.code, code_verifier=challenge_of(s.tool.verifier)),
        400,
        "invalid_grant",
    ),
    "verifier too short": (lambda s: s.tool.redeem(s.code, code_verifier="v" * 42), 400, "invalid_request"),
    "verifier with umlaut": (
        lambda s: s.tool.redeem(s.code, code_verifier="ü" * 43),
        400,
        "invalid_request",
    ),
    "no redirect_uri": (lambda s: s.tool.redeem(s.code, redirect_uri=None), 400, "invalid_request"),
    "other redirect_uri": (
        lambda s: s.tool.redeem(s.code, redirect_uri=f"{s.tool.redirect_uri}/"),
        400,
        "invalid_grant",
    ),
    "no code": (
        lambda s: s.tool.post(
            "/oauth/token", {"grant_type": "authorization_code", "code_verifier": "v" * 43}
        ),
        400,
        "invalid_request",
    ),
    "made-up code": (lambda s: s.tool.redeem("usher_authcode_made_up"), 400, "invalid_grant"),
    "code of another application": (
        lambda s: s.other.redeem(s.code, code_verifier=s.tool.verifier, redirect_uri=s.tool.redirect_uri),
        400,
        "invalid_grant",
    ),
    "code of another organization": (
        lambda s: s.foreign.redeem(s.code, code_verifier=s.tool.verifier, redirect_uri=s.tool.redirect_uri),
        400,
        "invalid_grant",
    ),
    "no client authentication": (lambda s: s.tool.redeem(s.code, {}), 401, "invalid_client"),
    "id without secret": (lambda s: s.tool.redeem(s.code, {}, client_id=s.tool.id), 401, "invalid_client"),
    "wrong secret": (lambda s: s.tool.redeem(s.code, s.tool.basic("wrong")), 401, "invalid_client"),
    "wrong secret in the form": (
        lambda s: s.tool.redeem(s.code, {}, client_id=s.tool.id, client_secret="wrong"),
        401,
        "invalid_client",
    ),
    "secret of another application": (
        lambda s: s.tool.redeem(s.code, s.tool.basic(s.other.secret)),
        401,
        "invalid_client",
    ),
    "secret in two places": (
        lambda s: s.tool.redeem(s.code, client_secret=s.tool.secret),
        400,
        "invalid_request",
    ),
    "header and assertion": (lambda s: s.tool.redeem(s.code, client_assertion="x"), 400, "invalid_request"),
    "header and other client_id": (
        lambda s: s.tool.redeem(s.code, client_id=s.other.id),
        400,
        "invalid_request",
    ),
    "header that is no Basic": (with_header("Bearer abc"), 401, "invalid_client"),
    "Basic that is no base64": (with_header("Basic ***"), 401, "invalid_client"),
    "Basic without a colon": (with_header("Basic YWJj"), 401, "invalid_client"),
    "Basic of no UTF-8": (with_header("Basic //8="), 401, "invalid_client"),
    "password grant": (lambda s: s.tool.redeem(s.code, grant_type="password"), 400, "unsupported_grant_type"),
    "client credentials": (
        lambda s: s.tool.redeem(s.code, grant_type="client_credentials"),
        400,
        "unsupported_grant_type",
    ),
    "refresh token": (
        lambda s: s.tool.redeem(s.code, grant_type="refresh_token", refresh_token="x"),
        400,
        "unsupported_grant_type",
    ),
    "no grant_type": (lambda s: s.tool.redeem(s.code, grant_type=None), 400, "invalid_request"),
    "code twice": (twice_in_the_form("code"), 400, "invalid_request"),
    "verifier twice": (twice_in_the_form("code_verifier"), 400, "invalid_request"),
    "JSON": (by_json, 400, "invalid_request"),
    "everything in the address": (in_the_address, 400, "invalid_request"),
    "huge verifier": (lambda s: s.tool.redeem(s.code, code_verifier="v" * 3_000), 400, "invalid_request"),
    "NUL in the code": (lambda s: s.tool.redeem("usher_\x00"), 400, "invalid_request"),
}


# What changes something on its way.
REFUSED_AFTER_A_CHANGE: dict[str, tuple[Callable[[Stage], TestResponse], int, str]] = {
    "replayed code": (replayed, 400, "invalid_grant"),
    "expired code": (late, 400, "invalid_grant"),
    "deprovisioned between code and token": (deprovisioned, 400, "invalid_grant"),
    "deprovisioned and brought back": (deprovisioned_and_back, 400, "invalid_grant"),
    "without a seat between code and token": (seatless, 400, "invalid_grant"),
    "signed out between code and token": (signed_out, 400, "invalid_grant"),
    "old secret after the overlap": (after_overlap, 401, "invalid_client"),
    "secret from before the last but one": (twice_rotated, 401, "invalid_client"),
    "removed application": (removed, 401, "invalid_client"),
}


@pytest.mark.parametrize(
    ("attempt", "status", "error"), REFUSED_BY_TOKEN.values(), ids=REFUSED_BY_TOKEN.keys()
)
def test_a_code_is_worth_nothing_but_to_whom_it_was_given(
    hall: Hall, clock: FakeClock, attempt: Callable[[Stage], TestResponse], status: int, error: str
) -> None:
    tool = hall.tool
    stage = Stage(
        tool, tool.code(hall.ada.browser), hall.other, hall.foreign, hall.ada, clock, tool.organization
    )
    refuses(attempt(stage), status, error)


@pytest.mark.parametrize(
    ("attempt", "status", "error"), REFUSED_AFTER_A_CHANGE.values(), ids=REFUSED_AFTER_A_CHANGE.keys()
)
def test_a_code_is_worth_nothing_once_what_it_was_given_for_is_over(
    stage: Stage, attempt: Callable[[Stage], TestResponse], status: int, error: str
) -> None:
    refuses(attempt(stage), status, error)


def refuses(response: TestResponse, status: int, error: str) -> None:
    body = json_of(response)
    assert (response.status_code, body["error"]) == (status, error)
    assert body.keys() == {"error", "error_description"}
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


# With tokens.


@dataclass
class Given:
    """A token of `tool`, beside other applications."""

    tool: Application
    token: str
    other: Application
    foreign: Application


@pytest.fixture
def given(hall: Hall) -> Given:
    return Given(hall.tool, hall.tool.tokens(hall.ada.browser)["access_token"], hall.other, hall.foreign)


def ask_user_info(given: Given, path: str = "", **options: Any) -> TestResponse:
    return given.tool.organization.app.test_client().open(f"/oauth/userinfo{path}", **options)


BAD_BEARERS: dict[str, tuple[Callable[[Given], TestResponse], int, str]] = {
    "token in the query": (lambda g: ask_user_info(g, f"?access_token={g.token}"), 400, "invalid_request"),
    "token in query and header": (
        lambda g: ask_user_info(g, "?access_token=x", headers={"Authorization": f"Bearer {g.token}"}),
        400,
        "invalid_request",
    ),
    "token in the form": (
        lambda g: ask_user_info(g, method="POST", data={"access_token": g.token}),
        400,
        "invalid_request",
    ),
    "no token": (ask_user_info, 401, "invalid_token"),
    "another scheme": (
        lambda g: ask_user_info(g, headers={"Authorization": f"Basic {g.token}"}),
        401,
        "invalid_token",
    ),
    "token of another kind": (
        lambda g: ask_user_info(g, headers={"Authorization": f"Bearer {g.tool.organization.api.token}"}),
        401,
        "invalid_token",
    ),
    "token with a letter changed": (
        lambda g: ask_user_info(g, headers={"Authorization": f"Bearer {g.token[:-7]}x{g.token[-6:]}"}),
        401,
        "invalid_token",
    ),
}


@pytest.mark.parametrize(("attempt", "status", "error"), BAD_BEARERS.values(), ids=BAD_BEARERS.keys())
def test_a_person_is_shown_to_a_good_token_in_the_header_alone(
    given: Given, attempt: Callable[[Given], TestResponse], status: int, error: str
) -> None:
    response = attempt(given)
    assert (response.status_code, json_of(response)["error"]) == (status, error)
    assert given.tool.user_info(given.token).status_code == 200


def test_an_application_learns_nothing_of_tokens_of_others(given: Given) -> None:
    for stranger in (given.other, given.foreign):
        assert stranger.introspect(given.token) == {"active": False}
    for text in ("", "x", "usher_access_made_up", given.tool.organization.api.token or ""):
        response = given.tool.post("/oauth/introspect", {"token": text})
        expected = {"active": False} if text else None
        assert expected is None or json_of(response) == expected
    assert given.tool.introspect(given.token)["active"] is True


def test_who_cannot_prove_who_it_is_may_not_introspect(given: Given) -> None:
    public = register(given.tool.organization, confidential=False)
    for headers, form in (({}, {}), ({}, {"client_id": public.id}), (given.tool.basic("wrong"), {})):
        response = given.tool.post("/oauth/introspect", {"token": given.token, **form}, headers)
        assert (response.status_code, json_of(response)["error"]) == (401, "invalid_client")


def test_nobody_revokes_the_token_of_another_application(given: Given) -> None:
    response = given.other.post("/oauth/revoke", {"token": given.token})
    assert (response.status_code, json_of(response)["error"]) == (400, "invalid_grant")
    # Of what belongs to another organization nothing is said at all.
    assert given.foreign.post("/oauth/revoke", {"token": given.token}).status_code == 200
    assert given.tool.introspect(given.token)["active"] is True


def test_an_application_revokes_its_own_token(given: Given) -> None:
    for _ in range(2):
        assert given.tool.post("/oauth/revoke", {"token": given.token}).status_code == 200
    assert given.tool.introspect(given.token) == {"active": False}
    assert given.tool.user_info(given.token).status_code == 401


def test_an_access_token_opens_nothing_else(given: Given) -> None:
    browser = given.tool.organization.app.test_client()
    headers = {"Authorization": f"Bearer {given.token}"}
    for path in ("/api/v1/organization", "/scim/v2/Users"):
        assert browser.get(path, headers=headers).status_code == 401


@pytest.mark.parametrize("rival", ["tool", "other"])
def test_a_replayed_code_takes_back_what_it_gave(stage: Stage, rival: str, acme: Organization) -> None:
    token = json_of(stage.tool.redeem(stage.code))["access_token"]
    assert stage.tool.introspect(token)["active"] is True
    assert getattr(stage, rival).redeem(stage.code).status_code == 400
    assert stage.tool.introspect(token) == {"active": False}
    assert "application.code_replayed" in acme.audit_actions()


def test_a_code_that_is_replayed_elsewhere_takes_nothing_back(stage: Stage) -> None:
    token = json_of(stage.tool.redeem(stage.code))["access_token"]
    assert stage.foreign.redeem(stage.code).status_code == 400
    assert stage.tool.introspect(token)["active"] is True


def test_a_failed_attempt_does_not_spend_the_code(stage: Stage) -> None:
    assert stage.tool.redeem(stage.code, code_verifier="w" * 43).status_code == 400
    assert stage.tool.redeem(stage.code).status_code == 200
