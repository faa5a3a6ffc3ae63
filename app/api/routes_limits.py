"""`/spend_limits`: what people, groups and the organization may spend."""

from typing import Any

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import deleted, list_of
from app.api.schemas.limits import (
    EffectiveLimitQuery,
    EffectiveSpendLimit,
    NewSpendLimit,
    SpendLimitQuery,
    SpendLimitSchema,
    show_limit,
    show_spend_limit,
)
from app.core.ids import FIRST_ID
from app.governance.limits import LimitService
from app.web.context import service

limits = Endpoints("Spend limits")


@limits.endpoint(
    "GET",
    "/spend_limits",
    scope=scopes.GOVERNANCE_READ,
    query=SpendLimitQuery(),
    answer=list_of(SpendLimitSchema),
)
def list_spend_limits(query: Query) -> dict[str, Any]:
    """List the limits in force of people, groups and the organization, the oldest first."""
    return page_of(
        "spend_limits",
        query,
        lambda after, limit: service(LimitService).page(after=after, limit=limit, filters=filters_of(query)),
        key=lambda row: str(row.id),
        show=show_spend_limit,
    )


@limits.endpoint(
    "POST",
    "/spend_limits",
    scope=scopes.GOVERNANCE_WRITE,
    body=NewSpendLimit(),
    example={
        "scope": {"type": "user", "id": "user_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e"},
        "window": "monthly",
        "amount_usd": "50",
    },
    answer=SpendLimitSchema(),
    status=201,
)
def set_spend_limit(body: dict[str, Any]) -> dict[str, Any]:
    """Set the limit of a scope in a window, in place of what was set before.

    One with `expires_at` lies over the standing limit, which holds again afterwards.
    """
    row = service(LimitService).set(
        body["scope"],
        body["window"],
        body["amount_usd"],
        mode=body["mode"],
        pool=body["pool"],
        expires_at=body["expires_at"],
    )
    return show_spend_limit(row)


@limits.endpoint(
    "GET", "/spend_limits/<spend_limit_id>", scope=scopes.GOVERNANCE_READ, answer=SpendLimitSchema()
)
def get_spend_limit(spend_limit_id: str) -> dict[str, Any]:
    """Show a limit."""
    return show_spend_limit(service(LimitService).get(spend_limit_id))


@limits.endpoint(
    "DELETE",
    "/spend_limits/<spend_limit_id>",
    scope=scopes.GOVERNANCE_WRITE,
    answer=deleted("spend_limit", edge_ids.SPEND_LIMIT),
)
def delete_spend_limit(spend_limit_id: str) -> dict[str, str]:
    """Delete a limit; what comes after it in precedence holds from the next decision on."""
    service(LimitService).delete(spend_limit_id)
    return {"id": spend_limit_id}


@limits.endpoint(
    "GET",
    "/spend_limits/effective",
    scope=scopes.GOVERNANCE_READ,
    query=EffectiveLimitQuery(),
    answer=list_of(EffectiveSpendLimit),
)
def list_effective_spend_limits(query: Query) -> dict[str, Any]:
    """Show what holds for one person: a row for each window that has a cap, then the pools."""
    user_id = query["user_id"]
    found = list(enumerate(service(LimitService).effective(user_id)))

    return page_of(
        "spend_limits/effective",
        query,
        lambda after, limit: found[0 if after == FIRST_ID else int(after) + 1 :][:limit],
        key=lambda row: str(row[0]),
        show=lambda row: show_limit(user_id, row[1]),
    )
