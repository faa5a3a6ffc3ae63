"""Where somebody stands in the waiting list, in the order in which the pool hands free places over."""

from sqlalchemy import and_, bindparam, func, or_, select

from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.governance.models import seats

_mine = seats.alias("mine")
_is_before = or_(
    seats.c.waiting_rank < _mine.c.waiting_rank,
    and_(
        seats.c.waiting_rank == _mine.c.waiting_rank,
        or_(
            seats.c.since < _mine.c.since,
            and_(seats.c.since == _mine.c.since, seats.c.user_id <= _mine.c.user_id),
        ),
    ),
)
_PLACE = (
    select(func.count())
    .select_from(_mine.join(seats, and_(seats.c.org_id == _mine.c.org_id, _is_before)))
    .where(
        _mine.c.org_id == ORG_ID,
        seats.c.org_id == ORG_ID,
        _mine.c.user_id == bindparam("user_id"),
        _mine.c.state == "waitlisted",
        seats.c.state == "waitlisted",
    )
)


class WaitingList:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def place_of(self, user_id: str) -> int | None:
        """The person's place in the waiting list, from 1; null for who does not wait."""
        count: int = self._uow.execute(_PLACE, {"user_id": user_id}).scalar_one()
        return count or None
