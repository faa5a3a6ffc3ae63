"""Usage and cost by any combination of dimensions, adoption, forecasts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery, no_repeats
from app.api.schemas.fields import EdgeId, Instant, Usd
from app.core.errors import BadRequestError
from app.spend.analytics import ATTRIBUTIONS, DIMENSIONS, Forecast, Report
from app.spend.usage_calendar import day_of, start_of

MAX_DAYS = 366
_MOMENT = timedelta(microseconds=1)


class AnalyticsQuery(PageQuery):
    group_by = fields.List(
        fields.String(validate=validate.OneOf(DIMENSIONS)),
        data_key="group_by[]",
        load_default=list,
        validate=no_repeats,
    )
    starting_at = Instant(load_default=None, metadata={"description": "Its whole day counts."})
    ending_at = Instant(load_default=None, metadata={"description": "Exclusive; its begun day counts."})
    attribution = fields.String(
        load_default="cost_owner",
        validate=validate.OneOf(ATTRIBUTIONS),
        metadata={
            "description": "How a group's rows come about: cost_owner counts each amount in one group, "
            "membership in every group that the person was in."
        },
    )


class Dimensions(Answer):
    day = fields.String()
    user_id = EdgeId(edge_ids.USER)
    user_name = fields.String()
    group_id = EdgeId(edge_ids.GROUP, allow_none=True)
    group_name = fields.String(allow_none=True)
    surface = fields.String()
    model = fields.String()
    feature = fields.String(allow_none=True)
    repository = fields.String(allow_none=True)


class Tokens(Schema):
    requests = fields.Integer(required=True)
    input_tokens = fields.Integer(required=True)
    output_tokens = fields.Integer(required=True)
    cache_read_input_tokens = fields.Integer(required=True)
    cache_creation_5m_input_tokens = fields.Integer(required=True)
    cache_creation_1h_input_tokens = fields.Integer(required=True)


class Money(Schema):
    cost_usd = Usd(required=True, attribute="amount_nanousd")
    cache_saved_usd = Usd(required=True, attribute="cache_saved_nanousd")


# What the columns of these rows are read from.
OF_USAGE = tuple(Tokens().fields)
OF_COST = ("requests", "amount_nanousd", "cache_saved_nanousd")


class UsageRow(Dimensions, Tokens):
    type = fields.Constant("usage", required=True)


class CostRow(Dimensions, Money):
    type = fields.Constant("cost", required=True)
    requests = fields.Integer(required=True)


class SummaryRow(Dimensions, Tokens, Money):
    type = fields.Constant("summary", required=True)


class Range(Answer):
    starting_at = Instant(required=True)
    ending_at = Instant(required=True)
    current_until = Instant(
        required=True, metadata={"description": "All that was recorded before is counted."}
    )
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class UsageReportList(Range):
    data = fields.List(fields.Nested(UsageRow), required=True)


class CostReportList(Range):
    data = fields.List(fields.Nested(CostRow), required=True)


class TotalsSchema(Answer, Tokens, Money):
    """Of the whole range."""


class AdoptionSchema(Answer):
    assigned_seats = fields.Integer(required=True, attribute="assigned")
    daily_active_users = fields.Integer(required=True, attribute="daily")
    weekly_active_users = fields.Integer(required=True, attribute="weekly")
    monthly_active_users = fields.Integer(required=True, attribute="monthly")


class ForecastSchema(Answer):
    window = fields.String(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    settled_usd = Usd(required=True, attribute="settled_nanousd")
    forecast_usd = Usd(required=True, allow_none=True, attribute="forecast_nanousd")


class AnalyticsSummary(Range):
    type = fields.Constant("analytics_summary", required=True)
    totals = fields.Nested(TotalsSchema, required=True)
    adoption = fields.Nested(AdoptionSchema, required=True)
    forecasts = fields.List(fields.Nested(ForecastSchema), required=True)
    data = fields.List(fields.Nested(SummaryRow), required=True)


def read_report(
    query: Mapping[str, Any], measures: Sequence[str], *, zone: str, today: int, default_first: int
) -> Report:
    """The days of a query, by the organization's calendar; raises `BadRequestError`."""
    starting_at, ending_at = query["starting_at"], query["ending_at"]
    try:
        last = today if ending_at is None else day_of(ending_at - _MOMENT, zone)
        first = min(default_first, last) if starting_at is None else day_of(starting_at, zone)
    except OverflowError:
        raise BadRequestError("starting_at, ending_at: The time is out of range.") from None
    if (starting_at and ending_at and starting_at >= ending_at) or first > last:
        raise BadRequestError("starting_at: Give a time before ending_at.")
    if last - first >= MAX_DAYS:
        raise BadRequestError(f"ending_at: Give at most {MAX_DAYS} days.")
    return Report(first, last, query["group_by"], query["attribution"], measures)


def show_range(report: Report, zone: str, current_until: datetime) -> dict[str, Any]:
    return {
        "starting_at": start_of(report.first_day, zone),
        "ending_at": start_of(report.last_day + 1, zone),
        "current_until": current_until,
    }


def show_summary(
    totals: Mapping[str, int], adoption: Mapping[str, int], forecasts: list[Forecast]
) -> dict[str, Any]:
    return {"totals": totals, "adoption": adoption, "forecasts": forecasts}
