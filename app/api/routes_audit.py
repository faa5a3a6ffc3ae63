"""`/audit/events`: the audit log as a feed that can be followed without gaps."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.edge_ids import parse_actor_id, parse_any_id
from app.api.routes_pages import Query, filters_of, read_cursor, sign_cursor
from app.api.schemas.audit import AuditEventSchema, AuditQuery, show_event
from app.api.schemas.common import list_of
from app.api.tables import JSON_LINES
from app.audit.feed import AuditFeed
from app.audit.sequencer import Sequencer
from app.web.context import service

audit = Endpoints("Audit")


@audit.endpoint(
    "GET",
    "/audit/events",
    scope=scopes.AUDIT_READ,
    query=AuditQuery(),
    answer=list_of(AuditEventSchema),
    other_media_type=JSON_LINES,
    writes=True,
)
def list_audit_events(query: Query) -> dict[str, Any]:
    """Follow the log in its order. `next_cursor` is given on every page, also on the last: keep it
    and ask again with it. As JSON lines the cursor stands in the header `X-Next-Cursor`.
    """
    after: int = read_cursor("audit/events", query, 0)
    filters = _stored(filters_of(query))
    limit: int = query["limit"]
    # What was committed before this request must be on the page.
    service(Sequencer).step()
    found = service(AuditFeed).page(after=after, limit=limit + 1, filters=filters)
    shown = found[:limit]
    next_cursor = sign_cursor("audit/events", query, shown[-1].position if shown else after)
    return {
        "data": [show_event(event) for event in shown],
        "has_more": len(found) > limit,
        "next_cursor": next_cursor,
    }


def _stored(filters: dict[str, Any]) -> dict[str, Any]:
    """The filters with ids as the log holds them; raises `NotFoundError` for what is no id."""
    parsers = {"actor_id": parse_actor_id, "target_id": parse_any_id}
    return {name: parsers[name](value) if name in parsers else value for name, value in filters.items()}
