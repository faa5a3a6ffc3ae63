"""Signing in from end to end: a connection, its identity provider played by a signer, and browsers."""

import base64
import itertools
import zlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy import insert, update
from werkzeug.test import TestResponse

from app.core.database import metadata
from app.core.ids import edge_id
from app.core.tenancy import lookups
from app.core.tokens import hash_token
from app.sso.models import certificates, connections, domains
from app.sso.saml.certificates import load_certificate
from tests.support.cast import Organization, in_organization
from tests.support.saml_idp import Answer, KeyPair, Scene, encode, key_pair

_numbers = itertools.count(1)
DOMAIN = "acme.example"


@dataclass
class SignOn:
    """One connection of an organization; `domain` is verified."""

    organization: Organization
    connection_id: str
    domain: str
    idp: KeyPair = field(default_factory=lambda: key_pair("idp"))
    entity_id: str = "https://idp.example/metadata"

    @property
    def path(self) -> str:
        return f"/sso/saml/{edge_id('conn', self.connection_id)}"

    @property
    def root(self) -> str:
        return self.organization.container.settings.base_url + self.path

    def browser(self) -> FlaskClient:
        return self.organization.app.test_client()

    def begin(self, browser: FlaskClient, query: str = "") -> tuple[str, str]:
        """Start at the connection's login URL; answers the request's ID and the relay state."""
        response = browser.get(f"{self.path}/login{query}")
        assert response.status_code == 303, response.text
        asked = parse_qs(urlsplit(response.headers["Location"]).query)
        xml = zlib.decompress(base64.b64decode(asked["SAMLRequest"][0]), -15)
        return etree.fromstring(xml).get("ID"), asked["RelayState"][0]

    def scene(self, request_id: str) -> Scene:
        return Scene(
            acs_url=f"{self.root}/acs",
            sp_entity_id=f"{self.root}/metadata",
            idp_entity_id=self.entity_id,
            request_id=request_id,
            now=self.organization.container.environment.clock.now(),
            number=str(next(_numbers)),
            idp=self.idp,
        )

    def message(self, email: str, request_id: str | None, **changes: Any) -> str:
        """A signed response about `email`; without a request it is an unasked one."""
        scene = self.scene(request_id or "")
        told = {"attributes": {"email": (email,)}, "name_id": email, "in_response_to": request_id}
        return encode(scene.signed(scene.answer(**{**told, **changes})))

    def post(self, browser: FlaskClient, message: str, relay_state: str = "") -> TestResponse:
        return browser.post(f"{self.path}/acs", data={"SAMLResponse": message, "RelayState": relay_state})

    def sign_in(
        self, email: str, browser: FlaskClient | None = None, *, query: str = "", **changes: Any
    ) -> FlaskClient:
        """The whole way; answers the browser, which is signed in."""
        used = browser or self.browser()
        request_id, relay_state = self.begin(used, query)
        response = self.post(used, self.message(email, request_id, **changes), relay_state)
        assert response.status_code == 303, (response.text, response.headers)
        fetched = used.get(response.headers["Location"])
        assert fetched.status_code == 303, (fetched.text, fetched.headers)
        return used

    def refusal(self, email: str, **changes: Any) -> tuple[int, str]:
        """Status and reason of a sign-in that is refused by the ACS."""
        browser = self.browser()
        request_id, relay_state = self.begin(browser)
        response = self.post(browser, self.message(email, request_id, **changes), relay_state)
        return response.status_code, response.headers.get("X-Usher-Reason", "")

    def set(self, **columns: Any) -> None:
        """Change the connection's row."""
        with in_organization(self.organization.app, self.organization.id) as services:
            statement = (
                update(connections)
                .where(
                    connections.c.org_id == self.organization.id, connections.c.id == self.connection_id
                )
                .values(**columns)
            )
            _run(services, statement)
            services.commit()


def session_of(browser: FlaskClient) -> TestResponse:
    return browser.get("/sso/session")
