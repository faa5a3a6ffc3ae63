"""An organization with somebody who may spend, and a gateway that asks."""

from typing import Any

from werkzeug.test import TestResponse

from app.core.ids import edge_id
from app.spend.check import SpendCheck
from tests.support.cast import Organization, in_organization, json_of

ESTIMATE = {"input_tokens": 1_000, "output_tokens": 1_000}
# What such a call of Sonnet 4.6 can cost at most: 0.006 for what goes in, 0.015 for what comes out.
HELD = "0.021"


class Till:
    """One organization's gateway and administrator."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.api = organization.api
        self.gateway = organization.api_with("spend:authorize")

    def hire(self, limits: dict[str, str] | None = None, **role: Any) -> tuple[str, str]:
        """Somebody with a seat by a role with these limits; answers the user's and the group's bare id."""
        user_id = self.organization.scim.create_user()
        group_id = self.organization.scim.create_group(members=[user_id])
        name = f"role {group_id}"
        spend_limits = [{"window": window, "amount_usd": amount} for window, amount in (limits or {}).items()]
        body = {"name": name, "surfaces": ["code", "chat"], "spend_limits": spend_limits, **role}
        assert self.api.post("/roles", body).status_code == 201
        self.organization.map_group(group_id, name)
        return user_id, group_id

    def ask(self, user_id: str, **fields: Any) -> TestResponse:
        body = {"user": {"id": edge_id("user", user_id)}, "surface": "code", "model": "claude-sonnet-4-6"}
        if "max_cost_usd" not in fields:
            body["estimate"] = ESTIMATE
        headers = fields.pop("headers", {})
        return self.gateway.post("/authorizations", {**body, **fields}, headers=headers)

    def allowed(self, user_id: str, **fields: Any) -> Any:
        response = self.ask(user_id, **fields)
        assert response.status_code == 201, response.text
        return json_of(response)

    def refused(self, status: int, code: str, user_id: str, **fields: Any) -> Any:
        response = self.ask(user_id, **fields)
        assert (response.status_code, json_of(response).get("code")) == (status, code), response.text
        return json_of(response)

    def settle(self, authorization: Any, **body: Any) -> TestResponse:
        return self.gateway.post(f"/authorizations/{authorization['id']}/settle", body)

    def void(self, authorization: Any) -> TestResponse:
        return self.gateway.post(f"/authorizations/{authorization['id']}/void")

    def limit(self, scope: str, id_: str, amount: str, **fields: Any) -> None:
        prefixed = edge_id({"user": "user", "group": "group", "organization": "org"}[scope], id_)
        body = {"scope": {"type": scope, "id": prefixed}, "window": "monthly", "amount_usd": amount}
        response = self.api.post("/spend_limits", {**body, **fields})
        assert response.status_code == 201, response.text

    def limit_everybody(self, amount: str, **fields: Any) -> None:
        self.limit("organization", self.organization.id, amount, **fields)

    def effective(self, user_id: str) -> list[Any]:
        found: list[Any] = json_of(
            self.api.get(f"/spend_limits/effective?user_id={edge_id('user', user_id)}")
        )["data"]
        return found

    def differences(self) -> list[Any]:
        with in_organization(self.organization.app, self.organization.id, write=False) as services:
            return list(services.get(SpendCheck).verify().differences)
