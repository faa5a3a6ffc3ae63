"""Bills: a seat's fee by days plus usage, for each month of the organization's calendar.

A month is closed once, a day after its end, and never changes. What is recorded of it later is billed in
the first month that is open then, so that all bills together are the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy import BigInteger, and_, bindparam, cast, func, insert, select, update

from app.core.connection import Row
from app.core.errors import NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals, users
from app.directory.organizations import OrganizationService
from app.spend.billing_events import BillClosed
from app.spend.billing_seats import SeatPeriods
from app.spend.rollups import RollUps
from app.spend.usage_calendar import day_of, first_day, month_name, month_of, start_of
from app.spend.usage_forecasts import LimitForecasts
from app.spend.usage_models import bill_lines, bills, spend_progress, usage_rollups

CLOSES_AFTER = timedelta(days=1)
LOOKS_EVERY = timedelta(minutes=1)

_STORED = select(bills).where(bills.c.org_id == ORG_ID)
_STORED_LINES = select(bill_lines).where(
    bill_lines.c.org_id == ORG_ID, bill_lines.c.month == bindparam("month")
)
_INSERT = insert(bills)
_INSERT_LINE = insert(bill_lines)
_FIRST = select(func.min(usage_rollups.c.month)).where(usage_rollups.c.org_id == ORG_ID)
_USAGE = (
    select(
        usage_rollups.c.principal_id,
        cast(func.sum(usage_rollups.c.amount_nanousd), BigInteger).label("nanousd"),
    )
    .where(usage_rollups.c.org_id == ORG_ID, usage_rollups.c.month == bindparam("month"))
    .group_by(usage_rollups.c.principal_id)
)
_LOOKED = (
    update(spend_progress).where(spend_progress.c.org_id == ORG_ID).values(looked_at=bindparam("moment"))
)
_CLOSED = (
    update(spend_progress).where(spend_progress.c.org_id == ORG_ID).values(closed_month=bindparam("month"))
)
_NAMES = (
    select(principals.c.id, principals.c.user_id, users.c.user_name)
    .select_from(
        principals.join(
            users, and_(users.c.org_id == principals.c.org_id, users.c.id == principals.c.user_id)
        )
    )
    .where(principals.c.org_id == ORG_ID)
)


@dataclass(frozen=True, slots=True)
class Line:
    """One person's part of a bill."""

    principal_id: str
    seat_days: int
    seats_nanousd: int
    usage_nanousd: int


@dataclass(frozen=True, slots=True)
class Bill:
    """`closed_at` is null while the month may still change."""

    month: int
    seat_days: int
    seats_nanousd: int
    usage_nanousd: int
    closed_at: datetime | None


class Billing:
    def __init__(
        self,
        uow: UnitOfWork,
        organizations: OrganizationService,
        periods: SeatPeriods,
        rollups: RollUps,
        forecasts: LimitForecasts,
    ) -> None:
        self._uow = uow
        self._organizations = organizations
        self._periods = periods
        self._rollups = rollups
        self._forecasts = forecasts

    def is_due(self) -> bool:
        progress = self._rollups.progress()
        looked_at = progress and progress.looked_at
        return looked_at is None or looked_at <= self._uow.now - LOOKS_EVERY

    def look(self) -> bool:
        """Note seats, tell forecasts and close a month that is over; answers whether there is another."""
        progress = self._rollups.lock()
        self._periods.note()
        self._forecasts.give_notices()
        self._uow.execute(_LOOKED, {"moment": self._uow.now})
        # What was recorded until then belongs to the month; calls that keep coming do not hold it open.
        complete_until = self._rollups.complete_until(progress)
        month = self._next(progress.closed_month)
        if complete_until < self._closes_at(month):
            return False
        self._close(month)
        return complete_until >= self._closes_at(month + 1)

    def all(self) -> list[Bill]:
        """Every month's bill, the latest first; the open ones are made up to this moment."""
        self._uow.see_one_moment()
        progress = self._rollups.progress()
        stored = [
            Bill(row.month, row.seat_days, row.seats_nanousd, row.usage_nanousd, row.closed_at)
            for row in self._uow.execute(_STORED)
        ]
        first = self._next(progress and progress.closed_month)
        opened = [self._bill(month, self._made(month)) for month in range(first, self.present() + 1)]
        return sorted([*stored, *opened], key=lambda bill: -bill.month)

    def lines(self, month: int) -> list[tuple[Line, Row]]:
        """Each person's part of a month with their id and name, the dearest first."""
        self._uow.see_one_moment()
        progress = self._rollups.progress()
        closed = progress and progress.closed_month
        if closed is not None and month <= closed:
            found = [
                Line(row.principal_id, row.seat_days, row.seats_nanousd, row.usage_nanousd)
                for row in self._uow.execute(_STORED_LINES, {"month": month})
            ]
        elif month <= self.present():
            found = self._made(month)
        else:
            raise NotFoundError("There is no bill of a month to come.", code="bill_not_found")
        names = {row.id: row for row in self._uow.execute(_NAMES)}
        ordered = sorted(
            found, key=lambda line: (-(line.seats_nanousd + line.usage_nanousd), line.principal_id)
        )
        return [(line, names[line.principal_id]) for line in ordered]

    def present(self) -> int:
        """The month that it is now."""
        return month_of(day_of(self._uow.now, self._organizations.current().zone))

    def _next(self, closed_month: int | None) -> int:
        """The first month that is not closed."""
        if closed_month is not None:
            return closed_month + 1
        organization = self._organizations.current()
        founded = month_of(day_of(organization.created_at, organization.zone))
        first: int | None = self._uow.execute(_FIRST).scalar_one()
        return min(founded, self.present(), *([] if first is None else [first]))

    def _closes_at(self, month: int) -> datetime:
        return start_of(first_day(month + 1), self._organizations.current().zone) + CLOSES_AFTER

    def _made(self, month: int) -> list[Line]:
        organization = self._organizations.current()
        days = self._periods.days(month, organization.zone)
        usage = {row.principal_id: row.nanousd for row in self._uow.execute(_USAGE, {"month": month})}
        length = first_day(month + 1) - first_day(month)
        return [
            Line(
                principal_id,
                days.get(principal_id, 0),
                # Half to even, for each person, so that the lines sum to the bill.
                round(Fraction(organization.seat_fee_nanousd * days.get(principal_id, 0), length)),
                usage.get(principal_id, 0),
            )
            for principal_id in sorted({*days, *usage})
        ]

    def _bill(self, month: int, lines: Sequence[Line], closed_at: datetime | None = None) -> Bill:
        return Bill(
            month,
            sum(line.seat_days for line in lines),
            sum(line.seats_nanousd for line in lines),
            sum(line.usage_nanousd for line in lines),
            closed_at,
        )

    def _close(self, month: int) -> None:
        uow = self._uow
        lines = self._made(month)
        bill = self._bill(month, lines, uow.now)
        values = {name: getattr(bill, name) for name in Bill.__dataclass_fields__}
        uow.execute(_INSERT, values)
        if lines:
            rows = [
                {"month": month, **{name: getattr(line, name) for name in Line.__dataclass_fields__}}
                for line in lines
            ]
            uow.execute_many(_INSERT_LINE, rows)
        uow.execute(_CLOSED, {"month": month})
        amounts = {name: values[name] for name in ("seat_days", "seats_nanousd", "usage_nanousd")}
        uow.add(BillClosed(uow.org_id, {"month": month_name(month), **amounts}))
