"""`/spend_limits`: what a person may spend."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import list_of
from app.api.schemas.limits import EffectiveLimitQuery, EffectiveSpendLimit, show_limit
from app.core.ids import FIRST_ID
from app.governance.limits import EffectiveLimit, LimitService
from app.governance.models import WINDOWS
from app.web.context import service

limits = Endpoints("Spend limits")


@limits.endpoint(
    "GET",
    "/spend_limits/effective",
    scope=scopes.GOVERNANCE_READ,
    query=EffectiveLimitQuery(),
    answer=list_of(EffectiveSpendLimit),
)
def list_effective_spend_limits(query: Query) -> dict[str, Any]:
    """Show what holds for one person, one row for each window that has a cap."""
    user_id = query["user_id"]
    found = service(LimitService).effective(user_id)

    def after_window(after: str, limit: int) -> list[EffectiveLimit]:
        start = 0 if after == FIRST_ID else WINDOWS.index(after) + 1
        return [row for row in found if WINDOWS.index(row.window) >= start][:limit]

    return page_of(
        "spend_limits/effective",
        query,
        after_window,
        key=lambda row: row.window,
        show=lambda row: show_limit(user_id, row),
    )
