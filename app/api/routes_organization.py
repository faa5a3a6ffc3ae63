"""`/organization`: the settings of the key's own organization."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.schemas.organization import OrganizationChanges, OrganizationSchema
from app.core.connection import Row
from app.directory.organizations import OrganizationService
from app.web.context import service

organization = Endpoints("Organization")


@organization.endpoint("GET", "/organization", scope=scopes.ADMIN, answer=OrganizationSchema())
def get_organization() -> Row:
    """Show the organization that the key belongs to."""
    return service(OrganizationService).current()


@organization.endpoint(
    "PATCH",
    "/organization",
    scope=scopes.ADMIN,
    body=OrganizationChanges(),
    example={"zone": "Europe/Berlin", "end_sessions_on_group_loss": True},
    answer=OrganizationSchema(),
)
def change_organization(body: dict[str, Any]) -> Row:
    """Change what the organization decides; a new `rights_mode` or `ceiling` holds for everybody at once."""
    return service(OrganizationService).update(body)
