"""Who took a place in the seat pool from when until when, noted by comparing, so that no request waits.

A day on which a seat was taken at all is a day of it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, case, func, insert, or_, select, update

from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import users
from app.governance.models import seats
from app.spend.usage_calendar import day_of, first_day, start_of
from app.spend.usage_models import seat_periods

_MOMENT = timedelta(microseconds=1)
_takes_place = or_(seats.c.state == "assigned", seats.c.state == "suspended")
_seat_of = users.join(seats, and_(seats.c.org_id == users.c.org_id, seats.c.user_id == users.c.id))
_BEGUN = (
    select(users.c.principal_id, seats.c.since)
    .select_from(
        _seat_of.outerjoin(
            seat_periods,
            and_(
                seat_periods.c.org_id == users.c.org_id,
                seat_periods.c.principal_id == users.c.principal_id,
                seat_periods.c.ends_at.is_(None),
            ),
        )
    )
    .where(users.c.org_id == ORG_ID, _takes_place, seat_periods.c.id.is_(None))
)
_OVER = (
    select(seat_periods.c.id, func.max(seats.c.since).label("ends_at"))
    .select_from(
        seat_periods.join(
            users,
            and_(
                users.c.org_id == seat_periods.c.org_id,
                users.c.principal_id == seat_periods.c.principal_id,
            ),
        ).join(seats, and_(seats.c.org_id == users.c.org_id, seats.c.user_id == users.c.id))
    )
    .where(seat_periods.c.org_id == ORG_ID, seat_periods.c.ends_at.is_(None))
    .group_by(seat_periods.c.id)
    .having(func.max(case((_takes_place, 1), else_=0)) == 0)
)
_INSERT = insert(seat_periods)
_END = (
    update(seat_periods)
    .where(seat_periods.c.org_id == ORG_ID, seat_periods.c.id == bindparam("row_id"))
    .values(ends_at=bindparam("moment"))
)
_OVERLAPPING = select(seat_periods.c.principal_id, seat_periods.c.starts_at, seat_periods.c.ends_at).where(
    seat_periods.c.org_id == ORG_ID,
    seat_periods.c.starts_at < bindparam("before"),
    or_(seat_periods.c.ends_at.is_(None), seat_periods.c.ends_at > bindparam("after")),
)


class SeatPeriods:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def note(self) -> None:
        """Begin and end periods as the seats have changed since the last time."""
        uow = self._uow
        over = [{"row_id": row.id, "moment": row.ends_at} for row in uow.execute(_OVER)]
        if over:
            uow.execute_many(_END, over)
        begun = {row.principal_id: row.since for row in uow.execute(_BEGUN)}
        if begun:
            rows = [
                {"id": uow.ids.new(), "principal_id": principal_id, "starts_at": since}
                for principal_id, since in begun.items()
            ]
            uow.execute_many(_INSERT, rows)

    def days(self, month: int, zone: str) -> Mapping[str, int]:
        """For each principal on how many days of the month, until now, a seat was taken."""
        now = self._uow.now
        start, end = start_of(first_day(month), zone), start_of(first_day(month + 1), zone)
        until = min(end, now + _MOMENT)
        days: dict[str, set[int]] = {}
        for row in self._uow.execute(_OVERLAPPING, {"before": until, "after": start}):
            first = day_of(max(row.starts_at, start), zone)
            last = day_of(_last_moment(row.ends_at, until), zone)
            days.setdefault(row.principal_id, set()).update(range(first, last + 1))
        return {principal_id: len(each) for principal_id, each in days.items()}


def _last_moment(ends_at: datetime | None, until: datetime) -> datetime:
    return (until if ends_at is None else min(ends_at, until)) - _MOMENT
