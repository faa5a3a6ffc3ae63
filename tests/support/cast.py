"""The standing cast: organizations with a SCIM client and API clients, over the real application."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.context import OPERATOR, Caller
from app.core.ids import edge_id
from app.directory.credentials import CredentialService
from app.directory.organizations import OrganizationService
from app.scim.protocol.constants import GROUP, PATCH_OP, USER
from app.wiring import Container, Services, build_worker

_numbers = itertools.count(1)


def json_of(response: TestResponse) -> Any:
    """The parsed body; fails when there is none."""
    body = response.get_json()
    assert body is not None, response.text
    return body


@dataclass
class HttpClient:
    """Speaks JSON with one credential."""

    app: Flask
    token: str | None
    root: str
    content_type: str

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        data = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        options.setdefault("content_type", self.content_type if data is not None else None)
        return self.app.test_client().open(
            self.root + path, method=method, data=data, headers=headers, **options
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.request("POST", path, body, **options)

    def put(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self.request("PUT", path, body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self.request("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)


class ScimClient(HttpClient):
    def create_user(self, user_name: str | None = None, **attributes: Any) -> str:
        """Create a user over SCIM and answer the id."""
        name = user_name or f"person{next(_numbers)}@example.com"
        response = self.post("/Users", {"schemas": [USER], "userName": name, **attributes})
        assert response.status_code == 201, response.text
        return str(json_of(response)["id"])

    def create_group(self, display_name: str | None = None, members: Sequence[str] = ()) -> str:
        """Create a group over SCIM and answer the id."""
        name = display_name or f"Group {next(_numbers)}"
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": id_} for id_ in members]}
        response = self.post("/Groups", body)
        assert response.status_code == 201, response.text
        return str(json_of(response)["id"])

    def patch_operations(self, path: str, *operations: dict[str, Any], **options: Any) -> TestResponse:
        return self.patch(path, {"schemas": [PATCH_OP], "Operations": list(operations)}, **options)

    def set_active(self, user_id: str, active: Any) -> TestResponse:
        operation = {"op": "replace", "value": {"active": active}}
        return self.patch_operations(f"/Users/{user_id}", operation)

    def add_members(self, group_id: str, *user_ids: str) -> TestResponse:
        value = [{"value": user_id} for user_id in user_ids]
        return self.patch_operations(f"/Groups/{group_id}", {"op": "add", "path": "members", "value": value})

    def remove_members(self, group_id: str, *user_ids: str) -> TestResponse:
        value = [{"value": user_id} for user_id in user_ids]
        return self.patch_operations(
            f"/Groups/{group_id}", {"op": "remove", "path": "members", "value": value}
        )


@dataclass
class Organization:
    """One customer: `scim` is its identity provider, `api` an administrator with every right."""

    app: Flask
    id: str
    slug: str
    scim: ScimClient
    api: HttpClient
    _keys: dict[tuple[str, ...], HttpClient] = field(default_factory=dict)

    @property
    def container(self) -> Container:
        found: Container = self.app.extensions["usher"]
        return found

    def work(self) -> bool:
        """Let the worker take this organization's turn; other tests' organizations have theirs."""
        return build_worker(self.container).serve(self.id)

    def api_with(self, *scopes: str) -> HttpClient:
        """An API client whose key has just these scopes."""
        if scopes not in self._keys:
            self._keys[scopes] = _api_client(self.app, self.id, scopes)
        return self._keys[scopes]

    def map_group(self, group_id: str, role: str = "member", **fields: Any) -> str:
        """Give a group a role by its name; answers the mapping's id."""
        body = {"group_id": edge_id("group", group_id), "role_id": self.role_id(role), **fields}
        response = self.api.post("/group_mappings", body)
        assert response.status_code == 201, response.text
        return str(json_of(response)["id"])

    def role_id(self, name: str) -> str:
        listed = json_of(self.api.get("/roles?limit=1000"))["data"]
        return str(next(role["id"] for role in listed if role["name"] == name))

    def seat_state(self, user_id: str) -> str | None:
        """What REST shows of the person's seat: a state, or null when never seated."""
        response = self.api.get(f"/users/{edge_id('user', user_id)}")
        assert response.status_code == 200, response.text
        state: str | None = json_of(response)["seat_state"]
        return state

    def audit_actions(self, target_id: str | None = None) -> list[str]:
        """The actions of the audit feed in order, of one user or of all."""
        path = "/audit/events?limit=1000"
        if target_id is not None:
            path += f"&target_id={edge_id('user', target_id)}"
        return [entry["action"] for entry in json_of(self.api.get(path))["data"]]


def create_organization(app: Flask, slug: str | None = None) -> Organization:
    """A fresh organization of its own, so that tests share a database and nothing else."""
    container: Container = app.extensions["usher"]
    with container.begin(write=True, caller=Caller(OPERATOR, "test")) as services:
        name = slug or f"org-{services.uow.ids.new()}"
        org_id = services.get(OrganizationService).create(name, name.title())
        services.commit()
    with in_organization(app, org_id) as services:
        _, scim_token = services.get(CredentialService).create_scim_token("test")
        services.commit()
    scim = ScimClient(app, scim_token, "/scim/v2", "application/scim+json")
    return Organization(app, org_id, name, scim, _api_client(app, org_id, ("admin",)))


def in_organization(app: Flask, org_id: str, write: bool = True) -> Any:
    """Services inside a transaction of the organization, for looking behind the doors."""
    container: Container = app.extensions["usher"]
    return _Entered(container.begin(write=write, caller=Caller(OPERATOR, "test")), org_id)


class _Entered:
    def __init__(self, opened: Any, org_id: str) -> None:
        self._opened = opened
        self._org_id = org_id

    def __enter__(self) -> Services:
        services: Services = self._opened.__enter__()
        services.uow.enter(self._org_id)
        return services

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)


def _api_client(app: Flask, org_id: str, scopes: Sequence[str]) -> HttpClient:
    with in_organization(app, org_id) as services:
        _, key = services.get(CredentialService).create_api_key("test", scopes)
        services.commit()
    return HttpClient(app, key, "/api/v1", "application/json")
