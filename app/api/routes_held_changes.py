"""`/held_changes`: losses that wait for an administrator's word."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import PageQuery, columns, list_of
from app.api.schemas.held_changes import (
    HeldChangeQuery,
    HeldChangeSchema,
    HeldPersonSchema,
    show_held_change,
)
from app.governance.held_changes import HeldChangeService
from app.web.context import service

held_changes = Endpoints("Held changes")


@held_changes.endpoint(
    "GET",
    "/held_changes",
    scope=scopes.GOVERNANCE_READ,
    query=HeldChangeQuery(),
    answer=list_of(HeldChangeSchema),
)
def list_held_changes(query: Query) -> dict[str, Any]:
    """List what was held, the oldest first; `state=held` is what waits."""
    state = filters_of(query).get("state")
    return page_of(
        "held_changes",
        query,
        lambda after, limit: service(HeldChangeService).page(after=after, limit=limit, state=state),
        key=lambda change: str(change.id),
        show=show_held_change,
    )


@held_changes.endpoint(
    "GET", "/held_changes/<held_change_id>", scope=scopes.GOVERNANCE_READ, answer=HeldChangeSchema()
)
def get_held_change(held_change_id: str) -> dict[str, Any]:
    """Show a held change."""
    return show_held_change(service(HeldChangeService).get(held_change_id))


@held_changes.endpoint(
    "GET",
    "/held_changes/<held_change_id>/people",
    scope=scopes.GOVERNANCE_READ,
    query=PageQuery(),
    answer=list_of(HeldPersonSchema),
)
def list_held_people(held_change_id: str, query: Query) -> dict[str, Any]:
    """List of whom something is held."""
    return page_of(
        f"held_changes/{held_change_id}/people",
        query,
        lambda after, limit: service(HeldChangeService).people(held_change_id, after=after, limit=limit),
        key=lambda person: str(person.user_id),
        show=columns,
    )


@held_changes.endpoint(
    "POST", "/held_changes/<held_change_id>/approve", scope=scopes.GOVERNANCE_WRITE, answer=HeldChangeSchema()
)
def approve_held_change(held_change_id: str) -> dict[str, Any]:
    """Let the losses happen; places that were kept go to who waits."""
    return show_held_change(service(HeldChangeService).approve(held_change_id))


@held_changes.endpoint(
    "POST", "/held_changes/<held_change_id>/discard", scope=scopes.GOVERNANCE_WRITE, answer=HeldChangeSchema()
)
def discard_held_change(held_change_id: str) -> dict[str, Any]:
    """Let people keep what they have, as manual seats given by the key that asks."""
    return show_held_change(service(HeldChangeService).discard(held_change_id))
