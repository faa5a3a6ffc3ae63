"""`/sessions`: who is signed in at this moment, and how to end that."""

from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import columns, deleted, list_of
from app.api.schemas.sessions import SessionQuery, SessionSchema
from app.sso.sessions import SessionService
from app.web.context import service

sessions = Endpoints("Sessions")


@sessions.endpoint(
    "GET", "/sessions", scope=scopes.SSO_WRITE, query=SessionQuery(), answer=list_of(SessionSchema)
)
def list_sessions(query: Query) -> dict[str, Any]:
    """List live sessions, of one person or of all."""
    user_id = filters_of(query).get("user_id")
    return page_of(
        "sessions",
        query,
        lambda after, limit: service(SessionService).page(after=after, limit=limit, user_id=user_id),
        key=lambda session: str(session.id),
        show=columns,
    )


@sessions.endpoint("GET", "/sessions/<session_id>", scope=scopes.SSO_WRITE, answer=SessionSchema())
def get_session(session_id: str) -> Any:
    """Show a live session."""
    return columns(service(SessionService).get(session_id))


@sessions.endpoint(
    "DELETE",
    "/sessions/<session_id>",
    scope=scopes.SSO_WRITE,
    answer=deleted("session", edge_ids.SESSION),
)
def end_session(session_id: str) -> dict[str, str]:
    """End a session: it is dead at its next request on every node."""
    service(SessionService).revoke(session_id, "administrator")
    return {"id": session_id}
