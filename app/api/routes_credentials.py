"""`/scim_tokens` and `/api_keys`: made, rotated, revoked; each secret is shown once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import PageQuery, columns, deleted, list_of
from app.api.schemas.credentials import (
    ApiKeySchema,
    ApiKeyWithSecret,
    NewApiKey,
    NewScimToken,
    ScimTokenChanges,
    ScimTokenSchema,
    ScimTokenWithSecret,
    lifetime,
    show_scim_token,
)
from app.core.connection import Row
from app.core.urls import PublicUrls
from app.directory.credentials import CredentialService
from app.web.context import service

credentials = Endpoints("Credentials")


@credentials.endpoint(
    "GET", "/scim_tokens", scope=scopes.ADMIN, query=PageQuery(), answer=list_of(ScimTokenSchema)
)
def list_scim_tokens(query: Query) -> dict[str, Any]:
    """List the SCIM tokens, revoked ones included."""
    return _page("scim_token", query, show_scim_token)


@credentials.endpoint(
    "POST",
    "/scim_tokens",
    scope=scopes.ADMIN,
    body=NewScimToken(),
    example={"name": "Okta provisioning", "expires_in_days": 365},
    answer=ScimTokenWithSecret(),
    status=201,
)
def create_scim_token(body: dict[str, Any]) -> dict[str, Any]:
    """Create a token for the identity provider's provisioning job."""
    made = service(CredentialService).create_scim_token(
        body["name"], access=body["access"], tolerances=body["tolerances"], expires_in=lifetime(body)
    )
    return _with_base_url(*made)


@credentials.endpoint(
    "PATCH",
    "/scim_tokens/<scim_token_id>",
    scope=scopes.ADMIN,
    body=ScimTokenChanges(),
    example={"tolerances": "auto"},
    answer=ScimTokenSchema(),
)
def change_scim_token(scim_token_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Choose what a SCIM connection may send beyond the RFC, from its next request on."""
    return show_scim_token(service(CredentialService).set_tolerances(scim_token_id, body["tolerances"]))


@credentials.endpoint(
    "DELETE",
    "/scim_tokens/<scim_token_id>",
    scope=scopes.ADMIN,
    answer=deleted("scim_token", edge_ids.SCIM_TOKEN),
)
def revoke_scim_token(scim_token_id: str) -> dict[str, str]:
    """Revoke a SCIM token; it fails from the next request on."""
    service(CredentialService).revoke("scim_token", scim_token_id)
    return {"id": scim_token_id}


@credentials.endpoint(
    "POST", "/scim_tokens/<scim_token_id>/rotate", scope=scopes.ADMIN, answer=ScimTokenWithSecret()
)
def rotate_scim_token(scim_token_id: str) -> dict[str, Any]:
    """Give a token a new secret; the one before holds until `previous_expires_at`."""
    return _with_base_url(*service(CredentialService).rotate("scim_token", scim_token_id))


@credentials.endpoint("GET", "/api_keys", scope=scopes.ADMIN, query=PageQuery(), answer=list_of(ApiKeySchema))
def list_api_keys(query: Query) -> dict[str, Any]:
    """List the API keys, revoked ones included."""
    return _page("api_key", query, columns)


@credentials.endpoint(
    "POST",
    "/api_keys",
    scope=scopes.ADMIN,
    body=NewApiKey(),
    example={"name": "LiteLLM gateway", "scopes": ["spend:authorize"]},
    answer=ApiKeyWithSecret(),
    status=201,
)
def create_api_key(body: dict[str, Any]) -> dict[str, Any]:
    """Create an API key."""
    row, key = service(CredentialService).create_api_key(body["name"], body["scopes"])
    return {**columns(row), "key": key}


@credentials.endpoint(
    "DELETE", "/api_keys/<api_key_id>", scope=scopes.ADMIN, answer=deleted("api_key", edge_ids.API_KEY)
)
def revoke_api_key(api_key_id: str) -> dict[str, str]:
    """Revoke an API key; it fails from the next request on."""
    service(CredentialService).revoke("api_key", api_key_id)
    return {"id": api_key_id}


def _page(kind: str, query: Query, show: Callable[[Row], Mapping[str, Any]]) -> dict[str, Any]:
    def fetch(after: str, limit: int) -> Sequence[Row]:
        return [row for row in service(CredentialService).all(kind) if row.id > after][:limit]

    return page_of(kind, query, fetch, key=lambda row: str(row.id), show=show)


def _with_base_url(row: Row, token: str) -> dict[str, Any]:
    return {**show_scim_token(row), "token": token, "base_url": service(PublicUrls).scim_base_url}
