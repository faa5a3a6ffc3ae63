"""Signing in to an application: the way there, what it learns, and how a person comes to a session first."""

import base64
import zlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from flask.testing import FlaskClient
from lxml import html

from tests.oauth.conftest import Person
from tests.support.application import Application, answer_in, register, way_back
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock
from tests.support.sign_on import SignOn


def test_a_person_with_a_session_gets_there_without_a_question(tool: Application, ada: Person) -> None:
    response = tool.ask(ada.browser)
    assert response.headers["Location"].startswith(f"{tool.redirect_uri}?")
    answer = answer_in(response)
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("a state", tool.issuer)


def test_the_id_token_says_who_what_and_for_whom(
    acme: Organization, tool: Application, ada: Person, clock: FakeClock
) -> None:
    clock.stop()
    tokens = tool.tokens(ada.browser)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert tokens["scope"] == "email openid profile"
    assert "refresh_token" not in tokens
    claims = tool.claims(tokens["id_token"])
    now = int(clock.now().timestamp())
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (tool.issuer, tool.id, "a-nonce")
    assert (claims["iat"], claims["exp"]) == (now, now + 600)
    assert claims["auth_time"] <= now
    assert claims["sub"] == f"user_{ada.id}"
    assert (claims["name"], claims["email"]) == ("Ada", ada.email)
    assert claims["organization"] == {"id": f"org_{acme.id}", "slug": acme.slug}
    session = json_of(ada.browser.get("/sso/session"))
    for name in ("role", "surfaces", "seat_state"):
        assert claims[name] == session[name]
    assert (claims["models"], claims["denied_models"], claims["epoch"] > 0) == (None, [], True)


def test_the_claims_are_what_the_role_gives(acme: Organization, tool: Application, door: SignOn) -> None:
    email = f"bob@{door.domain}"
    role = {
        "name": "reviewer",
        "surfaces": ["code"],
        "models": ["claude-haiku-4-5", "claude-sonnet-4-6"],
        "permissions": ["connectors.install"],
        "denies": ["claude-haiku-4-5"],
    }
    assert acme.api.post("/roles", role).status_code == 201
    acme.map_group(acme.scim.create_group(members=[acme.scim.create_user(email)]), "reviewer")
    claims = json_of(tool.user_info(tool.tokens(door.sign_in(email))["access_token"]))
    assert (claims["role"], claims["surfaces"]) == ("reviewer", ["code"])
    assert claims["permissions"] == ["connectors.install"]
    assert "claude-sonnet-4-6" in claims["models"]
    assert "claude-haiku-4-5" in claims["denied_models"] or "claude-haiku-4-5" not in claims["models"]


def test_userinfo_and_introspection_say_the_same(tool: Application, ada: Person) -> None:
    tokens = tool.tokens(ada.browser)
    claims = tool.claims(tokens["id_token"])
    shown = json_of(tool.user_info(tokens["access_token"]))
    assert shown.items() <= claims.items()
    asked = tool.introspect(tokens["access_token"])
    assert asked["active"] is True
    assert shown.items() <= asked.items()
    assert (asked["client_id"], asked["scope"], asked["sid"]) == (tool.id, tokens["scope"], claims["sid"])


def test_an_application_learns_no_more_than_it_asks_for(tool: Application, ada: Person) -> None:
    tokens = tool.tokens(ada.browser, scope="openid", nonce=None)
    claims = tool.claims(tokens["id_token"])
    assert not claims.keys() & {"name", "preferred_username", "email", "nonce"}
    assert not json_of(tool.user_info(tokens["access_token"])).keys() & {"name", "email"}


def test_a_public_application_proves_itself_by_pkce_alone(acme: Organization, ada: Person) -> None:
    public = register(acme, confidential=False, redirect_uris=["http://127.0.0.1:7777/callback"])
    assert public.secret is None
    assert public.tokens(ada.browser)["id_token"]


