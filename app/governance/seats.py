"""Seats as administrators see and give them: list, give by hand, suspend, take back."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals, roles, users
from app.governance.entitlements import EntitlementService
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.models import seats

_BY_ID = select(seats).where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("user_id"))
_PERSON = (
    select(principals)
    .select_from(
        principals.join(
            users, and_(users.c.org_id == principals.c.org_id, users.c.id == principals.c.user_id)
        )
    )
    .where(
        principals.c.org_id == ORG_ID,
        principals.c.user_id == bindparam("user_id"),
        users.c.deleted_at.is_(None),
    )
    .with_for_update(of=principals)
)
# Shared, so that a change of the role either sees this seat or is seen by it.
_ROLE = (
    select(roles.c.id)
    .where(roles.c.org_id == ORG_ID, roles.c.id == bindparam("id"))
    .with_for_update(read=True)
)
_GIVE = upsert(seats)
_GIVE = _GIVE.on_conflict_do_update(
    index_elements=["org_id", "user_id"],
    set_={name: _GIVE.excluded[name] for name in ("manual_role_id", "reason")},
)
_TAKE_MANUAL = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("row_id"))
    .values(manual_role_id=None, reason=None)
)
_SET_STATE = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("row_id"))
    .values(state=bindparam("new_state"), since=bindparam("moment"))
)
_SHOW_STATE = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, principals.c.user_id == bindparam("row_id"))
    .values(seat_state=bindparam("new_state"), epoch=principals.c.epoch + 1)
)


class SeatService:
    def __init__(self, uow: UnitOfWork, entitlements: EntitlementService) -> None:
        self._uow = uow
        self._entitlements = entitlements

    def get(self, user_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"user_id": user_id}).first()
        if row is None:
            raise NotFoundError(f"The user {user_id!r} never had a seat.", code="seat_not_found")
        return row

    def page(self, *, after: str, limit: int, state: str | None) -> Sequence[Row]:
        """Up to `limit` seats of people with an id above `after`."""
        statement = (
            select(seats)
            .where(seats.c.org_id == ORG_ID, seats.c.user_id > bindparam("after"))
            .order_by(seats.c.user_id)
            .limit(limit)
        )
        values: dict[str, str] = {"after": after}
        if state is not None:
            statement = statement.where(seats.c.state == bindparam("state"))
            values["state"] = state
        return self._uow.execute(statement, values).all()

    def give(self, user_id: str, role_id: str, reason: str | None) -> Row:
        """Add the manual source; the person is assigned or takes a place in the waiting list."""
        uow = self._uow
        # The role before the person, as a change of the role takes them.
        if uow.execute(_ROLE, {"id": role_id}).first() is None:
            raise NotFoundError(f"There is no role with the id {role_id!r}.", code="role_not_found")
        person = uow.execute(_PERSON, {"user_id": user_id}).first()
        if person is None:
            raise NotFoundError(f"There is no user with the id {user_id!r}.", code="user_not_found")
        if not person.active:
            raise ConflictError("The person is inactive; reactivate them first.", code="user_inactive")
        values = {
            "user_id": user_id,
            "state": "released",
            "surfaces": list[str](),
            "sources": list[str](),
            "manual_role_id": role_id,
            "reason": reason,
            "since": uow.now,
            "waiting_rank": 0,
        }
        uow.execute(_GIVE, values)
        self._entitlements.refresh([user_id])
        return self.get(user_id)

    def take_back(self, user_id: str) -> None:
        """Remove the manual source; a seat that a group also gives stays."""
        uow = self._uow
        uow.execute(_PERSON, {"user_id": user_id}).first()
        if self.get(user_id).manual_role_id is None:
            raise ConflictError(
                "This seat was not given by hand; change the group or its mapping instead.",
                code="no_manual_seat",
            )
        uow.execute(_TAKE_MANUAL, {"row_id": user_id})
        self._entitlements.refresh([user_id])

    def suspend(self, user_id: str, *, suspended: bool, reason: str | None) -> Row:
        """Stop or resume the use of a seat, which keeps its place in the pool."""
        uow = self._uow
        uow.execute(_PERSON, {"user_id": user_id}).first()
        seat = self.get(user_id)
        old, new = ("assigned", "suspended") if suspended else ("suspended", "assigned")
        if seat.state == new:
            return seat
        if seat.state != old:
            raise ConflictError(f"The seat is {seat.state}, not {old}.", code="seat_state")
        uow.execute(_SET_STATE, {"row_id": user_id, "new_state": new, "moment": uow.now})
        uow.execute(_SHOW_STATE, {"row_id": user_id, "new_state": new})
        action = "seat.suspended" if suspended else "seat.resumed"
        data = {"role_id": seat.role_id, "reason": reason}
        uow.add(EntitlementsChanged((EntitlementChange(user_id, action, data),)))
        return self.get(user_id)
