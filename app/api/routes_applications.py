"""`/applications`: the tools that people sign in to through us; each secret is shown once."""

from collections.abc import Sequence
from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.applications import (
    ApplicationChanges,
    ApplicationSchema,
    ApplicationWithSecret,
    NewApplication,
    show_application,
    show_with_secret,
)
from app.api.schemas.common import PageQuery, deleted, list_of
from app.core.connection import Row
from app.core.urls import PublicUrls
from app.oauth.applications import ApplicationService
from app.web.context import service

applications = Endpoints("Applications")
ONE = "/applications/<application_id>"
_ADDRESSES = {"422": "`address_refused`: an address that cannot be registered; `openid_missing`."}


@applications.endpoint(
    "GET", "/applications", scope=scopes.ADMIN, query=PageQuery(), answer=list_of(ApplicationSchema)
)
def list_applications(query: Query) -> dict[str, Any]:
    """List the applications, without secrets."""

    def fetch(after: str, limit: int) -> Sequence[Row]:
        return [row for row in service(ApplicationService).all() if row.id > after][:limit]

    return page_of("applications", query, fetch, key=lambda row: str(row.id), show=show_application)


@applications.endpoint(
    "POST",
    "/applications",
    scope=scopes.ADMIN,
    body=NewApplication(),
    example={"name": "Notebook", "redirect_uris": ["https://notebook.example.com/callback"]},
    answer=ApplicationWithSecret(),
    status=201,
    refusals={"409": "`too_many_applications`.", **_ADDRESSES},
)
def create_application(body: dict[str, Any]) -> dict[str, Any]:
    """Register an application; from now on people with a seat can sign in to it."""
    confidential = body.pop("confidential")
    row, secret = service(ApplicationService).create(body, confidential=confidential)
    return show_with_secret(row, secret, service(PublicUrls).base_url)


@applications.endpoint("GET", ONE, scope=scopes.ADMIN, answer=ApplicationSchema())
def get_application(application_id: str) -> dict[str, Any]:
    """Show an application."""
    return show_application(service(ApplicationService).get(application_id))


@applications.endpoint(
    "PATCH",
    ONE,
    scope=scopes.ADMIN,
    body=ApplicationChanges(),
    example={"backchannel_logout_uri": "https://notebook.example.com/logout"},
    answer=ApplicationSchema(),
    refusals=_ADDRESSES,
)
def change_application(application_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change an application; a list replaces the one before."""
    return show_application(service(ApplicationService).update(application_id, body))


@applications.endpoint("DELETE", ONE, scope=scopes.ADMIN, answer=deleted("application", edge_ids.APPLICATION))
def delete_application(application_id: str) -> dict[str, str]:
    """Remove an application: from the next request on its codes, tokens and secrets are worth nothing."""
    service(ApplicationService).delete(application_id)
    return {"id": application_id}


@applications.endpoint(
    "POST",
    f"{ONE}/rotate",
    scope=scopes.ADMIN,
    answer=ApplicationWithSecret(),
    refusals={"409": "`public_application`: it has no secret."},
)
def rotate_application(application_id: str) -> dict[str, Any]:
    """Give an application a new secret; the one before holds until `previous_secret_expires_at`."""
    row, secret = service(ApplicationService).rotate(application_id)
    return show_with_secret(row, secret, service(PublicUrls).base_url)
