"""`/scim_requests`: what the identity provider asked, and what it was answered."""

from datetime import datetime
from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, read_cursor, sign_cursor
from app.api.schemas.common import list_of
from app.api.schemas.scim_requests import (
    ScimRequestQuery,
    ScimRequestSchema,
    ScimRequestWithBodiesSchema,
    show_scim_request,
)
from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.urls import PublicUrls
from app.scim.trace_store import TraceStore
from app.web.context import service

scim_requests = Endpoints("SCIM requests")

_LIST = "scim_requests"


@scim_requests.endpoint(
    "GET",
    "/scim_requests",
    scope=scopes.DIRECTORY_READ,
    query=ScimRequestQuery(),
    answer=list_of(ScimRequestSchema),
)
def list_scim_requests(query: Query) -> dict[str, Any]:
    """List SCIM requests, the newest first; each is here within a second of its answer."""
    limit: int = query["limit"]
    after: list[str] | None = read_cursor(_LIST, query, None)
    before = None if after is None else (datetime.fromisoformat(after[0]), after[1])
    found = service(TraceStore).page(before=before, limit=limit + 1, filters=filters_of(query))
    shown, has_more = found[:limit], len(found) > limit
    return {
        "data": [show_scim_request(trace, service(PublicUrls)) for trace in shown],
        "has_more": has_more,
        "next_cursor": sign_cursor(_LIST, query, _place(shown[-1])) if has_more else None,
    }


@scim_requests.endpoint(
    "GET",
    "/scim_requests/<scim_request_id>",
    scope=scopes.DIRECTORY_READ,
    answer=ScimRequestWithBodiesSchema(),
)
def get_scim_request(scim_request_id: str) -> dict[str, Any]:
    """Show a SCIM request with its bodies: structure and ids as sent, what names a person masked."""
    return show_scim_request(service(TraceStore).get(scim_request_id), service(PublicUrls))


def _place(trace: Row) -> list[str]:
    return [rfc3339(trace.occurred_at), trace.id]
