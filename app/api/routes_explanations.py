"""`/users/{id}/explain` and `/users/{id}/timeline`: why somebody has what they have, and what happened."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, read_cursor, sign_cursor
from app.api.schemas.common import MAX_BIGINT, list_of
from app.api.schemas.explanation import ExplanationSchema, scim_causes, show_explanation
from app.api.schemas.timeline import TimelineEventSchema, TimelineQuery, show_timeline_event
from app.audit.sequencer import Sequencer
from app.governance.explain import ExplainService
from app.governance.timeline import TimelineService
from app.scim.trace_store import TraceStore
from app.web.context import service

explanations = Endpoints("Explanations")


@explanations.endpoint(
    "GET", "/users/<user_id>/explain", scope=scopes.GOVERNANCE_READ, answer=ExplanationSchema()
)
def explain_user(user_id: str) -> dict[str, Any]:
    """Explain where a person's rights come from, what lost, and which changes came last."""
    explained = service(ExplainService).explain(user_id)
    return show_explanation(explained, service(TraceStore).kept_of(scim_causes(explained)))


@explanations.endpoint(
    "GET",
    "/users/<user_id>/timeline",
    scope=scopes.AUDIT_READ,
    query=TimelineQuery(),
    answer=list_of(TimelineEventSchema),
    writes=True,
)
def list_timeline(user_id: str, query: Query) -> dict[str, Any]:
    """List what happened to a person and what they did, the newest first; the deleted have theirs too."""
    name = f"users/{user_id}/timeline"
    limit: int = query["limit"]
    before: int = read_cursor(name, query, MAX_BIGINT)
    # What was committed before this request must be on the line.
    service(Sequencer).step()
    found = service(TimelineService).page(user_id, before=before, limit=limit + 1, kind=query.get("kind"))
    shown, has_more = found[:limit], len(found) > limit
    return {
        "data": [show_timeline_event(event, user_id) for event in shown],
        "has_more": has_more,
        "next_cursor": sign_cursor(name, query, shown[-1].position) if has_more else None,
    }
