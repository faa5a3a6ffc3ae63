"""`/analytics`: usage, cost and a summary, by any combination of dimensions."""

from collections.abc import Sequence
from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.analytics import (
    OF_COST,
    OF_USAGE,
    AnalyticsQuery,
    AnalyticsSummary,
    CostReportList,
    UsageReportList,
    read_report,
    show_range,
    show_summary,
)
from app.api.tables import CSV
from app.core.ids import FIRST_ID
from app.spend.analytics import Analytics, Report
from app.spend.rollups import RollUps
from app.spend.usage_models import MEASURES
from app.web.context import service

analytics = Endpoints("Analytics")


@analytics.endpoint(
    "GET",
    "/analytics/usage",
    scope=scopes.ANALYTICS_READ,
    query=AnalyticsQuery(),
    answer=UsageReportList(),
    other_media_type=CSV,
)
def report_usage(query: Query) -> dict[str, Any]:
    """Report requests and tokens by the dimensions asked for."""
    return _page("analytics/usage", query, _report(query, OF_USAGE))


@analytics.endpoint(
    "GET",
    "/analytics/cost",
    scope=scopes.ANALYTICS_READ,
    query=AnalyticsQuery(),
    answer=CostReportList(),
    other_media_type=CSV,
)
def report_cost(query: Query) -> dict[str, Any]:
    """Report what was spent, and what caching saved, by the dimensions asked for."""
    return _page("analytics/cost", query, _report(query, OF_COST))


@analytics.endpoint(
    "GET",
    "/analytics/summary",
    scope=scopes.ANALYTICS_READ,
    query=AnalyticsQuery(),
    answer=AnalyticsSummary(),
    other_media_type=CSV,
)
def report_summary(query: Query) -> dict[str, Any]:
    """Report totals, adoption, what each window will come to, and all measures by dimension."""
    report = _report(query, MEASURES)
    page = _page("analytics/summary", query, report)
    found = service(Analytics)
    totals, forecasts = found.summary(report)
    return {**page, **show_summary(totals, found.adoption(), forecasts)}


def _report(query: Query, measures: Sequence[str]) -> Report:
    found = service(Analytics)
    found.see_one_moment()
    today, default_first = found.today(), found.default_first_day()
    return read_report(query, measures, zone=found.zone(), today=today, default_first=default_first)


def _page(name: str, query: Query, report: Report) -> dict[str, Any]:
    def fetch(after: str, limit: int) -> list[tuple[int, dict[str, Any]]]:
        offset = 0 if after == FIRST_ID else int(after) + 1
        return list(enumerate(service(Analytics).rows(report, offset=offset, limit=limit), start=offset))

    page = page_of(name, query, fetch, key=lambda row: str(row[0]), show=lambda row: row[1])
    return {**page, **show_range(report, service(Analytics).zone(), service(RollUps).current_until())}
