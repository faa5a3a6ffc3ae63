"""Usher and a real OpenID provider, end to end: `make e2e`.

Usher runs in this process, so that its guarded fetch may reach this one provider on this machine: everything
else about it, TLS too, is as always.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import httpx2
import pytest
from lxml import html
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from app.core.guarded_fetch import GuardedFetch
from app.settings import Settings
from app.sso.domains import DomainService
from app.wiring import Environment
from tests.idp import oidc_provider
from tests.idp.oidc_provider import OidcProvider
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.databases import migrated
from tests.support.server import environment, free_port

MAX_STEPS = 15


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Say nothing."""


@dataclass
class Usher:
    base_url: str
    organization: Organization
    connection: dict[str, Any]
    provider: OidcProvider

    def api(self, method: str, path: str, body: object = None) -> Any:
        response = self.organization.api.request(method, path, body)
        assert response.status_code < 300, response.text
        return json_of(response)

    def traces(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api("GET", f"/connections/{self.connection['id']}/traces")["data"]
        return found


class Browser:
    """Walks from page to page as a person would who presses every button and knows their password."""

    def __init__(self, usher: Usher, name: str) -> None:
        self.usher = usher
        self.name = name
        self.asked_for_password = 0
        self.http = httpx2.Client(follow_redirects=True, timeout=30, verify=usher.provider.trust)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def walk(self, response: httpx2.Response) -> httpx2.Response:
        for _ in range(MAX_STEPS):
            form = self._form(response)
            if form is None:
                return response
            fields = {name: value or "" for name, value in form.form_values()}
            if "password" in form.fields:
                self.asked_for_password += 1
                fields |= {"login": self.name, "password": "any"}
            if form.get("id") == "op.logoutForm":
                fields |= {"logout": "yes"}
            response = self.http.post(str(response.url.join(form.action or "")), data=fields)
        raise AssertionError(f"The walk does not end: {response.url}")

    def _form(self, response: httpx2.Response) -> Any:
        is_theirs = str(response.url).startswith(self.usher.provider.issuer)
        forms = html.fromstring(response.text).forms if is_theirs and response.text else []
        return forms[0] if forms else None

    def sign_in(self) -> dict[str, Any]:
        asked = urlencode({"return_to": "/sso/session"})
        response = self.walk(self.http.get(f"{self.usher.connection['login_url']}?{asked}"))
        assert response.url.path == "/sso/session", (response.url, response.text, self.usher.traces()[:1])
        shown: dict[str, Any] = json.loads(response.text)
        assert shown["user"]["email"] == f"{self.name}@acme.example"
        return shown

    def is_signed_in(self) -> bool:
        return self.http.get(f"{self.usher.base_url}/sso/session").status_code == 200


@pytest.fixture(scope="module", params=["generous", "conform"])
def provider(request: pytest.FixtureRequest) -> Iterator[OidcProvider]:
    with oidc_provider.running(conform=request.param == "conform") as started:
        yield started


@pytest.fixture(scope="module")
def usher(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Usher]:
    port = free_port()
    url = f"sqlite:///{tmp_path_factory.mktemp('served')}/usher.db"
    settings = migrated(Settings.from_environment(environment(url, port)))
    fetch = GuardedFetch(is_allowed=lambda address: address == "127.0.0.1", tls=provider.trust)
    app = create_app(settings, Environment(fetch=fetch))
    organization = create_organization(app)
    with in_organization(app, organization.id) as services:
        services.get(DomainService).verify_by_operator("acme.example")
        services.commit()
    made = Usher(settings.base_url, organization, {}, provider)
    # As with any provider: it must know the addresses of a connection before it gives the credentials.
    connection = {"name": "oidc-provider", "protocol": "oidc", "issuer": provider.issuer, "jit": True}
    unknown = {"client_id": "none yet", "client_secret": "none yet", "mode": "optional"}
    made.connection = made.api("POST", "/connections", {**connection, **unknown})
    made.api("PATCH", f"/connections/{made.connection['id']}", provider.register(made.connection))
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        organization.container.database.dispose()


@pytest.fixture
def ada(usher: Usher) -> Iterator[Browser]:
    with Browser(usher, "ada") as browser:
        yield browser


@pytest.fixture
def bob(usher: Usher) -> Iterator[Browser]:
    with Browser(usher, "bob") as browser:
        yield browser


def test_a_login_begun_here_ends_in_a_session_with_the_groups_of_the_provider(
    usher: Usher, ada: Browser
) -> None:
    ada.sign_in()
    assert ada.asked_for_password == 1
    groups = {group["display_name"] for group in usher.api("GET", "/groups")["data"]}
    assert groups == {"Sales", "Tools"}
    assert (usher.traces()[0]["outcome"], usher.traces()[0]["received"]) == ("accepted", "2 groups")


def test_a_second_login_is_silent(ada: Browser) -> None:
    first, second = ada.sign_in(), ada.sign_in()
    assert first["user"] == second["user"]
    assert ada.asked_for_password == 1


def test_a_login_that_is_denied_says_so(usher: Usher, ada: Browser) -> None:
    login = ada.http.get(usher.connection["login_url"])
    (link,) = html.fromstring(login.text).xpath("//a[contains(@href, 'abort')]/@href")
    refused = ada.http.get(str(login.url.join(link)))
    assert (refused.status_code, refused.headers["X-Usher-Reason"]) == (403, "provider_refused")
    assert "access_denied" in usher.traces()[0]["received"]


def test_signing_out_here_signs_out_there_and_comes_back(usher: Usher, ada: Browser) -> None:
    ada.sign_in()
    left = ada.http.post(f"{usher.base_url}/sso/logout", headers={"Origin": usher.base_url})
    response = ada.walk(left)
    assert (response.status_code, str(response.url)) == (200, f"{usher.base_url}/sso/logout")
    assert not ada.is_signed_in()
    ada.sign_in()
    assert ada.asked_for_password == 2


def test_signing_out_there_signs_out_here(
    usher: Usher, provider: OidcProvider, ada: Browser, bob: Browser
) -> None:
    """The provider posts a logout token to us while its own page is being shown."""
    ada.sign_in()
    bob.sign_in()
    ada.walk(ada.http.get(f"{provider.issuer}/session/end"))
    assert (ada.is_signed_in(), bob.is_signed_in()) == (False, True)
    events = usher.api("GET", "/audit/events?limit=1000")["data"]
    reasons = [event["data"]["reason"] for event in events if event["action"] == "session.ended"]
    assert "single_logout" in reasons
