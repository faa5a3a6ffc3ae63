"""Who used what and what it cost, read from the roll-ups, in any combination of dimensions.

Groups are counted in one of two ways: by `cost_owner` each amount has one group and the rows sum to the
total; by `membership` it counts in every group that the person was in, so rows overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Join,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from app.core.connection import Row
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import groups, principals, users
from app.directory.organizations import OrganizationService
from app.directory.principals import SEAT_STATE_NOW
from app.spend.usage_calendar import day_of, forecast_nanousd, present_window
from app.spend.usage_models import (
    MEASURES,
    spend_group_set_members,
    spend_group_sets,
    usage_rollups,
)

DIMENSIONS = ("user", "group", "surface", "feature", "model", "repository", "day")
ATTRIBUTIONS = ("cost_owner", "membership")
FORECAST = ("daily", "weekly", "monthly")
_DAYS_OF_A_WEEK, _DAYS_OF_A_MONTH = 7, 30


def _sums_of(
    columns: ReadOnlyColumnCollection[str, Any], measures: Sequence[str]
) -> list[ColumnElement[int]]:
    return [cast(func.sum(columns[name]), BigInteger).label(name) for name in measures]


_in_range = (
    usage_rollups.c.org_id == ORG_ID,
    usage_rollups.c.day.between(bindparam("first"), bindparam("last")),
)
_BY_DAY = (
    select(usage_rollups.c.day, *_sums_of(usage_rollups.c, MEASURES))
    .where(*_in_range)
    .group_by(usage_rollups.c.day)
)
# What stands for a dimension in the sums; which groups, depends on how they are counted.
_COLUMNS = {name: name for name in DIMENSIONS if name != "group"} | {"user": "principal_id"}
_GROUPS_OF: Mapping[str, tuple[Table, ColumnElement[Any], ColumnElement[Any]]] = {
    "cost_owner": (
        spend_group_sets,
        spend_group_sets.c.id,
        spend_group_sets.c.owner_group_id.label("group_id"),
    ),
    "membership": (
        spend_group_set_members,
        spend_group_set_members.c.set_id,
        spend_group_set_members.c.group_id.label("group_id"),
    ),
}
_USERS = (
    select(principals.c.id, principals.c.user_id, users.c.user_name)
    .select_from(
        principals.join(
            users, and_(users.c.org_id == principals.c.org_id, users.c.id == principals.c.user_id)
        )
    )
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.id, "ids"))
)
_GROUP_NAMES = select(groups.c.id, groups.c.display_name).where(
    groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids")
)
_last_use = (
    select(usage_rollups.c.principal_id, func.max(usage_rollups.c.day).label("day"))
    .where(*_in_range, usage_rollups.c.requests > 0)
    .group_by(usage_rollups.c.principal_id)
    .subquery("last_use")
)
_ACTIVE = select(
    func.sum(case((_last_use.c.day >= bindparam("last"), 1), else_=0)).label("daily"),
    func.sum(case((_last_use.c.day >= bindparam("week"), 1), else_=0)).label("weekly"),
    func.count().label("monthly"),
).select_from(_last_use)
_ASSIGNED = select(func.count()).where(
    principals.c.org_id == ORG_ID, principals.c.active, SEAT_STATE_NOW == "assigned"
)


@dataclass(frozen=True, slots=True)
class Report:
    """Which days, both inclusive, how their sums are divided, and which sums are wanted."""

    first_day: int
    last_day: int
    group_by: Sequence[str]
    attribution: str
    measures: Sequence[str] = MEASURES


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a window comes to; `forecast_nanousd` is null while it is too early to say."""

    window: str
    starts_at: datetime
    ends_at: datetime
    settled_nanousd: int
    forecast_nanousd: int | None


