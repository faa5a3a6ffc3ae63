"""The blueprint of `/api/v1`: every resource's endpoints, and their description."""

from functools import cache

from flask import Blueprint, Response

from app.api.declarations import Endpoint, Endpoints
from app.api.openapi import ROOT, describe
from app.api.routes_analytics import analytics
from app.api.routes_applications import applications
from app.api.routes_audit import audit
from app.api.routes_authorizations import authorizations
from app.api.routes_billing import billing
from app.api.routes_break_glass import break_glass
from app.api.routes_connections import connections
from app.api.routes_credentials import credentials
from app.api.routes_domains import domains
from app.api.routes_endpoint import json_response, view_of
from app.api.routes_explanations import explanations
from app.api.routes_groups import groups
from app.api.routes_held_changes import held_changes
from app.api.routes_increases import increases
from app.api.routes_jobs import jobs
from app.api.routes_limits import limits
from app.api.routes_login_traces import login_traces
from app.api.routes_mappings import mappings
from app.api.routes_organization import organization
from app.api.routes_plans import plans
from app.api.routes_prices import prices
from app.api.routes_roles import roles
from app.api.routes_scim_requests import scim_requests
from app.api.routes_seats import seats
from app.api.routes_sessions import sessions
from app.api.routes_usage import usage_events
from app.api.routes_users import users
from app.api.schemas.common import Answer
from app.api.tables import to_json

description = Endpoints("Description")


class OpenApiDocument(Answer):
    """An OpenAPI 3.1 document."""


@description.endpoint("GET", "/openapi.json", scope=None, answer=OpenApiDocument())
def get_openapi() -> Response:
    """Describe this API in OpenAPI 3.1."""
    return json_response(_document())


RESOURCES = (
    organization,
    users,
    explanations,
    groups,
    roles,
    mappings,
    plans,
    jobs,
    seats,
    held_changes,
    limits,
    increases,
    authorizations,
    usage_events,
    analytics,
    billing,
    prices,
    audit,
    scim_requests,
    domains,
    login_traces,
    sessions,
    connections,
    break_glass,
    applications,
    credentials,
    description,
)


def endpoints() -> list[Endpoint]:
    return [endpoint for resource in RESOURCES for endpoint in resource.declared]


@cache
def _document() -> str:
    return to_json(describe(endpoints()))


def _assemble() -> Blueprint:
    made = Blueprint("api", __name__, url_prefix=ROOT)
    for endpoint in endpoints():
        made.add_url_rule(endpoint.path, endpoint.name, view_of(endpoint), methods=[endpoint.method])
    return made


blueprint = _assemble()