def test_a_secret_may_come_in_the_form(tool: Application, ada: Person) -> None:
    form = {"client_id": tool.id, "client_secret": tool.secret}
    assert tool.redeem(tool.code(ada.browser), {}, **form).status_code == 200


def test_without_a_session_the_way_leads_through_the_identity_provider(
    tool: Application, door: SignOn, ada: Person
) -> None:
    browser = door.browser()
    sent = tool.ask(browser, login_hint=ada.email)
    asked = urlsplit(sent.headers["Location"])
    assert asked.path == "/sso/login"
    assert parse_qs(asked.query)["email"] == [ada.email]
    # Single sign-on takes the address and leads to the identity provider of its domain.
    assert browser.get(sent.headers["Location"]).headers["Location"].startswith("https://idp.example/sso")
    door.sign_in(ada.email, browser, query=f"?{asked.query}")
    assert "code" in answer_in(browser.get(way_back(sent)))


def test_a_sign_in_comes_back_to_the_request_by_itself(tool: Application, door: SignOn, ada: Person) -> None:
    browser = door.browser()
    sent = tool.ask(browser)
    query = urlsplit(sent.headers["Location"]).query
    request_id, relay_state = door.begin(browser, f"?{query}")
    waiting = door.post(browser, door.message(ada.email, request_id), relay_state)
    fetched = browser.get(waiting.headers["Location"])
    assert fetched.headers["Location"] == way_back(sent)
    assert "code" in answer_in(browser.get(fetched.headers["Location"]))


