"""Two organizations and their keys, spoken to through the real application."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.core.ids import edge_id
from app.directory.groups import GroupService
from app.directory.users import UserService
from app.settings import Settings
from app.wiring import Services
from tests.support.cast import create_organization, in_organization, json_of

ROOT = "/api/v1"


class Office:
    """One organization: makes people and groups as the IdP would, and calls the API with its keys."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.organization = create_organization(app)
        self.org_id = self.organization.id

    @contextmanager
    def services(self) -> Iterator[Services]:
        with in_organization(self.organization.app, self.org_id) as services:
            yield services
            services.commit()

    def key(self, *scopes: str) -> str:
        client = self.organization.api if scopes == ("admin",) else self.organization.api_with(*scopes)
        return str(client.token)

    def user(self, name: str, **attributes: Any) -> str:
        """The prefixed id of a new person `name`@example.com."""
        mail = f"{name}@example.com"
        known = {"userName": mail, "displayName": name, "emails": [{"value": mail, "primary": True}]}
        with self.services() as services:
            made = services.get(UserService).create({**known, **attributes}, active=True)
        return edge_id("user", made.id)

    def group(self, name: str, members: Sequence[str] = ()) -> str:
        bare = [member.removeprefix("user_") for member in members]
        with self.services() as services:
            return edge_id("group", services.get(GroupService).create({"displayName": name}, bare))

    def call(
        self,
        method: str,
        path: str,
        *,
        scopes: Sequence[str] = ("admin",),
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> TestResponse:
        given = {"Authorization": f"Bearer {self.key(*scopes)}", **(headers or {})}
        return self.client.open(ROOT + path, method=method, headers=given, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        body = {} if json is None else {"json": json}
        return self.call("POST", path, **body, **options)

    def role(self, name: str = "engineer", **fields: Any) -> dict[str, Any]:
        response = self.post("/roles", {"name": name, **fields})
        assert response.status_code == 201, response.json
        made: dict[str, Any] = json_of(response)
        return made


def furnish(office: Office) -> Office:
    role = office.role()["id"]
    group = office.group("eng", [office.user("ada")])
    office.post("/group_mappings", {"group_id": group, "role_id": role})
    office.post("/scim_tokens", {"name": "spare"})
    office.post("/api_keys", {"name": "spare", "scopes": ["audit:read"]})
    return office


@pytest.fixture
def acme(app: Flask) -> Office:
    """The organization that a test is about."""
    return Office(app)


@pytest.fixture
def globex(app: Flask) -> Office:
    """Another organization, which must never see or touch acme's."""
    return Office(app)


@pytest.fixture
def furnished(acme: Office) -> Office:
    """An organization with one of each: a person with a seat by group and role, a token, a key."""
    return furnish(acme)


@pytest.fixture(scope="session")
def described(app: Flask) -> Any:
    """The OpenAPI document as a maker of requests; the keys are the test's own, a made-up one is 401."""
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    return schemathesis.openapi.from_wsgi(f"{ROOT}/openapi.json", app, config=config)


@pytest.fixture
def limited(settings: Settings) -> Iterator[Office]:
    """An organization on a server that lets a key ask twice at once."""
    app = create_app(replace(settings, api_per_second=1))
    yield Office(app)
    app.extensions["usher"].database.dispose()


@pytest.fixture
def problem() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is the wanted problem and gives its body."""

    def check(response: TestResponse, status: int, code: str) -> dict[str, Any]:
        assert response.status_code == status, response.get_data(as_text=True)
        assert response.content_type == "application/problem+json"
        body: dict[str, Any] = json_of(response)
        assert set(body) == {"type", "title", "status", "code", "detail", "request_id"}
        assert (body["status"], body["code"]) == (status, code), body
        assert body["request_id"] == response.headers["X-Request-Id"]
        return body

    return check
