"""Signing in by OpenID Connect from end to end: a connection, its provider in this process, and browsers."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.sso.domains import DomainService
from app.sso.models import connections
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock, FakeFetch
from tests.support.oidc_idp import CLIENT_ID, CLIENT_SECRET, OidcIdp

_numbers = itertools.count(1)

Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass
class OidcSignOn:
    """One connection of an organization; `domain` is verified."""

    organization: Organization
    connection_id: str
    domain: str
    idp: OidcIdp

    @property
    def path(self) -> str:
        return f"/sso/oidc/{edge_id('conn', self.connection_id)}"

    def browser(self) -> FlaskClient:
        return self.organization.app.test_client()

    def told(self, name: str = "ada") -> dict[str, Any]:
        """What an honest provider says of somebody."""
        return {"sub": f"sub-{name}", "email": f"{name}@{self.domain}", "email_verified": True}

    def begin(self, browser: FlaskClient, query: str = "") -> str:
        """Start at the connection's login URL; answers where the browser is sent."""
        response = browser.get(f"{self.path}/login{query}")
        assert response.status_code == 303, response.text
        return response.headers["Location"]

    def come_back(self, browser: FlaskClient, query: Query) -> TestResponse:
        return browser.get(f"{self.path}/callback?{urlencode(query)}")

    def answer(self, browser: FlaskClient, query: str = "", **claims: Any) -> dict[str, str]:
        """Begin, and sign in at the provider; answers what the browser is to bring back."""
        return self.idp.authorize(self.begin(browser, query), **{**self.told(), **claims})

    def sign_in(self, name: str = "ada", browser: FlaskClient | None = None, **claims: Any) -> FlaskClient:
        """The whole way; answers the browser, which is signed in."""
        used = browser or self.browser()
        response = self.come_back(used, self.answer(used, **{**self.told(name), **claims}))
        assert response.status_code == 303, (response.text, response.headers)
        return used

    def refusal(self, **claims: Any) -> tuple[int, str | None]:
        browser = self.browser()
        return reason(self.come_back(browser, self.answer(browser, **claims)))

    def log_out(self, token: str) -> TestResponse:
        return self.browser().post(f"{self.path}/backchannel-logout", data={"logout_token": token})

    def set(self, **columns: Any) -> None:
        """Change the connection's row."""
        with in_organization(self.organization.app, self.organization.id) as services:
            mine = (connections.c.org_id == ORG_ID, connections.c.id == self.connection_id)
            services.uow.execute(update(connections).where(*mine).values(**columns))
            services.commit()

    def traces(self) -> list[dict[str, Any]]:
        path = f"/connections/{edge_id('conn', self.connection_id)}/traces?limit=100"
        found: list[dict[str, Any]] = json_of(self.organization.api.get(path))["data"]
        return found


def reason(response: TestResponse) -> tuple[int, str | None]:
    return response.status_code, response.headers.get("X-Usher-Reason")


def new_idp(organization: Organization, issuer: str | None = None) -> OidcIdp:
    environment = organization.container.environment
    made = OidcIdp(
        cast("FakeFetch", environment.fetch),
        cast("FakeClock", environment.clock),
        issuer or f"https://idp-{next(_numbers)}.example",
    )
    made.publish()
    return made


def oidc_sign_on(
    organization: Organization,
    *,
    issuer: str | None = None,
    prepare: Callable[[OidcIdp], None] | None = None,
    **fields: Any,
) -> OidcSignOn:
    """A connection with a verified domain of its own; `prepare` may change what the provider publishes."""
    name = f"oidc-people-{next(_numbers)}.example"
    made = OidcSignOn(organization, "", name, new_idp(organization, issuer))
    if prepare is not None:
        prepare(made.idp)
    with in_organization(organization.app, organization.id) as services:
        services.get(DomainService).verify_by_operator(name)
        services.commit()
    usual = {
        "name": "Test",
        "protocol": "oidc",
        "issuer": made.idp.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "mode": "optional",
        "jit": True,
    }
    response = organization.api.post("/connections", {**usual, **fields})
    assert response.status_code == 201, response.text
    made.connection_id = json_of(response)["id"].removeprefix("conn_")
    return made
