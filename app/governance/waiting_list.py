"""Who waits for a seat: in mapping order, then in the order of asking.

It hands over what it is given and must not know how many places there are.
"""

from collections.abc import Sequence
from itertools import takewhile

from sqlalchemy import and_, bindparam, exists, func, or_, select, update

from app.core.connection import Row
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.models import job_people, seat_pools, seats

_ORDER = (seats.c.waiting_rank, seats.c.since, seats.c.user_id)
# People whom another transaction is deciding about at this moment are passed over; the job that is
# left behind comes back for them.
_NEXT = (
    select(seats.c.user_id, seats.c.role_id, principals.c.suspension, principals.c.lapses_at)
    .select_from(
        seats.join(
            principals,
            and_(principals.c.org_id == seats.c.org_id, principals.c.user_id == seats.c.user_id),
        )
    )
    .where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted", principals.c.active.is_(True))
    .order_by(*_ORDER)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_IS_ANYBODY_THERE = (
    select(seats.c.user_id).where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted").limit(1)
)
_is_complete = ~exists().where(job_people.c.org_id == ORG_ID)
_CAN_BE_SERVED = _IS_ANYBODY_THERE.where(_is_complete)
# Of the pool, because there may be no row of a seat.
_IS_BEFORE_ALL = select(seat_pools.c.org_id).where(
    seat_pools.c.org_id == ORG_ID,
    or_(exists().where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted"), ~_is_complete),
)
_LENGTH = (
    select(func.count()).select_from(seats).where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted")
)
_ASSIGN_SEATS = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, is_one_of(seats.c.user_id, "ids"))
    .values(state=bindparam("new_state"), since=bindparam("moment"))
)
_ASSIGN_PRINCIPALS = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.user_id, "ids"))
    .values(seat_state=bindparam("new_state"), epoch=principals.c.epoch + 1)
)
_line = (
    select(seats.c.user_id, func.row_number().over(order_by=_ORDER).label("position"))
    .where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted")
    .subquery()
)
_POSITIONS = select(_line.c.user_id, _line.c.position).where(is_one_of(_line.c.user_id, "ids"))


class WaitingList:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def is_anybody_there(self) -> bool:
        return self._uow.execute(_IS_ANYBODY_THERE).first() is not None

    def can_be_served(self) -> bool:
        """Whether somebody waits, and no job has still people to put on the list."""
        return self._uow.execute(_CAN_BE_SERVED).first() is not None

    def is_before_all(self) -> bool:
        """Whether a free place is not for whoever asks first, because somebody waits or soon will."""
        return self._uow.execute(_IS_BEFORE_ALL).first() is not None

    def length(self) -> int:
        return int(self._uow.execute(_LENGTH).scalar_one())

    def positions(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Where these waiting people stand, the next one at 1."""
        found = self._uow.execute(_POSITIONS, {"ids": list(user_ids)})
        return {row.user_id: row.position for row in found}

    def serve(self, places: int) -> int:
        """Give places to the first who wait; answers to how many.

        Not to somebody whose rights have lapsed, nor to anybody behind them: what they keep is still to be
        decided, and with it whose turn it is.
        """
        line = self._uow.execute(_NEXT, {"count": places})
        chosen = list(takewhile(lambda row: row.lapses_at is None or self._uow.now < row.lapses_at, line))
        self._assign("assigned", [row for row in chosen if row.suspension is None])
        self._assign("suspended", [row for row in chosen if row.suspension is not None])
        return len(chosen)

    def _assign(self, state: str, people: Sequence[Row]) -> None:
        if not people:
            return
        uow = self._uow
        ids = [row.user_id for row in people]
        uow.execute(_ASSIGN_SEATS, {"ids": ids, "new_state": state, "moment": uow.now})
        uow.execute(_ASSIGN_PRINCIPALS, {"ids": ids, "new_state": state})
        changes = [
            EntitlementChange(row.user_id, f"seat.{state}", {"role_id": row.role_id, "waited": True})
            for row in people
        ]
        uow.add(EntitlementsChanged(tuple(changes)))