def test_who_may_not_be_asked_is_told_so(tool: Application, door: SignOn) -> None:
    answer = answer_in(tool.ask(door.browser(), prompt="none"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("login_required", "a state", tool.issuer)


def test_a_session_renews_silently(tool: Application, ada: Person) -> None:
    assert tool.tokens(ada.browser, prompt="none")["id_token"]


def test_a_sign_in_that_is_too_old_is_done_again(
    tool: Application, door: SignOn, ada: Person, clock: FakeClock
) -> None:
    clock.advance(minutes=30)
    assert "code" in answer_in(tool.ask(ada.browser, max_age="3600"))
    assert answer_in(tool.ask(ada.browser, max_age="60", prompt="none"))["error"] == "login_required"
    sent = tool.ask(ada.browser, max_age="60")
    assert urlsplit(sent.headers["Location"]).path == "/sso/login"
    door.sign_in(ada.email, ada.browser)
    code = answer_in(ada.browser.get(way_back(sent)))["code"]
    claims = tool.claims(json_of(tool.redeem(code))["id_token"])
    assert claims["auth_time"] > clock.now().timestamp() - 60


@pytest.mark.parametrize("asked", [{"max_age": "0"}, {"prompt": "login"}, {"prompt": "select_account"}])
def test_who_comes_back_no_fresher_is_not_sent_round_and_round(
    tool: Application, ada: Person, clock: FakeClock, asked: dict[str, str]
) -> None:
    clock.advance(minutes=30)
    sent = tool.ask(ada.browser, **asked)
    assert urlsplit(sent.headers["Location"]).path == "/sso/login"
    assert answer_in(ada.browser.get(way_back(sent)))["error"] == "login_required"


def test_a_fresh_sign_in_satisfies_prompt_login(
    tool: Application, door: SignOn, ada: Person, clock: FakeClock
) -> None:
    clock.advance(minutes=30)
    sent = tool.ask(ada.browser, prompt="login")
    door.sign_in(ada.email, ada.browser)
    assert "code" in answer_in(ada.browser.get(way_back(sent)))


@pytest.mark.parametrize(
    ("asked", "is_forced"), [({"prompt": "login"}, True), ({"max_age": "60"}, True), ({}, False)]
)
def test_the_identity_provider_is_told_where_its_own_session_is_not_enough(
    tool: Application, door: SignOn, asked: dict[str, str], is_forced: bool
) -> None:
    browser = door.browser()
    sent = tool.ask(browser, **asked)
    # Whoever gives no address is asked for it first, and nothing is lost by that.
    shown = html.fromstring(browser.get(sent.headers["Location"]).text)
    (form,) = shown.forms
    fields = {name: value or "" for name, value in form.form_values()}
    to_idp = browser.get(f"{form.action}?{urlencode({**fields, 'email': f'ada@{door.domain}'})}")
    message = parse_qs(urlsplit(to_idp.headers["Location"]).query)["SAMLRequest"][0]
    xml = zlib.decompress(base64.b64decode(message), -15)
    assert (b'ForceAuthn="true"' in xml) == is_forced


def test_a_request_may_come_as_a_form(tool: Application, ada: Person) -> None:
    moved = ada.browser.post("/oauth/authorize", data=tool.query())
    assert moved.status_code == 303
    assert "code" in answer_in(ada.browser.get(moved.headers["Location"]))


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_an_application_finds_everything_by_discovery(tool: Application, name: str) -> None:
    browser: FlaskClient = tool.organization.app.test_client()
    shown = json_of(browser.get(f"/.well-known/{name}"))
    assert shown["issuer"] == tool.issuer
    # An independent reading of the specification; addresses of a development server are not https.
    secure = {
        key: value.replace("http://", "https://") if isinstance(value, str) else value
        for key, value in shown.items()
    }
    OpenIDProviderMetadata(secure).validate()
    for endpoint in ("authorization", "token", "userinfo", "introspection", "revocation", "end_session"):
        address = urlsplit(shown[f"{endpoint}_endpoint"])
        assert browser.open(address.path, method="DELETE").status_code == 405
    (key, *_) = json_of(browser.get(urlsplit(shown["jwks_uri"]).path))["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}


# Who may not


def test_without_a_seat_access_is_denied_and_the_reason_can_be_read(
    acme: Organization, tool: Application, door: SignOn
) -> None:
    email = f"bob@{door.domain}"
    acme.scim.create_user(email)
    browser = door.sign_in(email)
    answer = answer_in(tool.ask(browser))
    assert (answer["error"], answer["state"]) == ("access_denied", "a state")
    assert answer["error_description"] == "This person has no seat."
    page = browser.get(urlsplit(answer["error_uri"]).path)
    assert page.status_code == 200
    assert "You have no seat; ask your administrator." in page.text


def test_who_waits_for_a_seat_is_told_their_place(
    acme: Organization, tool: Application, door: SignOn
) -> None:
    acme.api.put("/seat_pool", {"quantity": 0})
    email = f"bob@{door.domain}"
    acme.map_group(acme.scim.create_group(members=[acme.scim.create_user(email)]))
    browser = door.sign_in(email)
    answer = answer_in(tool.ask(browser))
    assert answer["error_description"] == "This person waits for a free seat."
    assert "number 1 in the waiting list" in browser.get(urlsplit(answer["error_uri"]).path).text


def test_a_suspended_seat_opens_nothing(acme: Organization, tool: Application, ada: Person) -> None:
    body = {"suspended": True, "reason": "on leave"}
    assert acme.api.patch(f"/seats/user_{ada.id}", body).status_code == 200
    assert answer_in(tool.ask(ada.browser))["error_description"] == "The seat of this person is suspended."


def test_a_deprovisioned_person_has_no_session_to_ask_with(
    acme: Organization, tool: Application, ada: Person
) -> None:
    acme.scim.set_active(ada.id, False)
    assert answer_in(tool.ask(ada.browser, prompt="none"))["error"] == "login_required"


def test_a_person_of_another_organization_is_denied(globex: Organization, ada: Person) -> None:
    theirs = register(globex)
    answer = answer_in(theirs.ask(ada.browser))
    assert answer["error"] == "access_denied"
    assert "another organization" in answer["error_description"]
    assert "error_uri" not in answer
    assert answer_in(theirs.ask(ada.browser, prompt="none"))["error"] == "access_denied"
    # And they are still who they were.
    assert ada.browser.get("/sso/session").status_code == 200
