"""`/connections/{id}/traces`: what became of each attempt to sign in through a connection, and why."""

from datetime import datetime
from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, read_cursor, sign_cursor
from app.api.schemas.common import list_of
from app.api.schemas.sessions import LoginTraceQuery, LoginTraceSchema, show_login_trace
from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.urls import PublicUrls
from app.sso.traces import LoginTraces
from app.sso.trusted_connections import TrustedConnections
from app.web.context import service

login_traces = Endpoints("Connections")


@login_traces.endpoint(
    "GET",
    "/connections/<connection_id>/traces",
    scope=scopes.SSO_WRITE,
    query=LoginTraceQuery(),
    answer=list_of(LoginTraceSchema),
)
def list_login_traces(connection_id: str, query: Query) -> dict[str, Any]:
    """List sign-in attempts of the last 30 days, the newest first."""
    service(TrustedConnections).get(connection_id)
    listing = f"connections/{connection_id}/traces"
    limit: int = query["limit"]
    after: list[str] | None = read_cursor(listing, query, None)
    before = None if after is None else (datetime.fromisoformat(after[0]), after[1])
    filters = {**filters_of(query), "connection_id": connection_id}
    found = service(LoginTraces).page(before=before, limit=limit + 1, filters=filters)
    shown, has_more = found[:limit], len(found) > limit
    return {
        "data": [show_login_trace(trace, service(PublicUrls)) for trace in shown],
        "has_more": has_more,
        "next_cursor": sign_cursor(listing, query, _place(shown[-1])) if has_more else None,
    }


def _place(trace: Row) -> list[str]:
    return [rfc3339(trace.occurred_at), trace.id]
