"""`/limit_increases`: asking for a higher limit, and deciding about it."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import list_of
from app.api.schemas.increases import (
    LimitIncreaseApproval,
    LimitIncreaseDenial,
    LimitIncreaseQuery,
    LimitIncreaseSchema,
    NewLimitIncrease,
    show_increase,
)
from app.governance.limit_increases import LimitIncreaseService
from app.web.context import service

increases = Endpoints("Limit increases")


@increases.endpoint(
    "GET",
    "/limit_increases",
    scope=scopes.GOVERNANCE_READ,
    query=LimitIncreaseQuery(),
    answer=list_of(LimitIncreaseSchema),
)
def list_limit_increases(query: Query) -> dict[str, Any]:
    """List who asked for more and what became of it, the oldest first."""
    return page_of(
        "limit_increases",
        query,
        lambda after, limit: service(LimitIncreaseService).page(
            after=after, limit=limit, filters=filters_of(query)
        ),
        key=lambda row: str(row.id),
        show=show_increase,
    )


@increases.endpoint(
    "POST",
    "/limit_increases",
    scope=scopes.GOVERNANCE_WRITE,
    body=NewLimitIncrease(),
    example={
        "user_id": "user_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
        "window": "monthly",
        "amount_usd": "80",
        "reason": "Migration of the billing service",
    },
    answer=LimitIncreaseSchema(),
    status=201,
)
def request_limit_increase(body: dict[str, Any]) -> dict[str, Any]:
    """Ask for a higher limit for a person; one request for each window at a time."""
    increase = service(LimitIncreaseService).request(
        body["user_id"], body["window"], body["amount_usd"], body["reason"]
    )
    return show_increase(increase)


@increases.endpoint(
    "GET",
    "/limit_increases/<limit_increase_id>",
    scope=scopes.GOVERNANCE_READ,
    answer=LimitIncreaseSchema(),
)
def get_limit_increase(limit_increase_id: str) -> dict[str, Any]:
    """Show a request and what became of it."""
    return show_increase(service(LimitIncreaseService).get(limit_increase_id))


@increases.endpoint(
    "POST",
    "/limit_increases/<limit_increase_id>/approve",
    scope=scopes.GOVERNANCE_WRITE,
    body=LimitIncreaseApproval(),
    example={"expires_at": "2027-01-31T23:00:00Z"},
    answer=LimitIncreaseSchema(),
)
def approve_limit_increase(limit_increase_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Grant it as a limit of the person's own, until `expires_at` or for good."""
    increase = service(LimitIncreaseService).approve(
        limit_increase_id,
        amount_nanousd=body["amount_usd"],
        expires_at=body["expires_at"],
        note=body["note"],
    )
    return show_increase(increase)


@increases.endpoint(
    "POST",
    "/limit_increases/<limit_increase_id>/deny",
    scope=scopes.GOVERNANCE_WRITE,
    body=LimitIncreaseDenial(),
    example={"note": "Ask again after the quarter"},
    answer=LimitIncreaseSchema(),
)
def deny_limit_increase(limit_increase_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Refuse it; nothing changes for the person."""
    return show_increase(service(LimitIncreaseService).deny(limit_increase_id, note=body["note"]))
