"""Whether people and the pool are what they should be, computed again from memberships, mappings and seats.

There is nothing to find unless somebody wrote past the services or these have a fault. What looks wrong is
looked at once more under its lock, because people change while they are read. The seat's row is the truth
about a seat: the pool counts those rows, and the principal repeats them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update

from app.core.batches import BATCH
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.governance.decisions import Decision, source_dict
from app.governance.entitlements import EntitlementService
from app.governance.events import DriftRepaired
from app.governance.models import seat_pools, seats
from app.governance.policy import load_policy
from app.governance.removal_guard import HOLDING
from app.governance.seat_pool import SeatPool

_NEXT_PEOPLE = (
    select(principals.c.user_id)
    .where(principals.c.org_id == ORG_ID, principals.c.user_id > bindparam("after"))
    .order_by(principals.c.user_id)
    .limit(BATCH)
)
_MIRROR = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.user_id, "ids"))
    .values(
        seat_state=select(seats.c.state)
        .where(seats.c.org_id == ORG_ID, seats.c.user_id == principals.c.user_id)
        .correlate(principals)
        .scalar_subquery(),
        epoch=principals.c.epoch + 1,
    )
)
_POOL = (
    select(seat_pools.c.quantity, seat_pools.c.assigned)
    .where(seat_pools.c.org_id == ORG_ID)
    .with_for_update()
)
_COUNT = (
    select(func.count())
    .select_from(seats)
    .where(seats.c.org_id == ORG_ID, or_(*(seats.c.state == state for state in HOLDING)))
)
_RECOUNT = (
    update(seat_pools)
    .where(seat_pools.c.org_id == ORG_ID, seat_pools.c.quantity >= bindparam("counted"))
    .values(assigned=bindparam("counted"))
)


@dataclass(frozen=True, slots=True)
class Drift:
    """One person who is not what they should be: by field what is stored and what should be."""

    user_id: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class PoolDrift:
    """The pool's counter, and how many seats there are."""

    stored: int
    counted: int


class DriftService:
    def __init__(self, uow: UnitOfWork, entitlements: EntitlementService, pool: SeatPool) -> None:
        self._uow = uow
        self._entitlements = entitlements
        self._pool = pool

    def people_after(self, user_id: str) -> list[str]:
        """The next batch of people, the deleted included; an empty one at the end."""
        return self._uow.execute(_NEXT_PEOPLE, {"after": user_id}).scalars()

    def find(self, user_ids: Sequence[str]) -> list[Drift]:
        """Who of these is not what they should be; only they stay locked."""
        suspects = [drift.user_id for drift in self._compare(user_ids)]
        if not suspects:
            return []
        # The policy is read when they are held, as every decision does.
        for _ in self._entitlements.preview(load_policy(self._uow), suspects, lock=True):
            pass
        return self._compare(suspects)

    def repair(self, drifts: Sequence[Drift]) -> None:
        """Make these locked people what they should be, by the service that always does."""
        if not drifts:
            return
        ids = [drift.user_id for drift in drifts]
        self._uow.execute(_MIRROR, {"ids": ids})
        self._entitlements.refresh(ids)
        self._uow.add(DriftRepaired(self._uow.org_id, {"user_ids": ids}))

    def find_in_pool(self) -> PoolDrift | None:
        """A counter that is not the number of seats; without a limit nothing is counted."""
        pool = self._uow.execute(_POOL).one()
        if pool.quantity is None:
            return None
        counted = int(self._uow.execute(_COUNT).scalar_one())
        return None if counted == pool.assigned else PoolDrift(pool.assigned, counted)

    def repair_pool(self, drift: PoolDrift) -> bool:
        """Count again; answers whether it helped. More seats than the quantity are nobody's to take here."""
        uow = self._uow
        if uow.execute(_RECOUNT, {"counted": drift.counted}).rowcount == 0:
            return False
        uow.add(DriftRepaired(uow.org_id, {"assigned": drift.counted, "previous": drift.stored}))
        self._pool.hand_over()
        return True

    def _compare(self, user_ids: Sequence[str]) -> list[Drift]:
        policy = load_policy(self._uow)
        return [
            Drift(decision.person.user_id, fields)
            for decisions in self._entitlements.preview(policy, user_ids, lock=False)
            for decision in decisions
            if (fields := _differences(decision))
        ]


def _differences(decision: Decision) -> dict[str, tuple[Any, Any]]:
    person, seat, entitlement = decision.person, decision.seat, decision.entitlement
    should_be: dict[str, tuple[Any, Any]] = {
        "seat_state": (person.seat_state, _state(decision)),
        "role_id": (person.role_id, entitlement.role_id),
        "surfaces": (person.surfaces, list(entitlement.surfaces)),
        "models": (person.models, None if entitlement.models is None else list(entitlement.models)),
        "denied_models": (person.denied_models, list(entitlement.denied_models)),
        "permissions": (person.permissions, list(entitlement.permissions)),
    }
    if seat is not None:
        should_be |= {
            "seat.role_id": (seat.role_id, entitlement.role_id),
            "seat.surfaces": (seat.surfaces, list(entitlement.surfaces)),
            "seat.sources": (seat.sources, [source_dict(source) for source in entitlement.sources]),
        }
    return {name: pair for name, pair in should_be.items() if pair[0] != pair[1]}


def _state(decision: Decision) -> str | None:
    stored = None if decision.seat is None else str(decision.seat.state)
    if decision.entitlement.wants_seat:
        # Which of the two it will be, the pool says.
        return "assigned" if stored in (None, "released") else stored
    return None if stored is None else "released"
