"""Signing in from end to end: a connection, its identity provider played by a signer, and browsers."""

import base64
import itertools
import zlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.sso.domains import DomainService
from app.sso.models import connections
from tests.support.cast import Organization, in_organization, json_of
from tests.support.saml_idp import KeyPair, Scene, encode, key_pair

_numbers = itertools.count(1)


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
            mine = (connections.c.org_id == ORG_ID, connections.c.id == self.connection_id)
            services.uow.execute(update(connections).where(*mine).values(**columns))
            services.commit()


def sign_on(organization: Organization, domain: str | None = None, **fields: Any) -> SignOn:
    """A connection with a verified domain of its own; `fields` differ from the usual connection."""
    name = domain or f"people-{next(_numbers)}.example"
    made = SignOn(organization, "", name)
    with in_organization(organization.app, organization.id) as services:
        services.get(DomainService).verify_by_operator(name)
        services.commit()
    usual = {
        "name": "Test",
        "idp_entity_id": made.entity_id,
        "sso_url": "https://idp.example/sso",
        "certificates": [made.idp.certificate_pem],
        "mode": "optional",
        "jit": True,
    }
    response = organization.api.post("/connections", {**usual, **fields})
    assert response.status_code == 201, response.text
    made.connection_id = json_of(response)["id"].removeprefix("conn_")
    return made


def session_of(browser: FlaskClient) -> TestResponse:
    return browser.get("/sso/session")
