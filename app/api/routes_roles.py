"""`/roles`: what a group can give."""

from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import PageQuery, deleted, list_of
from app.api.schemas.roles import NewRole, RoleChanges, RoleSchema, show_role
from app.governance.roles import RoleService
from app.web.context import service

roles = Endpoints("Roles")


@roles.endpoint("GET", "/roles", scope=scopes.GOVERNANCE_READ, query=PageQuery(), answer=list_of(RoleSchema))
def list_roles(query: Query) -> dict[str, Any]:
    """List the roles, the oldest first."""
    return page_of(
        "roles",
        query,
        lambda after, limit: service(RoleService).page(after=after, limit=limit),
        key=lambda role: str(role.row.id),
        show=show_role,
    )


@roles.endpoint(
    "POST",
    "/roles",
    scope=scopes.GOVERNANCE_WRITE,
    body=NewRole(),
    example={
        "name": "Engineer",
        "surfaces": ["code", "chat"],
        "spend_limits": [{"window": "monthly", "amount_usd": "200"}],
    },
    answer=RoleSchema(),
    status=201,
)
def create_role(body: dict[str, Any]) -> dict[str, Any]:
    """Create a role."""
    return show_role(service(RoleService).create(body, body.pop("spend_limits")))


@roles.endpoint("GET", "/roles/<role_id>", scope=scopes.GOVERNANCE_READ, answer=RoleSchema())
def get_role(role_id: str) -> dict[str, Any]:
    """Show a role."""
    return show_role(service(RoleService).get(role_id))


@roles.endpoint(
    "PATCH",
    "/roles/<role_id>",
    scope=scopes.GOVERNANCE_WRITE,
    body=RoleChanges(),
    example={"surfaces": ["code", "chat", "cowork"]},
    answer=RoleSchema(),
)
def change_role(role_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a role, and with it the rights of everybody who holds it."""
    limits = body.pop("spend_limits", None)
    return show_role(service(RoleService).update(role_id, body, limits))


@roles.endpoint(
    "DELETE", "/roles/<role_id>", scope=scopes.GOVERNANCE_WRITE, answer=deleted("role", edge_ids.ROLE)
)
def delete_role(role_id: str) -> dict[str, str]:
    """Delete a role that no mapping and no seat uses."""
    service(RoleService).delete(role_id)
    return {"id": role_id}
