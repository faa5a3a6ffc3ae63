"""The one door through which every seat is taken and given back.

Assigned seats never pass the pool's quantity: the counter moves by conditional update and a CHECK
stands behind it. Who does not fit waits, in mapping order and then in the order of asking, and moves
up when a place is freed or bought. Nobody is ever evicted, also not by a contract that ends: then the
pool is over-assigned, and gives nothing out until it is no longer.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import BATCH
from app.core.errors import ConflictError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.principals import Principal
from app.governance.events import SeatPoolChanged
from app.governance.holds import MASS_DEACTIVATION, Holds
from app.governance.jobs import JobStore
from app.governance.models import seat_pools, seats
from app.governance.removal_guard import HOLDING, RemovalGuard
from app.governance.seat_contracts import SeatContract, SeatContracts
from app.governance.waiting_list import WaitingList

# So many people at most get a place in the transaction that gives it; the rest is a job's.
AT_ONCE = 5_000

_OPEN = upsert(seat_pools).values(quantity=None, assigned=0, kept=0, over_assigned=0).on_conflict_do_nothing()
_CURRENT = select(seat_pools).where(seat_pools.c.org_id == ORG_ID)
_LOCK = _CURRENT.with_for_update()
# An unlimited pool counts nothing, so that people who get or lose a seat there do not queue up for one
# row; the share lock only keeps a limit from being set meanwhile.
_UNLIMITED = _CURRENT.where(seat_pools.c.quantity.is_(None)).with_for_update(read=True)
# Not from a quantity that has turned meanwhile.
_TAKE = (
    update(seat_pools)
    .where(
        seat_pools.c.org_id == ORG_ID,
        seat_pools.c.assigned + seat_pools.c.kept + bindparam("count") <= seat_pools.c.quantity,
        or_(seat_pools.c.turns_at.is_(None), seat_pools.c.turns_at > bindparam("moment")),
    )
    .values(assigned=seat_pools.c.assigned + bindparam("count"))
)
_less_over_assigned = case(
    (seat_pools.c.over_assigned > bindparam("count"), seat_pools.c.over_assigned - bindparam("count")),
    else_=0,
)
_GIVE_BACK = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID)
    .values(assigned=seat_pools.c.assigned - bindparam("count"), over_assigned=_less_over_assigned)
)
_KEEP = update(seat_pools).where(seat_pools.c.org_id == ORG_ID).values(kept=seat_pools.c.kept + 1)
_STOP_KEEPING = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID, seat_pools.c.quantity.is_not(None))
    .values(kept=seat_pools.c.kept - bindparam("count"), over_assigned=_less_over_assigned)
)
_CLAIM = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID, seat_pools.c.quantity.is_not(None))
    .values(kept=seat_pools.c.kept - bindparam("count"), assigned=seat_pools.c.assigned + bindparam("count"))
)
_RESIZE = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID)
    .values(
        quantity=bindparam("new_quantity"),
        assigned=bindparam("now_assigned"),
        kept=bindparam("now_kept"),
        over_assigned=bindparam("now_over_assigned"),
        turns_at=bindparam("next_turn_at"),
    )
)
_HAS_TURNED = select(seat_pools.c.org_id).where(
    seat_pools.c.org_id == ORG_ID, seat_pools.c.turns_at <= bindparam("moment")
)
_COUNT_ASSIGNED = (
    select(func.count())
    .select_from(seats)
    .where(seats.c.org_id == ORG_ID, or_(*(seats.c.state == state for state in HOLDING)))
)


class Pool(NamedTuple):
    """`quantity` null: no limit. `kept` places wait for the people who lost them in a mass removal. An
    ended contract may have left more of both than the quantity.
    """

    org_id: str
    quantity: int | None
    assigned: int
    kept: int
    turns_at: datetime | None

    @property
    def available(self) -> int | None:
        return None if self.quantity is None else max(0, self.quantity - self.assigned - self.kept)

    @property
    def over_assigned(self) -> int:
        return 0 if self.quantity is None else max(0, self.assigned + self.kept - self.quantity)


class SeatPool:
    def __init__(self, uow: UnitOfWork, jobs: JobStore, guard: RemovalGuard, held: Holds) -> None:
        self._uow = uow
        self._jobs = jobs
        self._guard = guard
        self._holds = held
        self._contracts = SeatContracts(uow)
        self._line = WaitingList(uow)

    def open(self) -> None:
        """A new organization begins with an unlimited pool."""
        self._uow.execute(_OPEN)

    def current(self) -> Pool:
        """The pool of this moment, also when it has not followed its contracts yet."""
        pool = self._read(_CURRENT)
        return pool._replace(quantity=self._contracts.agreed().quantity) if self._has_turned(pool) else pool

    def hold(self) -> Pool:
        """The pool as it stays until this transaction ends; all people concerned are locked before.

        One without a limit is only kept from getting one, so that nobody waits for this transaction.
        """
        return self._read(_CURRENT) if self._is_unlimited() else self.lock()

    def contracts(self) -> list[SeatContract]:
        return self._contracts.all()

    def waiting(self) -> int:
        """How many people wait for a place."""
        return self._line.length()

    def take(self, count: int) -> int:
        """Take up to `count` places that nobody waits for and answer how many there were."""
        if self._is_unlimited():
            return count
        if self._line.is_before_all():
            return 0
        if self._take(count):
            return count
        pool = self.lock()
        if pool.available is None:
            return count
        places = min(count, pool.available)
        if places:
            self._take(places)
        return places

    def claim(self, people: Sequence[Principal]) -> set[str]:
        """Give those of the locked people whose place was kept that place; answers their principals' ids."""
        back = self._holds.drop_places([person.id for person in people])
        if back:
            self._uow.execute(_CLAIM, {"count": len(back)})
        return back

    def release(self, count: int, leaving: Principal | None = None) -> None:
        """Give places back and hand them to who waits.

        The place of somebody `leaving` is kept for their return while they leave in masses.
        """
        if not count or self._is_unlimited():
            return
        self._uow.execute(_GIVE_BACK, {"count": count})
        if not self._line.is_anybody_there():
            return
        if leaving is not None and self.lock().available and self._guard.catches():
            self._uow.execute(_KEEP)
            self._holds.add(MASS_DEACTIVATION, [(leaving.id, leaving.user_id)])
        else:
            self.hand_over()

    def stop_keeping(self, count: int) -> None:
        """So many kept places are for who waits, their holds being dropped."""
        self._uow.execute(_STOP_KEEPING, {"count": count})
        self.hand_over()

    def resize(self, quantity: int | None) -> Pool:
        """Have so many seats from today and for good, null for no limit; otherwise as `agree`."""
        return self.agree([] if quantity is None else [SeatContract(quantity, self._contracts.today())])

    def agree(self, contracts: Sequence[SeatContract]) -> Pool:
        """Replace all contracts; refuses what would take seats away from people today."""
        uow = self._uow
        pool = self._read(_LOCK)
        self._contracts.replace(contracts)
        after = self._follow(pool)
        if after.over_assigned:
            raise ConflictError(
                f"{pool.assigned} seats are assigned and {pool.kept} are kept for a held change, so the "
                f"pool cannot shrink to {after.quantity}. Release seats first; nobody is evicted.",
                code="seat_pool_in_use",
            )
        listed = [
            {name: None if value is None else str(value) for name, value in asdict(contract).items()}
            for contract in contracts
        ]
        data = {"quantity": after.quantity, "previous": pool.quantity, "contracts": listed}
        uow.add(SeatPoolChanged(uow.org_id, data))
        self.hand_over()
        return self.current()

    def has_turned(self) -> bool:
        """Whether a contract has begun or ended that the pool does not follow yet."""
        return self._uow.execute(_HAS_TURNED, {"moment": self._uow.now}).first() is not None

    def turn(self) -> None:
        """Follow the contracts, by the organization's zone, to this moment; new places go to who waits."""
        self._turn(self._read(_LOCK))
        self.hand_over()

    def lock(self) -> Pool:
        """The pool as it is at this moment, held until the transaction ends."""
        pool = self._read(_LOCK)
        return self._turn(pool) if self._has_turned(pool) else pool

    def _turn(self, pool: Pool) -> Pool:
        after = self._follow(pool)
        if after.quantity != pool.quantity:
            data = {"quantity": after.quantity, "previous": pool.quantity}
            self._uow.add(SeatPoolChanged(self._uow.org_id, data))
        return after

    def _follow(self, pool: Pool) -> Pool:
        now = self._contracts.agreed()
        after = pool._replace(quantity=now.quantity, turns_at=now.turns_at)
        if after.quantity is None and pool.kept:
            # There is a place for everybody.
            self._holds.drop_places()
            after = after._replace(kept=0)
        values = {
            "new_quantity": after.quantity,
            "now_assigned": 0 if after.quantity is None else after.assigned,
            "now_kept": after.kept,
            "now_over_assigned": after.over_assigned,
            "next_turn_at": after.turns_at,
        }
        self._uow.execute(_RESIZE, values)
        return after

    def _has_turned(self, pool: Pool) -> bool:
        return pool.turns_at is not None and pool.turns_at <= self._uow.now

    def _take(self, count: int) -> bool:
        return self._uow.execute(_TAKE, {"count": count, "moment": self._uow.now}).rowcount == 1

    def _is_unlimited(self) -> bool:
        return self._uow.execute(_UNLIMITED).first() is not None

    def _read(self, statement: Select[Any]) -> Pool:
        """The pool with its true number: what an unlimited one has given out is counted in the seats."""
        row = self._uow.execute(statement).one()
        if row.quantity is not None:
            return Pool(row.org_id, row.quantity, row.assigned, row.kept, row.turns_at)
        return Pool(row.org_id, None, int(self._uow.execute(_COUNT_ASSIGNED).scalar_one()), 0, None)

    def hand_over(self) -> None:
        """Assign free places to the waiting list, in its order; what is left is a job's."""
        _, has_more = self.serve(AT_ONCE)
        if has_more:
            self._jobs.start_hand_over(self.waiting())

    def serve(self, most: int) -> tuple[int, bool]:
        """Assign up to `most` places; answers how many, and whether somebody is left who could have one.

        Nobody is served while a job has still people to put on the list.
        """
        given = 0
        while self._line.can_be_served():
            pool = self.lock()
            free = BATCH if pool.available is None else pool.available
            if not free:
                break
            if given >= most:
                return given, True
            served = self._line.serve(min(BATCH, free, most - given))
            if not served:
                return given, True
            if pool.quantity is not None:
                self._take(served)
            given += served
        return given, False
