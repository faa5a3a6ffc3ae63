"""Single logout both ways, and Okta's Universal Logout."""

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from app.sso.saml.bindings import redirect_url
from app.sso.saml.certificates import SpKey, load_certificate
from app.sso.saml.logout import LogoutExpectation, LogoutRequest, LogoutResponse, verify_redirect
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock
from tests.support.saml_idp import EMAIL_FORMAT, KeyPair, key_pair
from tests.support.sign_on import SignOn, session_of, sign_on

BASE = "http://127.0.0.1:8000"
SLO = "https://idp.example/slo"


@pytest.fixture
def door(acme: Organization) -> SignOn:
    made = sign_on(acme)
    made.set(slo_url=SLO, slo_binding="redirect")
    return made


def is_live(browser: FlaskClient) -> bool:
    return session_of(browser).status_code == 200


def received(door: SignOn, address: str, now: Any) -> LogoutRequest | LogoutResponse:
    """Our message as the identity provider reads it: signed by the current key of ours."""
    shown = json_of(door.organization.api.get(f"/connections/conn_{door.connection_id}"))
    ours = load_certificate(next(key["certificate"] for key in shown["sp_keys"] if key["state"] == "current"))
    expected = LogoutExpectation(shown["entity_id"], (ours,), SLO)
    return verify_redirect(urlsplit(address).query, expected, now).message


def logout_query(
    door: SignOn, name_id: str, *indexes: str, key: KeyPair | None = None, **changes: Any
) -> str:
    clock = door.organization.container.environment.clock
    fields: dict[str, Any] = {
        "id": f"_logout{clock.now().timestamp()}",
        "issuer": door.entity_id,
        "destination": f"{door.root}/slo",
        "issued_at": clock.now(),
        "name_id": name_id,
        "name_id_format": EMAIL_FORMAT,
        "session_indexes": indexes,
    }
    pair = key or door.idp
    address = redirect_url(
        f"{door.root}/slo",
        "SAMLRequest",
        LogoutRequest(**{**fields, **changes}).xml(),
        relay_state="back",
        key=SpKey(pair.private_pem, pair.certificate_pem),
    )
    return urlsplit(address).query


def take(door: SignOn, query: str) -> TestResponse:
    return door.browser().get(f"{door.path}/slo?{query}")


# Ours


def test_signing_out_here_tells_the_identity_provider(door: SignOn, clock: FakeClock) -> None:
    browser = door.sign_in(f"ada@{door.domain}", session_index="_s1")
    response = browser.post("/sso/logout", headers={"Origin": BASE})
    assert response.status_code == 303
    message = received(door, response.headers["Location"], clock.now())
    assert isinstance(message, LogoutRequest)
    assert (message.name_id, message.session_indexes) == (f"ada@{door.domain}", ("_s1",))
    assert not is_live(browser)


def test_the_identity_providers_word_that_it_is_done_ends_on_a_page(door: SignOn, clock: FakeClock) -> None:
    done = LogoutResponse(
        id="_done",
        issuer=door.entity_id,
        destination=f"{door.root}/slo",
        issued_at=clock.now(),
        in_response_to="_asked",
    )
    key = SpKey(door.idp.private_pem, door.idp.certificate_pem)
    query = urlsplit(redirect_url(f"{door.root}/slo", "SAMLResponse", done.xml(), key=key)).query
    assert "signed out" in take(door, query).text


# Theirs


def test_the_identity_providers_logout_ends_the_session_it_names(door: SignOn, clock: FakeClock) -> None:
    email = f"ada@{door.domain}"
    one = door.sign_in(email, session_index="_s1")
    two = door.sign_in(email, session_index="_s2")
    response = take(door, logout_query(door, email, "_s1"))
    assert (is_live(one), is_live(two)) == (False, True)
    answer = received(door, response.headers["Location"], clock.now())
    assert isinstance(answer, LogoutResponse)
    assert parse_qs(urlsplit(response.headers["Location"]).query)["RelayState"] == ["back"]


def test_a_logout_without_an_index_ends_every_session_of_the_subject(door: SignOn) -> None:
    email = f"ada@{door.domain}"
    mine = [door.sign_in(email, session_index=index) for index in ("_s1", "_s2")]
    other = door.sign_in(f"bob@{door.domain}")
    take(door, logout_query(door, email))
    assert [is_live(browser) for browser in (*mine, other)] == [False, False, True]


def test_a_session_without_an_index_ends_by_any(door: SignOn) -> None:
    browser = door.sign_in(f"ada@{door.domain}", session_index=None)
    take(door, logout_query(door, f"ada@{door.domain}", "_s9"))
    assert not is_live(browser)


def test_no_other_connection_ends_the_session(door: SignOn, acme: Organization) -> None:
    other = sign_on(acme)
    browser = door.sign_in(f"ada@{door.domain}")
    take(other, logout_query(other, f"ada@{door.domain}"))
    assert is_live(browser)


def unsigned(query: str) -> str:
    return "&".join(part for part in query.split("&") if not part.startswith(("Signature=", "SigAlg=")))