class Analytics:
    def __init__(self, uow: UnitOfWork, organizations: OrganizationService) -> None:
        self._uow = uow
        self._organizations = organizations

    def see_one_moment(self) -> None:
        """Let all parts of an answer add up."""
        self._uow.see_one_moment()

    def zone(self) -> str:
        return str(self._organizations.current().zone)

    def today(self) -> int:
        return day_of(self._uow.now, self.zone())

    def rows(self, report: Report, *, offset: int, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` rows of a report: by day, and the dearest first.

        Each has the measures and, of the dimensions, those that are grouped by.
        """
        statement = _statement(report).offset(bindparam("skipped")).limit(bindparam("most"))
        values = {"first": report.first_day, "last": report.last_day, "skipped": offset, "most": limit}
        found = self._uow.execute(statement, values).all()
        # Where there is nothing to sum up, the sum of all is one row of nulls.
        return self._named(report, [row for row in found if row[-1] is not None])

    def days(self, first_day: int, last_day: int) -> list[Row]:
        """All measures of each of these days that has any."""
        return self._uow.execute(_BY_DAY, {"first": first_day, "last": last_day}).all()

    def summary(self, report: Report) -> tuple[dict[str, int], list[Forecast]]:
        """The totals of a report, and for each window of the calendar what it comes to at its end."""
        now, zone = self._uow.now, self.zone()
        windows = [(window, *present_window(window, now, zone)) for window in FORECAST]
        first = min(day_of(starts_at, zone) for _, starts_at, _ in windows)
        days = self.days(min(first, report.first_day), max(day_of(now, zone), report.last_day))
        in_report = [row for row in days if report.first_day <= row.day <= report.last_day]
        totals = {name: sum(getattr(row, name) for row in in_report) for name in MEASURES}
        return totals, [self._forecast(*window, days) for window in windows]

    def _forecast(self, window: str, starts_at: datetime, ends_at: datetime, days: Sequence[Row]) -> Forecast:
        now, zone = self._uow.now, self.zone()
        first, last = day_of(starts_at, zone), day_of(now, zone)
        settled = sum(row.amount_nanousd for row in days if first <= row.day <= last)
        forecast = forecast_nanousd(settled, starts_at, ends_at, now)
        return Forecast(window, starts_at, ends_at, settled, forecast)

    def adoption(self) -> dict[str, int]:
        """Seats, and how many people used one today, in the last 7 days and in the last 30."""
        today = self.today()
        values = {
            "first": today - _DAYS_OF_A_MONTH + 1,
            "last": today,
            "week": today - _DAYS_OF_A_WEEK + 1,
        }
        active = self._uow.execute(_ACTIVE, values).one()
        return {
            "assigned": self._uow.execute(_ASSIGNED, {"now": self._uow.now}).scalar_one(),
            "daily": int(active.daily or 0),
            "weekly": int(active.weekly or 0),
            "monthly": int(active.monthly),
        }

    def default_first_day(self) -> int:
        return self.today() - _DAYS_OF_A_MONTH

    def _named(self, report: Report, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Rows as values, with the names of people and groups beside their ids."""
        shown: list[dict[str, Any]] = [dict(row._asdict()) for row in rows]
        if "user" in report.group_by:
            ids = sorted({row["principal_id"] for row in shown})
            people = {row.id: row for row in self._uow.execute(_USERS, {"ids": ids})}
            for row in shown:
                person = people[row.pop("principal_id")]
                row |= {"user_id": person.user_id, "user_name": person.user_name}
        if "group" in report.group_by:
            ids = sorted({row["group_id"] for row in shown if row["group_id"] is not None})
            names = {row.id: row.display_name for row in self._uow.execute(_GROUP_NAMES, {"ids": ids})}
            for row in shown:
                row["group_name"] = names.get(row["group_id"])
        for row in shown:
            for name in ("feature", "repository"):
                if name in row:
                    row[name] = row[name] or None
            if "day" in row:
                row["day"] = date.fromordinal(row["day"]).isoformat()
        return shown


def _statement(report: Report) -> Select[Any]:
    names = [name for name in DIMENSIONS if name in report.group_by]
    if "group" not in names:
        return _summed(report, names, usage_rollups, usage_rollups.c).where(*_in_range)
    groups_of, set_id, group_id = _GROUPS_OF[report.attribution]

    def with_groups(summed: FromClause) -> Join:
        is_of = and_(groups_of.c.org_id == ORG_ID, set_id == summed.c.set_id)
        return summed.outerjoin(groups_of, is_of)

    if "day" in names:
        # In the order of the key, so that the first page reads only the first days.
        return _summed(report, names, with_groups(usage_rollups), usage_rollups.c, group_id).where(*_in_range)
    # First by the few sets of groups, so that not each sum is joined with its groups.
    keys = [usage_rollups.c.set_id, *(usage_rollups.c[_COLUMNS[name]] for name in names if name != "group")]
    sums = _sums_of(usage_rollups.c, sorted({*report.measures, "amount_nanousd"}))
    by_set = select(*keys, *sums).where(*_in_range).group_by(*keys).subquery("by_set")
    return _summed(report, names, with_groups(by_set), by_set.c, group_id)


def _summed(
    report: Report,
    names: Sequence[str],
    source: FromClause,
    columns: ReadOnlyColumnCollection[str, Any],
    group_id: ColumnElement[Any] | None = None,
) -> Select[Any]:
    """The sums by these dimensions: by day, and the dearest first."""
    keys: list[Any] = [group_id if name == "group" else columns[_COLUMNS[name]] for name in names]
    days = [columns.day] if "day" in names else []
    cost = cast(func.sum(columns.amount_nanousd), BigInteger)
    statement = select(*keys, *_sums_of(columns, report.measures)).select_from(source)
    return statement.group_by(*keys).order_by(*days, cost.desc(), *keys)
