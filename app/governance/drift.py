"""Whether people and the pool are what they should be, computed again from memberships, mappings and seats.

There is nothing to find unless somebody wrote past the services or these have a fault. What looks wrong is
looked at once more under its lock, because people change while they are read. Nobody is looked at about
whom the worker is still to decide: people of a running job, of mappings whose time has just come or gone, and
those whose seat by signing in has just ended.
The seat's row is the truth about a seat: the pool counts those rows, and the principal repeats them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, union_all, update

from app.core.batches import BATCH, batches
from app.core.clock import rfc3339
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, principals
from app.governance.decider import Decider
from app.governance.decisions import Decision, source_dict
from app.governance.entitlements import EntitlementService
from app.governance.events import DriftRepaired
from app.governance.holds import IS_PLACE, Holds
from app.governance.jit_seats import IS_LAPSED
from app.governance.models import group_mappings, holds, job_people, seat_pools, seats
from app.governance.policy import IS_DUE, jit_seats_since, load_policy
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
# Those about whom the worker is still to decide.
_PENDING = union_all(
    select(job_people.c.user_id).where(job_people.c.org_id == ORG_ID, is_one_of(job_people.c.user_id, "ids")),
    select(principals.c.user_id).where(
        principals.c.org_id == ORG_ID, is_one_of(principals.c.user_id, "ids"), IS_LAPSED
    ),
    *(
        select(table.c.user_id)
        .select_from(
            table.join(
                group_mappings,
                and_(
                    group_mappings.c.org_id == table.c.org_id, group_mappings.c.group_id == table.c.group_id
                ),
            )
        )
        .where(table.c.org_id == ORG_ID, is_one_of(table.c.user_id, "ids"), IS_DUE)
        for table in (memberships, holds)
    ),
)
_POOL = select(seat_pools).where(seat_pools.c.org_id == ORG_ID).with_for_update()
_COUNT = select(
    select(func.count())
    .select_from(seats)
    .where(seats.c.org_id == ORG_ID, or_(*(seats.c.state == state for state in HOLDING)))
    .scalar_subquery()
    .label("assigned"),
    select(func.count())
    .select_from(holds)
    .where(holds.c.org_id == ORG_ID, IS_PLACE)
    .scalar_subquery()
    .label("kept"),
)
# No more above the quantity than an ended contract has left people with.
_RECOUNT = (
    update(seat_pools)
    .where(
        seat_pools.c.org_id == ORG_ID,
        seat_pools.c.quantity + seat_pools.c.over_assigned >= bindparam("most"),
    )
    .values({name: bindparam(f"new_{name}") for name in ("assigned", "kept", "over_assigned")})
)


@dataclass(frozen=True, slots=True)
class Drift:
    """One person who is not what they should be: by field what is stored and what should be."""

    user_id: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class PoolDrift:
    """The pool's counters: by name what is stored and what should be, of all three."""

    counters: Mapping[str, tuple[int, int]]


class DriftService:
    def __init__(
        self, uow: UnitOfWork, entitlements: EntitlementService, pool: SeatPool, held: Holds
    ) -> None:
        self._uow = uow
        self._entitlements = entitlements
        self._pool = pool
        self._decider = Decider(uow, held)

    def people_after(self, user_id: str) -> list[str]:
        """The next batch of people, the deleted included; an empty one at the end."""
        return self._uow.execute(_NEXT_PEOPLE, {"after": user_id}).scalars()

    def find(self, user_ids: Sequence[str]) -> list[Drift]:
        """Who of these is not what they should be; only they stay locked."""
        suspects = [drift.user_id for drift in self._compare(user_ids)]
        if not suspects:
            return []
        for batch in batches(suspects):
            self._decider.lock(batch)
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
        """Counters that are not the number of what they count; without a limit nothing is counted."""
        pool = self._uow.execute(_POOL).one()
        if pool.quantity is None:
            return None
        counted = self._uow.execute(_COUNT).one()
        counters = {
            "assigned": (pool.assigned, counted.assigned),
            "kept": (pool.kept, counted.kept),
            "over_assigned": (
                pool.over_assigned,
                max(0, counted.assigned + counted.kept - pool.quantity),
            ),
        }
        is_right = all(stored == expected for stored, expected in counters.values())
        return None if is_right else PoolDrift(counters)

    def repair_pool(self, drift: PoolDrift) -> bool:
        """Count again; answers whether it helped. More seats than there may be are nobody's to take here."""
        uow = self._uow
        expected = {name: pair[1] for name, pair in drift.counters.items()}
        values = {f"new_{name}": value for name, value in expected.items()}
        most = expected["assigned"] + expected["kept"]
        if uow.execute(_RECOUNT, {**values, "most": most}).rowcount == 0:
            return False
        previous = {name: pair[0] for name, pair in drift.counters.items()}
        uow.add(DriftRepaired(uow.org_id, {**expected, "previous": previous}))
        self._pool.hand_over()
        return True

    def _compare(self, user_ids: Sequence[str]) -> list[Drift]:
        policy = load_policy(self._uow)
        moments = {"now": self._uow.now, "since": jit_seats_since(self._uow)}
        found = []
        for batch in batches(user_ids):
            # Before the people, so that whoever is decided about meanwhile is seen as they are then.
            pending = set(self._uow.execute(_PENDING, {**moments, "ids": list(batch)}).scalars())
            settled = [user_id for user_id in batch if user_id not in pending]
            for decision in self._decider.decide(self._decider.people(settled), policy):
                fields = _differences(decision)
                if fields:
                    found.append(Drift(decision.person.user_id, fields))
        return found


def _differences(decision: Decision) -> dict[str, tuple[Any, Any]]:
    person, seat, entitlement = decision.person, decision.seat, decision.entitlement
    should_be: dict[str, tuple[Any, Any]] = {
        "seat_state": (person.seat_state, _state(decision)),
        "role_id": (person.role_id, entitlement.role_id),
        "surfaces": (person.surfaces, list(entitlement.surfaces)),
        "models": (person.models, None if entitlement.models is None else list(entitlement.models)),
        "denied_models": (person.denied_models, list(entitlement.denied_models)),
        "permissions": (person.permissions, list(entitlement.permissions)),
        "lapses_at": (_said(person.lapses_at), _said(entitlement.lapses_at)),
    }
    if seat is not None:
        should_be |= {
            "seat.role_id": (seat.role_id, entitlement.role_id),
            "seat.surfaces": (seat.surfaces, list(entitlement.surfaces)),
            "seat.sources": (seat.sources, [source_dict(source) for source in entitlement.sources]),
        }
        if seat.state == "waitlisted" and entitlement.wants_seat:
            should_be["seat.waiting_rank"] = seat.waiting_rank, entitlement.waiting_rank
    return {name: pair for name, pair in should_be.items() if pair[0] != pair[1]}


def _said(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _state(decision: Decision) -> str | None:
    stored = None if decision.seat is None else str(decision.seat.state)
    if decision.entitlement.wants_seat:
        # Which of the two it will be, the pool says.
        return "assigned" if stored in (None, "released") else stored
    return None if stored is None else "released"
