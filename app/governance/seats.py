"""Seats as administrators see and give them: list, give by hand, suspend, take back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import batches
from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals, roles, users
from app.governance.entitlements import EntitlementService
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.models import seats
from app.governance.removal_guard import HOLDING
from app.governance.waiting_list import WaitingList

# A tombstone whose person has come back under another id is no longer anybody's.
_SEATS = (
    select(seats, principals.c.suspension)
    .select_from(
        seats.outerjoin(
            principals,
            and_(principals.c.org_id == seats.c.org_id, principals.c.user_id == seats.c.user_id),
        )
    )
    .where(seats.c.org_id == ORG_ID)
)
_BY_ID = _SEATS.where(seats.c.user_id == bindparam("user_id"))
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
    set_={name: _GIVE.excluded[name] for name in ("manual_role_id", "given_by", "reason")},
)
_TAKE_MANUAL = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("row_id"))
    .values(manual_role_id=None, given_by=None, reason=None)
)
_SET_STATE = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("row_id"))
    .values(state=bindparam("new_state"), since=bindparam("moment"))
)
_SHOW_STATE = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, principals.c.user_id == bindparam("row_id"))
    .values(
        seat_state=bindparam("new_state"),
        suspension=bindparam("new_suspension"),
        epoch=principals.c.epoch + 1,
    )
)


class SeatService:
    def __init__(self, uow: UnitOfWork, entitlements: EntitlementService) -> None:
        self._uow = uow
        self._entitlements = entitlements

    def find(self, user_id: str) -> Row | None:
        """The person's seat and suspension; null for who was never seated."""
        return self._uow.execute(_BY_ID, {"user_id": user_id}).first()

    def get(self, user_id: str) -> Row:
        row = self.find(user_id)
        if row is None:
            raise NotFoundError(f"The user {user_id!r} never had a seat.", code="seat_not_found")
        return row

    def page(self, *, after: str, limit: int, state: str | None) -> Sequence[Row]:
        """Up to `limit` seats of people with an id above `after`."""
        statement = _SEATS.where(seats.c.user_id > bindparam("after")).order_by(seats.c.user_id).limit(limit)
        values: dict[str, str] = {"after": after}
        if state is not None:
            statement = statement.where(seats.c.state == bindparam("state"))
            values["state"] = state
        return self._uow.execute(statement, values).all()

    def waiting_positions(self, rows: Sequence[Row]) -> dict[str, int]:
        """Where those of the seats' people who wait stand in the list, the next one at 1."""
        ids = [row.user_id for row in rows if row.state == "waitlisted"]
        return WaitingList(self._uow).positions(ids) if ids else {}

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
        self.note_manual({user_id: role_id}, reason)
        self._entitlements.refresh([user_id])
        return self.get(user_id)

    def note_manual(self, role_ids: Mapping[str, str], reason: str | None) -> None:
        """Write roles by user id as manual sources of locked people, who are to be decided about next."""
        uow = self._uow
        given_by = asdict(uow.caller.actor)
        rows = [
            {
                "user_id": user_id,
                "state": "released",
                "surfaces": list[str](),
                "sources": list[str](),
                "manual_role_id": role_id,
                "given_by": given_by,
                "reason": reason,
                "since": uow.now,
                "waiting_rank": 0,
            }
            for user_id, role_id in role_ids.items()
        ]
        for batch in batches(rows):
            uow.execute_many(_GIVE, batch)

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
        """Stop or resume the use of a seat, which keeps its place in the pool.

        The suspension is the person's: it outlives the seat, also one that is lost by leaving, and the
        next one is suspended as well until it is lifted.
        """
        uow = self._uow
        person = uow.execute(_PERSON, {"user_id": user_id}).first()
        seat = self.get(user_id)
        is_suspended = person is not None and person.suspension is not None
        if suspended == is_suspended and seat.state in HOLDING:
            return seat
        if not (seat.state == "assigned" if suspended else is_suspended):
            wanted = "assigned" if suspended else "suspended"
            raise ConflictError(f"The seat is {seat.state}, not {wanted}.", code="seat_state")
        new_state, suspension = ("assigned" if seat.state == "suspended" else seat.state), None
        if suspended:
            new_state = "suspended"
            suspension = {"reason": reason, "by": asdict(uow.caller.actor), "since": rfc3339(uow.now)}
        if new_state != seat.state:
            uow.execute(_SET_STATE, {"row_id": user_id, "new_state": new_state, "moment": uow.now})
        uow.execute(_SHOW_STATE, {"row_id": user_id, "new_state": new_state, "new_suspension": suspension})
        action = "seat.suspended" if suspended else "seat.resumed"
        data = {"role_id": seat.role_id, "reason": reason}
        uow.add(EntitlementsChanged((EntitlementChange(user_id, action, data),)))
        return self.get(user_id)
