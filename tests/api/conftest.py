"""Two organizations and their keys, spoken to through the real application."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, schema
from app.core.context import OPERATOR, Caller
from app.core.ids import Uuid7Factory, edge_id
from app.directory.credentials import CredentialService
from app.directory.groups import GroupService, MemberChange
from app.directory.organizations import OrganizationService
from app.directory.users import UserService
from app.settings import Settings
from app.wiring import Services

ROOT = "/api/v1"


class Office:
    """One organization: makes people and groups as the IdP would, and calls the API with its keys."""

    def __init__(self, app: Flask, name: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.container = app.extensions["usher"]
        self._keys: dict[tuple[str, ...], str] = {}
        with self.container.begin(write=True, caller=Caller(OPERATOR, "test-setup")) as services:
            slug = f"{name}-{Uuid7Factory().new()}"
            self.org_id: str = services.get(OrganizationService).create(slug, name.title())
            services.commit()

    @contextmanager
    def services(self) -> Iterator[Services]:
        with self.container.begin(write=True, caller=Caller(OPERATOR, "test-request")) as services:
            services.uow.enter(self.org_id)
            yield services
            services.commit()

    def key(self, *scopes: str) -> str:
        if scopes not in self._keys:
            with self.services() as services:
                _, self._keys[scopes] = services.get(CredentialService).create("api_key", "test", scopes)
        return self._keys[scopes]

    def scim_token(self) -> str:
        with self.services() as services:
            return services.get(CredentialService).create("scim_token", "okta", ())[1]

    def user(self, name: str, **attributes: Any) -> str:
        """The prefixed id of a new person `name`@example.com."""
        mail = f"{name}@example.com"
        known = {"userName": mail, "displayName": name, "emails": [{"value": mail, "primary": True}]}
        with self.services() as services:
            id_ = services.get(UserService).create({**known, **attributes}, active=True)
        return edge_id("user", id_)

    def group(self, name: str, members: Sequence[str] = ()) -> str:
        bare = [member.removeprefix("user_") for member in members]
        with self.services() as services:
            return edge_id("group", services.get(GroupService).create({"displayName": name}, bare))

    def join(self, group_id: str, *user_ids: str) -> None:
        change = MemberChange(add=[user_id.removeprefix("user_") for user_id in user_ids])
        with self.services() as services:
            services.get(GroupService).update(group_id.removeprefix("group_"), members=change)

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
        made: dict[str, Any] = response.json
        return made


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path: Path = tmp_path_factory.mktemp("api") / "usher.db"
    made = Settings(database_url=f"sqlite:///{path}", secret_key="s" * 32, api_per_second=500, log_level="error")
    schema.upgrade(made)
    return made


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings)
    if "api" not in made.blueprints:
        from app.api.routes import blueprint
        from app.web import transaction
        made.register_blueprint(blueprint)
        for name, view in list(made.view_functions.items()):
            if name.startswith("api."):
                made.view_functions[name] = transaction._transactional(made, view, made.extensions["usher"].begin)
    yield made
    made.extensions["usher"].database.dispose()


@pytest.fixture
def acme(app: Flask) -> Office:
    return Office(app, "acme")


@pytest.fixture
def globex(app: Flask) -> Office:
    return Office(app, "globex")


@pytest.fixture
def problem() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is the wanted problem and gives its body."""

    def check(response: TestResponse, status: int, code: str) -> dict[str, Any]:
        assert response.status_code == status, response.get_data(as_text=True)
        assert response.content_type == "application/problem+json"
        body: dict[str, Any] = response.json
        assert set(body) == {"type", "title", "status", "code", "detail", "request_id"}
        assert (body["status"], body["code"]) == (status, code), body
        assert body["request_id"] == response.headers["X-Request-Id"]
        return body

    return check