FORGED: dict[str, Callable[[SignOn, str], str]] = {
    "unsigned": lambda door, email: unsigned(logout_query(door, email)),
    "signed by a stranger": lambda door, email: logout_query(door, email, key=key_pair("stranger")),
    "of another identity provider": lambda door, email: logout_query(door, email, issuer="https://other"),
    "for another place": lambda door, email: logout_query(door, email, destination="https://other/slo"),
    "changed afterwards": lambda door, email: logout_query(door, email).replace(
        "RelayState=back", "RelayState=x"
    ),
    "repeated parameter": lambda door, email: logout_query(door, email) + "&SAMLRequest=x",
    "a bomb": lambda *_: (
        "SAMLRequest="
        + base64.b64encode(zlib.compress(b"<" * 10_000_000, 9)[2:-4]).decode().replace("+", "%2B")
    ),
    "nothing": lambda *_: "",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_logout_ends_nothing(door: SignOn, forge: Callable[[SignOn, str], str]) -> None:
    email = f"ada@{door.domain}"
    browser = door.sign_in(email)
    response = take(door, forge(door, email))
    assert response.status_code in (400, 403)
    assert is_live(browser)


def test_a_logout_request_is_obeyed_once(door: SignOn) -> None:
    email = f"ada@{door.domain}"
    query = logout_query(door, email)
    assert take(door, query).status_code == 303
    browser = door.sign_in(email)
    response = take(door, query)
    assert (response.status_code, response.headers["X-Usher-Reason"]) == (403, "logout_replayed")
    assert is_live(browser)


# The connection itself


@pytest.mark.parametrize("way", ["off", "delete"])
def test_a_connection_that_ends_takes_its_sessions_along(door: SignOn, acme: Organization, way: str) -> None:
    browser = door.sign_in(f"ada@{door.domain}")
    path = f"/connections/conn_{door.connection_id}"
    response = acme.api.patch(path, {"mode": "off"}) if way == "off" else acme.api.delete(path)
    assert response.status_code == 200, response.text
    assert not is_live(browser)
    assert door.browser().get(f"{door.path}/login").status_code == (403 if way == "off" else 404)


# Universal Logout


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(door: SignOn, *, key: KeyPair | None = None, header: Any = None, **claims: Any) -> str:
    now = int(door.organization.container.environment.clock.now().timestamp())
    usual = {
        "jti": f"jti{now}{claims}",
        "iss": "https://idp.example",
        "sub": "0oa1",
        "aud": f"{door.root}/universal_logout",
        "iat": now,
        "nbf": now - 300,
        "exp": now + 300,
    }
    names = {"alg": "RS256", "typ": "global-token-revocation+jwt", **(header or {})}
    signed = f"{segment(names)}.{segment({**usual, **claims})}"
    private: Any = load_pem_private_key((key or door.idp).private_pem.encode(), None)
    signature = private.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def by_email(email: str) -> dict[str, Any]:
    return {"sub_id": {"format": "email", "email": email}}


def call(door: SignOn, bearer: str, body: Any) -> int:
    headers = {"Authorization": f"Bearer {bearer}"}
    return door.browser().post(f"{door.path}/universal_logout", json=body, headers=headers).status_code


def test_universal_logout_ends_every_session_of_the_person(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    named = {"sub_id": {"format": "iss_sub", "iss": "https://idp.example", "sub": user_id}}
    for body in (by_email(email), by_email(email.upper()), named):
        mine, other = [door.sign_in(email) for _ in range(2)], door.sign_in(f"bob@{door.domain}")
        assert call(door, token(door, n=json.dumps(body)), body) == 204
        assert [is_live(browser) for browser in (*mine, other)] == [False, False, True]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"header": {"alg": "none"}}, 401),
        ({"header": {"alg": "HS256"}}, 401),
        ({"header": {"typ": "JWT"}}, 401),
        ({"header": {"crit": ["exp"]}}, 401),
        ({"key": key_pair("stranger")}, 401),
        ({"aud": "https://other.example"}, 401),
        ({"iss": "https://other.example"}, 403),
        ({"exp": 1}, 401),
        ({"exp": 2**32}, 401),
        ({"exp": "soon"}, 401),
        ({"jti": None}, 401),
    ],
)
def test_universal_logout_believes_only_its_identity_provider(
    door: SignOn, claims: dict[str, Any], status: int
) -> None:
    email = f"ada@{door.domain}"
    browser = door.sign_in(email)
    assert call(door, token(door, **claims), by_email(email)) == status
    assert is_live(browser)


@pytest.mark.parametrize("bearer", ["", "x", "a.b.c", "a.b", "é.é.é", "x" * 9000])
def test_what_is_no_token_is_401(door: SignOn, bearer: str) -> None:
    assert call(door, bearer.encode("utf-8").decode("latin-1"), by_email("ada@example.com")) == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"sub_id": {"format": "email"}}, 400),
        ({"sub_id": {"format": "opaque", "id": "x"}}, 422),
        ({"sub_id": {"format": []}}, 422),
        (by_email("nobody@example.com"), 404),
    ],
)
def test_universal_logout_says_what_is_wrong(door: SignOn, body: Any, status: int) -> None:
    assert call(door, token(door), body) == status


def test_a_universal_logout_token_is_good_once(door: SignOn) -> None:
    email = f"ada@{door.domain}"
    door.sign_in(email)
    bearer = token(door)
    assert call(door, bearer, by_email(email)) == 204
    assert call(door, bearer, by_email(email)) == 401


def test_universal_logout_finds_nobody_of_another_connection(door: SignOn, acme: Organization) -> None:
    other = sign_on(acme)
    browser = other.sign_in(f"ada@{other.domain}")
    assert call(door, token(door), by_email(f"ada@{other.domain}")) == 404
    assert is_live(browser)


def test_a_post_binding_identity_provider_gets_a_form(door: SignOn) -> None:
    door.set(sso_binding="post", wants_signed_requests=True)
    response = door.browser().get(f"{door.path}/login")
    assert response.status_code == 200
    assert 'action="https://idp.example/sso"' in response.text
    field = response.text.partition('name="SAMLRequest" value="')[2].partition('"')[0]
    request = etree.fromstring(base64.b64decode(field))
    assert request.xpath("count(//*[local-name()='Signature'])") == 1
    (policy,) = response.headers.getlist("Content-Security-Policy")
    assert "script-src 'self'" in policy
    assert door.browser().get("/sso/submit.js").content_type.startswith("text/javascript")
