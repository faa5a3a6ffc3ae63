"""An application that people sign in to: its own side of OpenID Connect, written apart from Usher's."""

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from app.core.guarded_fetch import Answered
from tests.support.cast import Organization, json_of

_numbers = itertools.count(1)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Listener:
    """Where an application takes logout tokens, and what it has got; `status` is what it answers."""

    status: int = 204
    got: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0

    def __call__(self, method: str, headers: Mapping[str, str], body: bytes) -> Answered:
        assert (method, headers["Content-Type"]) == ("POST", FORM)
        self.asked += 1
        if self.status == 204:
            self.got.append(dict(parse_qsl(body.decode())))
        return Answered(self.status, b"")


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answer_in(response: TestResponse) -> dict[str, str]:
    """What a redirect back to an application tells it."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


@dataclass
class Application:
    """A registered application; `secret` is null for a public one."""

    organization: Organization
    id: str
    secret: str | None
    redirect_uri: str
    verifier: str = field(default_factory=lambda: f"verifier-{next(_numbers):035}-._~")

    @property
    def issuer(self) -> str:
        return self.organization.container.settings.base_url

    def query(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an ordinary request; null leaves one out."""
        usual: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": "a state",
            "nonce": "a-nonce",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def ask(self, browser: FlaskClient, **changes: str | None) -> TestResponse:
        return browser.get(f"/oauth/authorize?{urlencode(self.query(**changes))}")

    def code(self, browser: FlaskClient, **changes: str | None) -> str:
        answer = answer_in(self.ask(browser, **changes))
        assert "code" in answer, answer
        return answer["code"]

    def form(self, code: str, **changes: str | None) -> dict[str, str]:
        usual: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        if self.secret is None:
            usual["client_id"] = self.id
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def basic(self, secret: str | None = None) -> dict[str, str]:
        shown = secret or self.secret
        if shown is None:
            return {}
        text = base64.b64encode(f"{self.id}:{shown}".encode()).decode()
        return {"Authorization": f"Basic {text}"}

    def post(
        self, path: str, form: dict[str, str] | str, headers: dict[str, str] | None = None
    ) -> TestResponse:
        body = form if isinstance(form, str) else urlencode(form)
        shown = self.basic() if headers is None else headers
        return self.organization.app.test_client().post(path, data=body, headers=shown, content_type=FORM)

    def redeem(self, code: str, headers: dict[str, str] | None = None, **changes: str | None) -> TestResponse:
        return self.post("/oauth/token", self.form(code, **changes), headers)

    def tokens(self, browser: FlaskClient, **changes: str | None) -> dict[str, Any]:
        """The whole way; answers what the token endpoint answered."""
        response = self.redeem(self.code(browser, **changes))
        assert response.status_code == 200, response.text
        found: dict[str, Any] = json_of(response)
        return found

    def introspect(self, token: str) -> dict[str, Any]:
        response = self.post("/oauth/introspect", {"token": token})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = json_of(response)
        return found

    def user_info(self, token: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self.organization.app.test_client().get("/oauth/userinfo", headers=headers)

    def claims(self, token: str, type_: str = "JWT") -> dict[str, Any]:
        """The claims of a token that the published keys signed."""
        keys = KeySet.import_key_set(json_of(self.organization.app.test_client().get("/oauth/jwks")))
        decoded = jwt.decode(token, keys, algorithms=["RS256"])
        assert decoded.header["typ"] == type_
        return dict(decoded.claims)


def register(organization: Organization, **fields: Any) -> Application:
    redirect_uri = f"https://tool-{next(_numbers)}.example/callback"
    usual = {"name": "Tool", "redirect_uris": [redirect_uri]}
    response = organization.api.post("/applications", usual | fields)
    assert response.status_code == 201, response.text
    made = json_of(response)
    return Application(organization, made["client_id"], made["client_secret"], made["redirect_uris"][0])


def way_back(response: TestResponse) -> str:
    """Where somebody comes back to who was sent to sign in."""
    asked = parse_qs(urlsplit(response.headers["Location"]).query)
    return asked["return_to"][0]
