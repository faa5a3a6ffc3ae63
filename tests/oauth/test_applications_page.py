"""`docs/applications.md`: its tool signs people in, learns of their end, and is as it stands on the page."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings
from app.wiring import Environment
from tests.support.application import Listener, register
from tests.support.cast import Organization, create_organization
from tests.support.fakes import FakeFetch
from tests.support.server import ROOT
from tests.support.sign_on import SignOn, sign_on

PAGE = (ROOT / "docs/applications.md").read_text()
EXAMPLE = PAGE.split("<!-- example -->\n```python\n")[1].split("```")[0]
TOOL = "http://localhost"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """A test needs no access log."""


@dataclass
class Scene:
    """The page's tool, before Usher on a port, with a way to sign in."""

    acme: Organization
    door: SignOn
    listener: Listener
    tool: FlaskClient

    def open(self, browser: FlaskClient) -> tuple[int, str]:
        """Open the tool, and follow it to Usher and back as a browser does."""
        response = self.tool.get("/")
        if response.status_code == 302:
            sent = urlsplit(response.headers["Location"])
            back = urlsplit(browser.get(f"{sent.path}?{sent.query}").headers["Location"])
            response = self.tool.get(f"{back.path}?{back.query}")
        return response.status_code, response.text


@pytest.fixture
def scene(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with WSGIServer(("127.0.0.1", 0), _Quiet) as server:
        fetch = FakeFetch()
        base_url = f"http://127.0.0.1:{server.server_port}"
        app = create_app(replace(settings, base_url=base_url), Environment(fetch=fetch))
        server.set_app(app)
        thread = Thread(target=server.serve_forever)
        thread.start()
        acme = create_organization(app)
        logout = f"https://tool-{acme.slug}.example/backchannel-logout"
        listener = fetch.endpoints[logout] = Listener()
        made = register(acme, redirect_uris=[f"{TOOL}/callback"], backchannel_logout_uri=logout)
        monkeypatch.setenv("USHER_URL", base_url)
        monkeypatch.setenv("CLIENT_ID", made.id)
        monkeypatch.setenv("CLIENT_SECRET", made.secret or "")
        monkeypatch.setenv("TOOL_SECRET_KEY", "of the tool")
        names: dict[str, Any] = {"__name__": "tool"}
        exec(compile(EXAMPLE, "docs/applications.md", "exec"), names)
        yield Scene(acme, sign_on(acme), listener, names["app"].test_client())
        server.shutdown()
        thread.join()
        app.extensions["usher"].database.dispose()


def test_the_page_s_tool_signs_in_who_has_a_seat_and_out_who_is_taken_away(scene: Scene) -> None:
    acme, email = scene.acme, f"ada@{scene.door.domain}"
    user_id = acme.scim.create_user(email, displayName="Ada")
    browser = scene.door.sign_in(email)
    assert scene.open(browser) == (403, "Usher says: This person has no seat.")
    acme.map_group(acme.scim.create_group(members=[user_id]))
    greeting = (200, f"Ada of {acme.slug}: member")
    assert scene.open(browser) == greeting
    # From its own session, without asking anew.
    assert scene.open(scene.door.browser()) == greeting
    acme.scim.set_active(user_id, False)
    while acme.work():
        pass
    (form,) = scene.listener.got
    assert scene.tool.post("/backchannel-logout", data=form).status_code == 204
    sent = urlsplit(scene.tool.get("/").headers["Location"])
    assert sent.path == "/oauth/authorize"
    assert urlsplit(browser.get(f"{sent.path}?{sent.query}").headers["Location"]).path == "/sso/login"
