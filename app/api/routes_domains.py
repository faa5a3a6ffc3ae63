"""`/domains`: which addresses belong to the organization, proved by DNS."""

from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import PageQuery, deleted, list_of
from app.api.schemas.domains import DomainChanges, DomainSchema, NewDomain, show_domain
from app.sso.domain_checks import DomainChecks
from app.sso.domains import DomainService
from app.web.context import service

domains = Endpoints("Domains")


@domains.endpoint("GET", "/domains", scope=scopes.SSO_WRITE, query=PageQuery(), answer=list_of(DomainSchema))
def list_domains(query: Query) -> dict[str, Any]:
    """List the claimed domains, the oldest first."""
    return page_of(
        "domains",
        query,
        lambda after, limit: service(DomainService).page(after=after, limit=limit),
        key=lambda domain: str(domain.id),
        show=show_domain,
    )


@domains.endpoint(
    "POST",
    "/domains",
    scope=scopes.SSO_WRITE,
    body=NewDomain(),
    example={"name": "example.com"},
    answer=DomainSchema(),
    status=201,
)
def claim_domain(body: dict[str, Any]) -> dict[str, Any]:
    """Claim a domain; publish its record to prove control."""
    return show_domain(service(DomainService).claim(body["name"]))


@domains.endpoint("GET", "/domains/<domain_id>", scope=scopes.SSO_WRITE, answer=DomainSchema())
def get_domain(domain_id: str) -> dict[str, Any]:
    """Show a domain."""
    return show_domain(service(DomainService).get(domain_id))


@domains.endpoint(
    "PATCH",
    "/domains/<domain_id>",
    scope=scopes.SSO_WRITE,
    body=DomainChanges(),
    example={"connection_id": "conn_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e"},
    answer=DomainSchema(),
)
def change_domain(domain_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Choose the connection that sign-in takes for this domain."""
    return show_domain(service(DomainService).choose_connection(domain_id, body["connection_id"]))


@domains.endpoint(
    "DELETE", "/domains/<domain_id>", scope=scopes.SSO_WRITE, answer=deleted("domain", edge_ids.DOMAIN)
)
def remove_domain(domain_id: str) -> dict[str, str]:
    """Give a domain up."""
    service(DomainService).remove(domain_id)
    return {"id": domain_id}


@domains.endpoint("POST", "/domains/<domain_id>/check", scope=scopes.SSO_WRITE, answer=DomainSchema())
def check_domain(domain_id: str) -> dict[str, Any]:
    """Look at the record now, once in ten seconds."""
    return show_domain(service(DomainChecks).check(domain_id))
