"""Usher and a real identity provider, end to end: `make e2e`.

Two servers and a browser without a screen: it keeps cookies, follows redirects and sends the forms that
pages hold, which is all that the Web Browser SSO profile asks of one.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import httpx2
import pytest
from lxml import html

from tests.idp import simplesamlphp
from tests.idp.simplesamlphp import SimpleSamlPhp
from tests.support.saml_idp import key_pair
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
PASSWORD = "secret"
PEOPLE = {
    f"{name}:{PASSWORD}": {"email": [f"{name}@acme.example"], "groups": ["Sales"], "uid": [f"u-{name}"]}
    for name in ("ada", "bob", *(f"worker{number}" for number in range(4)))
}
MAX_STEPS = 15


@dataclass
class Usher:
    base_url: str
    key: str
    connection: dict[str, Any]

    def api(self, method: str, path: str, body: object = None) -> Any:
        headers = {"x-api-key": self.key}
        with httpx2.Client(base_url=f"{self.base_url}/api/v1", headers=headers) as http:
            response = http.request(method, path, json=body)
        assert response.status_code < 300, response.text
        return response.json()

    def change(self, **changes: Any) -> None:
        self.connection = self.api("PATCH", f"/connections/{self.connection['id']}", changes)

    def certificates(self) -> list[str]:
        """Those that our metadata names, the newest first."""
        return [key["certificate"] for key in self.connection["sp_keys"] if key["state"] != "retired"]


class Browser:
    """Walks from page to page as a person would who presses every button and knows their password."""

    def __init__(self, usher: Usher, name: str) -> None:
        self.usher = usher
        self.name = name
        self.asked_for_password = 0
        self.http = httpx2.Client(follow_redirects=True, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def walk(self, url: str) -> httpx2.Response:
        return self._go_on(self.http.get(url))

    def post(self, url: str) -> httpx2.Response:
        return self._go_on(self.http.post(url, headers={"Origin": self.usher.base_url}))

    def _go_on(self, response: httpx2.Response) -> httpx2.Response:
        for _ in range(MAX_STEPS):
            form = self._form(response)
            if form is None:
                return response
            fields = {name: value or "" for name, value in form.form_values()}
            if "password" in form.fields:
                self.asked_for_password += 1
                fields |= {"username": self.name, "password": PASSWORD}
            action = str(response.url.join(form.action or ""))
            response = self.http.post(action, data=fields)
        raise AssertionError(f"The walk does not end: {response.url}")

    def _form(self, response: httpx2.Response) -> Any:
        if "html" not in response.headers.get("content-type", "") or not response.text:
            return None
        for form in html.fromstring(response.text).forms:
            if not {"password", "SAMLResponse", "SAMLRequest"}.isdisjoint(form.fields.keys()):
                return form
        return None

    def sign_in(self, **query: str) -> None:
        asked = urlencode({"return_to": "/sso/session", **query})
        response = self.walk(f"{self.usher.connection['login_url']}?{asked}")
        assert response.status_code == 200, (response.url, response.text)
        shown = json.loads(response.text) if response.url.path == "/sso/session" else {}
        assert shown.get("user", {}).get("email") == f"{self.name}@acme.example", response.text

    def is_signed_in(self) -> bool:
        return self.http.get(f"{self.usher.base_url}/sso/session").status_code == 200


@pytest.fixture(scope="module")
def idp() -> Iterator[SimpleSamlPhp]:
    with simplesamlphp.running(PEOPLE) as started:
        for name in ("one", "two"):
            started.store_key(name, key_pair(name))
        started.use_key("one")
        yield started


@pytest.fixture(scope="module")
def usher(idp: SimpleSamlPhp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Usher]:
    folder: Path = tmp_path_factory.mktemp("served")
    port = free_port()
    variables = environment(f"sqlite:///{folder}/usher.db", port, USHER_SIGNIN_PER_MINUTE="100000")

    def command(*words: str) -> Any:
        done = subprocess.run(
            [USHER, *words, "--json"], env=variables, cwd=ROOT, capture_output=True, check=True
        )
        return json.loads(done.stdout)

    with running(
        [USHER, "serve", "--upgrade", "--port", str(port)], port, variables, folder / "log"
    ) as server:
        command("org", "create", "acme", "--name", "Acme")
        command("domain", "verify", "--org", "acme", "acme.example", "--manual")
        key = command("api-key", "create", "--org", "acme", "--scope", "admin")["key"]
        made = Usher(server.base_url, key, {})
        made.connection = made.api(
            "POST",
            "/connections",
            {"name": "SimpleSAMLphp", "metadata_xml": idp.metadata(), "jit": True, "mode": "optional"},
        )
        trust(idp, made)
        yield made


def trust(idp: SimpleSamlPhp, usher: Usher, *, encrypted: bool = False) -> None:
    shown = usher.connection
    idp.trust(
        shown["entity_id"],
        acs=shown["acs_url"],
        slo=shown["acs_url"].removesuffix("acs") + "slo",
        certificates=usher.certificates(),
        encrypted=encrypted,
    )


@pytest.fixture
def ada(usher: Usher) -> Iterator[Browser]:
    with Browser(usher, "ada") as browser:
        yield browser


@pytest.fixture
def bob(usher: Usher) -> Iterator[Browser]:
    with Browser(usher, "bob") as browser:
        yield browser


def test_a_login_begun_here_ends_in_a_session(ada: Browser) -> None:
    ada.sign_in()
    assert ada.asked_for_password == 1


def test_a_second_login_is_silent(ada: Browser) -> None:
    ada.sign_in()
    ada.sign_in()
    assert ada.asked_for_password == 1


def test_an_encrypted_assertion_signs_in(idp: SimpleSamlPhp, usher: Usher, ada: Browser) -> None:
    trust(idp, usher, encrypted=True)
    try:
        ada.sign_in()
    finally:
        trust(idp, usher)


def initiated_by(idp: SimpleSamlPhp, usher: Usher) -> str:
    asked = urlencode({"spentityid": usher.connection["entity_id"], "RelayState": "/sso/session"})
    return f"{idp.sso_url}?{asked}"


def test_a_login_begun_at_the_idp_is_begun_anew_from_here(
    idp: SimpleSamlPhp, usher: Usher, ada: Browser
) -> None:
    response = ada.walk(initiated_by(idp, usher))
    assert (response.status_code, response.url.path) == (200, "/sso/session")
    assert ada.asked_for_password == 1
    outcomes = [
        trace["outcome"]
        for trace in usher.api("GET", f"/connections/{usher.connection['id']}/traces?limit=2")["data"]
    ]
    assert outcomes == ["accepted", "bounced"]


def test_a_login_begun_at_the_idp_is_accepted_where_that_is_wanted(
    idp: SimpleSamlPhp, usher: Usher, ada: Browser
) -> None:
    usher.change(idp_initiated="accept")
    try:
        response = ada.walk(initiated_by(idp, usher))
    finally:
        usher.change(idp_initiated="bounce")
    assert (response.status_code, response.url.path) == (200, "/sso/session")


def test_signing_out_here_signs_out_there(usher: Usher, ada: Browser) -> None:
    ada.sign_in()
    response = ada.post(f"{usher.base_url}/sso/logout")
    assert (response.status_code, response.url.path.rpartition("/")[2]) == (200, "slo")
    assert not ada.is_signed_in()
    ada.sign_in()
    assert ada.asked_for_password == 2


def test_signing_out_there_signs_out_here(
    idp: SimpleSamlPhp, usher: Usher, ada: Browser, bob: Browser
) -> None:
    ada.sign_in()
    bob.sign_in()
    ada.walk(f"{idp.url}/saml2/idp/initSLO.php?{urlencode({'RelayState': usher.base_url + '/sso/session'})}")
    assert (ada.is_signed_in(), bob.is_signed_in()) == (False, True)


def test_keys_roll_over_under_continuous_logins_without_a_failure(idp: SimpleSamlPhp, usher: Usher) -> None:
    stop, count = threading.Event(), [0, 0]
    failures: list[str] = []

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                with Browser(usher, f"worker{number}") as browser:
                    browser.sign_in()
                count[number] += 1
            except (AssertionError, httpx2.HTTPError) as error:
                failures.append(repr(error)[:500])

    def some_more() -> None:
        aim = [done + 3 for done in count]
        while (
            not failures
            and all(thread.is_alive() for thread in threads)
            and any(done < wanted for done, wanted in zip(count, aim, strict=True))
        ):
            stop.wait(0.05)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(count))]
    for thread in threads:
        thread.start()
    try:
        some_more()
        # The identity provider's key: announced, learnt, used, and the old one forgotten.
        idp.use_key("one", "two")
        usher.change(metadata_xml=idp.metadata())
        some_more()
        idp.use_key("two")
        some_more()
        usher.change(metadata_xml=idp.metadata())
        some_more()
        # Ours: published beside the current one, learnt, and only then used to sign.
        usher.connection = usher.api("POST", f"/connections/{usher.connection['id']}/sp_keys")
        trust(idp, usher, encrypted=True)
        some_more()
        usher.connection = usher.api("POST", f"/connections/{usher.connection['id']}/sp_keys/promote")
        some_more()
        trust(idp, usher, encrypted=True)
        some_more()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert min(count) >= 21
