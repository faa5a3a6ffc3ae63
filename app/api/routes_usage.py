"""`/usage_events`: what was used where no gateway looked on."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import list_of
from app.api.schemas.usage import (
    KeptUsageEvent,
    NewUsageEvents,
    UsageEventQuery,
    UsageEventResults,
    UsageEventsMatched,
    show_kept,
    show_results,
)
from app.core.ids import FIRST_ID
from app.spend.usage_events import UsageEvents
from app.web.context import service

usage_events = Endpoints("Usage events")


@usage_events.endpoint(
    "POST",
    "/usage_events",
    scope=scopes.USAGE_WRITE,
    body=NewUsageEvents(),
    example={
        "events": [
            {
                "id": "batch-7-000001",
                "user": {"user_name": "ada@example.com"},
                "surface": "chat",
                "model": "claude-opus-5-5",
                "occurred_at": "2026-11-30T09:15:00Z",
                "usage": {"input_tokens": 850, "output_tokens": 310},
            }
        ]
    },
    answer=UsageEventResults(),
)
def report_usage_events(body: dict[str, Any]) -> dict[str, Any]:
    """Report up to 1,000 events; each has its own result, and an id counts once for ever."""
    return show_results(service(UsageEvents).report(body["events"]))


@usage_events.endpoint(
    "GET",
    "/usage_events",
    scope=scopes.USAGE_WRITE,
    query=UsageEventQuery(),
    answer=list_of(KeptUsageEvent),
)
def list_kept_usage_events(query: Query) -> dict[str, Any]:
    """List the events that are kept aside because nobody knows their person yet."""
    return page_of(
        "usage_events",
        query,
        # Event ids are the reporter's own texts, so a list of them begins after the empty one.
        lambda after, limit: service(UsageEvents).aside(
            after="" if after == FIRST_ID else after, limit=limit
        ),
        key=lambda row: str(row.event_id),
        show=show_kept,
    )


@usage_events.endpoint("POST", "/usage_events/match", scope=scopes.USAGE_WRITE, answer=UsageEventsMatched())
def match_usage_events() -> dict[str, int]:
    """Book kept events whose person has appeared by now; the worker does so by itself too."""
    return {"created": service(UsageEvents).match()}
