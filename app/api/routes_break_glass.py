"""`/break_glass_codes`: the way in for owners when the identity provider is down."""

from collections.abc import Sequence
from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.break_glass import BreakGlassCodes, BreakGlassSchema, NewBreakGlassCodes
from app.api.schemas.common import PageQuery, list_of
from app.core.connection import Row
from app.sso.break_glass import BreakGlass
from app.web.context import service

break_glass = Endpoints("Break-glass codes")


@break_glass.endpoint(
    "GET", "/break_glass_codes", scope=scopes.ADMIN, query=PageQuery(), answer=list_of(BreakGlassSchema)
)
def list_break_glass(query: Query) -> dict[str, Any]:
    """List who has unused codes, and how many."""

    def fetch(after: str, limit: int) -> Sequence[Row]:
        return [row for row in service(BreakGlass).counts() if row.user_id > after][:limit]

    return page_of("break_glass", query, fetch, key=lambda row: str(row.user_id), show=lambda row: row)


@break_glass.endpoint(
    "POST",
    "/break_glass_codes",
    scope=scopes.ADMIN,
    body=NewBreakGlassCodes(),
    example={"user_id": "user_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e"},
    answer=BreakGlassCodes(),
    status=201,
)
def issue_break_glass(body: dict[str, Any]) -> dict[str, Any]:
    """Give an owner fresh codes; unused older ones are void."""
    codes = service(BreakGlass).issue(body["user_id"])
    return {"user_id": body["user_id"], "unused": len(codes), "codes": codes}
