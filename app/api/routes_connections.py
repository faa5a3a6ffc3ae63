"""`/connections`: the identity providers that people sign in by, and our keys for each."""

from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import PageQuery, deleted, list_of
from app.api.schemas.connections import (
    ConnectionChanges,
    ConnectionSchema,
    LockedOutPerson,
    NewConnection,
    show_connection,
)
from app.core.urls import PublicUrls
from app.sso.connections import ConnectionService, ConnectionWithKeys
from app.sso.enforcement import Enforcement
from app.web.context import service

connections = Endpoints("Connections")


@connections.endpoint(
    "GET", "/connections", scope=scopes.SSO_WRITE, query=PageQuery(), answer=list_of(ConnectionSchema)
)
def list_connections(query: Query) -> dict[str, Any]:
    """List the connections, the oldest first."""
    return page_of(
        "connections",
        query,
        lambda after, limit: service(ConnectionService).page(after=after, limit=limit),
        key=lambda connection: str(connection.row.id),
        show=_show,
    )


@connections.endpoint(
    "POST",
    "/connections",
    scope=scopes.SSO_WRITE,
    body=NewConnection(),
    example={"name": "Okta", "protocol": "saml", "metadata_url": "https://idp.example.com/metadata"},
    answer=ConnectionSchema(),
    status=201,
)
def create_connection(body: dict[str, Any]) -> dict[str, Any]:
    """Connect an identity provider: SAML by metadata or single fields, OpenID Connect by discovery."""
    connection_id = service(ConnectionService).create(body)
    if body["mode"] != "off":
        _set_mode(connection_id, body)
    return _shown(connection_id)


@connections.endpoint(
    "GET", "/connections/<connection_id>", scope=scopes.SSO_WRITE, answer=ConnectionSchema()
)
def get_connection(connection_id: str) -> dict[str, Any]:
    """Show a connection with its certificates and what to look after."""
    return _shown(connection_id)


@connections.endpoint(
    "PATCH",
    "/connections/<connection_id>",
    scope=scopes.SSO_WRITE,
    body=ConnectionChanges(),
    example={"mode": "enforced"},
    answer=ConnectionSchema(),
)
def change_connection(connection_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a connection, its identity provider, or how far it is in force."""
    plain = {
        name: value for name, value in body.items() if name not in ("mode", "enforced_at", "break_glass")
    }
    if plain:
        service(ConnectionService).update(connection_id, plain)
    if "mode" in body:
        _set_mode(connection_id, body)
    return _shown(connection_id)


@connections.endpoint(
    "DELETE",
    "/connections/<connection_id>",
    scope=scopes.SSO_WRITE,
    answer=deleted("connection", edge_ids.CONNECTION),
)
def delete_connection(connection_id: str) -> dict[str, str]:
    """Delete a connection; whoever came in by it is signed out."""
    service(ConnectionService).delete(connection_id)
    return {"id": connection_id}


@connections.endpoint(
    "GET",
    "/connections/<connection_id>/locked_out",
    scope=scopes.SSO_WRITE,
    query=PageQuery(),
    answer=list_of(LockedOutPerson),
    writes=True,
)
def list_locked_out(connection_id: str, query: Query) -> dict[str, Any]:
    """List who has never signed in by this connection and could not sign in otherwise once it is enforced."""
    return page_of(
        f"locked_out {connection_id}",
        query,
        lambda after, limit: service(Enforcement).locked_out(connection_id, after=after, limit=limit),
        key=lambda person: str(person.id),
        show=lambda person: person,
    )


@connections.endpoint(
    "POST",
    "/connections/<connection_id>/sp_keys",
    scope=scopes.SSO_WRITE,
    answer=ConnectionSchema(),
    status=201,
)
def add_sp_key(connection_id: str) -> dict[str, Any]:
    """Publish a next key of ours, to be promoted once the identity provider knows it."""
    service(ConnectionService).add_sp_key(connection_id)
    return _shown(connection_id)


@connections.endpoint(
    "POST", "/connections/<connection_id>/sp_keys/promote", scope=scopes.SSO_WRITE, answer=ConnectionSchema()
)
def promote_sp_key(connection_id: str) -> dict[str, Any]:
    """Sign with the next key from now on; the current one goes on decrypting."""
    service(ConnectionService).promote_sp_key(connection_id)
    return _shown(connection_id)


def _set_mode(connection_id: str, body: dict[str, Any]) -> None:
    service(Enforcement).set_mode(
        connection_id,
        body["mode"],
        enforced_at=body.get("enforced_at"),
        by_console="break_glass" in body,
    )


def _shown(connection_id: str) -> dict[str, Any]:
    return _show(service(ConnectionService).get(connection_id))


def _show(connection: ConnectionWithKeys) -> dict[str, Any]:
    return show_connection(connection, service(PublicUrls))
