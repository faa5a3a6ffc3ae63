"""The one door through which every seat is taken and given back.

Assigned seats never pass the pool's quantity: the counter moves by conditional update and a CHECK
stands behind it. Who does not fit waits, in mapping order and then in the order of asking, and moves
up when a place is freed or bought. Nobody is ever evicted.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import BATCH, batches
from app.core.connection import Row
from app.core.errors import ConflictError
from app.core.sql import each_id, is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.governance.events import EntitlementChange, EntitlementsChanged, SeatPoolChanged
from app.governance.jobs import JobStore
from app.governance.models import job_people, seat_pools, seats

# So many people at most get a place in the transaction that gives it; the rest is a job's.
AT_ONCE = 5_000
HOLDING = ("assigned", "suspended")

_OPEN = upsert(seat_pools).values(quantity=None, assigned=0).on_conflict_do_nothing()
_CURRENT = select(seat_pools).where(seat_pools.c.org_id == ORG_ID)
_LOCK = _CURRENT.with_for_update()
# An unlimited pool counts nothing, so that people who get or lose a seat there do not queue up for one
# row; the share lock only keeps a limit from being set meanwhile.
_UNLIMITED = _CURRENT.where(seat_pools.c.quantity.is_(None)).with_for_update(read=True)
_TAKE = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID, seat_pools.c.assigned + bindparam("count") <= seat_pools.c.quantity)
    .values(assigned=seat_pools.c.assigned + bindparam("count"))
)
_GIVE_BACK = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID)
    .values(assigned=seat_pools.c.assigned - bindparam("count"))
)
_RESIZE = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID)
    .values(quantity=bindparam("new_quantity"), assigned=bindparam("now_assigned"))
)
_COUNT_ASSIGNED = (
    select(func.count())
    .select_from(seats)
    .where(seats.c.org_id == ORG_ID, or_(*(seats.c.state == state for state in HOLDING)))
)
_SEAT_COLUMNS = (
    "state",
    "role_id",
    "surfaces",
    "sources",
    "manual_role_id",
    "reason",
    "since",
    "waiting_rank",
)
_OVERWRITE: dict[str, Any] = {
    "index_elements": ["org_id", "user_id"],
    "set_": {name: upsert(seats).excluded[name] for name in _SEAT_COLUMNS},
}
_STORE = upsert(seats).on_conflict_do_update(**_OVERWRITE)
_ids = each_id("ids")
_STORE_ALIKE = (
    upsert(seats)
    .from_select(
        ["org_id", "user_id", *_SEAT_COLUMNS],
        select(
            ORG_ID,
            _ids.c.value,
            *(bindparam(f"new_{name}", type_=seats.c[name].type) for name in _SEAT_COLUMNS),
        )
        # SQLite cannot tell the conflict from a join's condition without a WHERE.
        .where(_ids.c.value.is_not(None)),
    )
    .on_conflict_do_update(**_OVERWRITE)
)
# People whom another transaction is deciding about at this moment are passed over; the job that is
# left behind comes back for them.
_NEXT = (
    select(seats.c.user_id, seats.c.role_id)
    .select_from(
        seats.join(
            principals,
            and_(principals.c.org_id == seats.c.org_id, principals.c.user_id == seats.c.user_id),
        )
    )
    .where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted", principals.c.active.is_(True))
    .order_by(seats.c.waiting_rank, seats.c.since, seats.c.user_id)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_IS_ANYBODY_WAITING = (
    select(seats.c.user_id).where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted").limit(1)
)
_is_list_complete = ~exists().where(job_people.c.org_id == ORG_ID)
_CAN_BE_SERVED = _IS_ANYBODY_WAITING.where(_is_list_complete)
_IS_PLACE_CONTESTED = select(seat_pools.c.org_id).where(
    seat_pools.c.org_id == ORG_ID,
    or_(exists().where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted"), ~_is_list_complete),
)
_COUNT_WAITING = (
    select(func.count()).select_from(seats).where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted")
)
_ASSIGN_SEATS = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, is_one_of(seats.c.user_id, "ids"))
    .values(state="assigned", since=bindparam("moment"))
)
_ASSIGN_PRINCIPALS = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.user_id, "ids"))
    .values(seat_state="assigned", epoch=principals.c.epoch + 1)
)


class Pool(NamedTuple):
    org_id: str
    quantity: int | None
    assigned: int


class SeatPool:
    def __init__(self, uow: UnitOfWork, jobs: JobStore) -> None:
        self._uow = uow
        self._jobs = jobs

    def open(self) -> None:
        """A new organization begins with an unlimited pool."""
        self._uow.execute(_OPEN)

    def current(self) -> Pool:
        return self._read(_CURRENT)

    def hold(self) -> Pool:
        """The pool as it stays until this transaction ends; all people concerned are locked before.

        One without a limit is only kept from getting one, so that nobody waits for this transaction.
        """
        return self._read(_CURRENT if self._is_unlimited() else _LOCK)

    def waiting(self) -> int:
        """How many people wait for a place."""
        return int(self._uow.execute(_COUNT_WAITING).scalar_one())

    def take(self, count: int) -> int:
        """Take up to `count` places that nobody waits for and answer how many there were."""
        uow = self._uow
        if self._is_unlimited():
            return count
        if uow.execute(_IS_PLACE_CONTESTED).first() is not None:
            return 0
        if uow.execute(_TAKE, {"count": count}).rowcount == 1:
            return count
        pool = self._read(_LOCK)
        if pool.quantity is None:
            return count
        places = max(0, min(count, pool.quantity - pool.assigned))
        if places:
            uow.execute(_TAKE, {"count": places})
        return places

    def release(self, count: int) -> None:
        """Give places back and hand them to who waits."""
        if count and not self._is_unlimited():
            self._uow.execute(_GIVE_BACK, {"count": count})
            self.hand_over()

    def resize(self, quantity: int | None) -> Pool:
        """Set the size, null for no limit; refuses one that would take seats away from people."""
        uow = self._uow
        pool = self._read(_LOCK)
        if quantity is not None and quantity < pool.assigned:
            raise ConflictError(
                f"{pool.assigned} seats are assigned, so the pool cannot shrink to {quantity}. "
                "Release seats first; nobody is evicted.",
                code="seat_pool_in_use",
            )
        counted = 0 if quantity is None else pool.assigned
        uow.execute(_RESIZE, {"new_quantity": quantity, "now_assigned": counted})
        uow.add(SeatPoolChanged(uow.org_id, {"quantity": quantity, "previous": pool.quantity}))
        self.hand_over()
        return self.current()

    def _is_unlimited(self) -> bool:
        return self._uow.execute(_UNLIMITED).first() is not None

    def _read(self, statement: Select[Any]) -> Pool:
        """The pool with its true number: what an unlimited one has given out is counted in the seats."""
        row = self._uow.execute(statement).one()
        if row.quantity is not None:
            return Pool(row.org_id, row.quantity, row.assigned)
        return Pool(row.org_id, None, int(self._uow.execute(_COUNT_ASSIGNED).scalar_one()))

    def hand_over(self) -> None:
        """Assign free places to the waiting list, in its order; what is left is a job's."""
        _, has_more = self.serve(AT_ONCE)
        if has_more:
            self._jobs.start_hand_over(self.waiting())

    def serve(self, most: int) -> tuple[int, bool]:
        """Assign up to `most` places; answers how many, and whether somebody is left who could have one.

        Nobody is served while a job has still people to put on the list.
        """
        uow, given = self._uow, 0
        while uow.execute(_CAN_BE_SERVED).first() is not None:
            pool = self._read(_LOCK)
            free = BATCH if pool.quantity is None else pool.quantity - pool.assigned
            if free <= 0:
                break
            if given >= most:
                return given, True
            chosen = uow.execute(_NEXT, {"count": min(BATCH, free, most - given)}).all()
            if not chosen:
                return given, True
            self._assign(chosen, is_counted=pool.quantity is not None)
            given += len(chosen)
        return given, False

    def _assign(self, chosen: Sequence[Row], *, is_counted: bool) -> None:
        uow, ids = self._uow, [row.user_id for row in chosen]
        if is_counted:
            uow.execute(_TAKE, {"count": len(ids)})
        uow.execute(_ASSIGN_SEATS, {"ids": ids, "moment": uow.now})
        uow.execute(_ASSIGN_PRINCIPALS, {"ids": ids})
        changes = [
            EntitlementChange(row.user_id, "seat.assigned", {"role_id": row.role_id, "waited": True})
            for row in chosen
        ]
        uow.add(EntitlementsChanged(tuple(changes)))

    def store_seats(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write whole rows; seats that are alike, as most are after a change of policy, are one statement."""
        alike: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            shared = {name: row[name] for name in _SEAT_COLUMNS}
            alike.setdefault(json.dumps(shared, default=str), []).append(row)
        alone = [same[0] for same in alike.values() if len(same) == 1]
        for batch in batches(alone):
            self._uow.execute_many(_STORE, batch)
        for same in alike.values():
            values = {f"new_{name}": same[0][name] for name in _SEAT_COLUMNS}
            for batch in batches(same if len(same) > 1 else ()):
                self._uow.execute(_STORE_ALIKE, {**values, "ids": [row["user_id"] for row in batch]})
