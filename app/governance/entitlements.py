"""Applies the resolver's decision to any set of people: one, a group of 50,000, everybody.

Each batch locks its people first and reads policy, memberships and seats afterwards, so that two
parallel changes of the same person cannot both decide on what the other has not seen. Losses always
happen here, in the caller's transaction; of many people who have nothing yet, a job gives them theirs.
Locks go groups, principals, seats, seat pool: the pool is only touched when all people are decided.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from app.core.batches import batches
from app.core.connection import Row
from app.core.sql import each_id, is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, principals
from app.directory.principals import COLUMNS, Principal
from app.directory.principals import store as store_principals
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.jobs import JobStore
from app.governance.models import seats
from app.governance.policy import load_policy, load_policy_of
from app.governance.resolver import NOTHING, Entitlement, Policy, Source
from app.governance.schedule import entitle
from app.governance.seat_pool import AT_ONCE, HOLDING, SeatPool

_PEOPLE = (
    select(*COLUMNS)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.user_id, "ids"))
    .order_by(principals.c.id)
)
_LOCK_PEOPLE = _PEOPLE.with_for_update()
# Only groups that are mapped can give anything.
_MEMBERSHIPS = select(memberships.c.user_id, memberships.c.group_id).where(
    memberships.c.org_id == ORG_ID,
    is_one_of(memberships.c.user_id, "ids"),
    memberships.c.group_id.in_(select(each_id("group_ids").c.value)),
)
_SEATS = select(seats).where(seats.c.org_id == ORG_ID, is_one_of(seats.c.user_id, "ids"))
_EMPTY_SEAT = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("for_user_id"))
    .values(
        state="released",
        role_id=None,
        surfaces=[],
        sources=[],
        manual_role_id=None,
        reason=None,
        since=bindparam("moment"),
        waiting_rank=0,
    )
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person had and what the resolver says now."""

    person: Principal
    seat: Row | None
    entitlement: Entitlement

    @property
    def state(self) -> str | None:
        state: str | None = self.person.seat_state
        return state

    @property
    def loses_seat(self) -> bool:
        return not self.entitlement.wants_seat and self.state not in (None, "released")

    @property
    def needs_seat(self) -> bool:
        return self.entitlement.wants_seat and self.state in (None, "released")


class EntitlementService:
    def __init__(self, uow: UnitOfWork, pool: SeatPool, jobs: JobStore) -> None:
        self._uow = uow
        self._pool = pool
        self._jobs = jobs

    def refresh(self, user_ids: Iterable[str], asked_at: datetime | None = None) -> None:
        """Decide again for these people and make it so; unchanged people cost no write.

        More than `AT_ONCE` people who have nothing yet are left to a job, which `JobStore.started` then
        names; a job itself leaves nothing and says when its people asked.
        """
        ids = sorted(set(user_ids))
        may_leave = asked_at is None and len(ids) > AT_ONCE
        newcomers: list[Decision] = []
        later: list[str] = []
        freed = 0
        for batch in batches(ids):
            decisions = self._lock_and_decide(batch)
            freed += self._take_away(decisions)
            for decision in decisions:
                if not decision.needs_seat:
                    continue
                # Who has a role could lose something by the new one, and that does not wait.
                if may_leave and decision.person.role_id is None:
                    later.append(decision.person.user_id)
                else:
                    newcomers.append(decision)
        if len(later) > AT_ONCE:
            self._jobs.start(later)
        else:
            for batch in batches(later):
                newcomers += self._lock_and_decide(batch)
        self._give(newcomers, freed, asked_at or self._uow.now)

    def preview(self, policy: Policy, user_ids: Sequence[str], *, lock: bool) -> Iterator[Sequence[Decision]]:
        """What `refresh` would decide under another policy, in batches; nobody is changed."""
        for batch in batches(user_ids):
            rows = self._uow.execute(_LOCK_PEOPLE if lock else _PEOPLE, {"ids": list(batch)})
            yield self._decide([Principal._make(row) for row in rows], policy)

    def withdraw(self, person: Principal) -> None:
        """An inactive person loses every source; nobody without a role or seat costs a statement."""
        had_seat = person.seat_state not in (None, "released")
        if not had_seat and person.role_id is None:
            return
        uow = self._uow
        state = "released" if had_seat else person.seat_state
        if had_seat:
            uow.write(_EMPTY_SEAT, {"for_user_id": person.user_id, "moment": uow.now})
        store_principals(uow, [_with_rights(person, NOTHING, state)])
        data: dict[str, Any] = {"role_id": None, "previous_role_id": person.role_id, "sources": []}
        action = "seat.released" if had_seat else "entitlement.changed"
        uow.add(EntitlementsChanged((EntitlementChange(person.user_id, action, data),)))
        self._pool.release(int(person.seat_state in HOLDING))

    def restore(self, person: Principal) -> None:
        """A person who is active again has what their groups give; a manual seat went when they did."""
        policy = load_policy_of(self._uow, person.user_id)
        if policy is not None:
            groups = frozenset(mapping.group_id for mapping in policy.mappings)
            decisions = [Decision(person, None, entitle(policy, groups, None))]
            freed = self._take_away(decisions)
            self._give([decision for decision in decisions if decision.needs_seat], freed, self._uow.now)

    def decide(self, user_id: str) -> Decision:
        """What the resolver says of one person now, to look at; nobody is locked or changed."""
        row = self._uow.execute(_PEOPLE, {"ids": [user_id]}).one()
        return self._decide([Principal._make(row)], load_policy(self._uow))[0]

    def _lock_and_decide(self, user_ids: Sequence[str]) -> list[Decision]:
        rows = self._uow.execute(_LOCK_PEOPLE, {"ids": list(user_ids)})
        return self._decide([Principal._make(row) for row in rows], load_policy(self._uow))

    def _decide(self, people: Sequence[Principal], policy: Policy) -> list[Decision]:
        user_ids = [person.user_id for person in people]
        groups = self._mapped_groups(user_ids, policy)
        # Few combinations of groups are many people's.
        known: dict[tuple[frozenset[str], str | None], Entitlement] = {}
        found = {row.user_id: row for row in self._uow.execute(_SEATS, {"ids": user_ids})}
        decisions = []
        for person in people:
            seat = found.get(person.user_id)
            entitlement = NOTHING
            if person.active:
                manual_role_id = seat.manual_role_id if seat is not None else None
                key = frozenset(groups.get(person.user_id, ())), manual_role_id
                if key not in known:
                    known[key] = entitle(policy, *key)
                entitlement = known[key]
            decisions.append(Decision(person, seat, entitlement))
        return decisions

    def _mapped_groups(self, user_ids: Sequence[str], policy: Policy) -> dict[str, set[str]]:
        groups: dict[str, set[str]] = {}
        group_ids = sorted({mapping.group_id for mapping in policy.mappings})
        if group_ids:
            for row in self._uow.execute(_MEMBERSHIPS, {"ids": user_ids, "group_ids": group_ids}):
                groups.setdefault(row.user_id, set()).add(row.group_id)
        return groups

    def _take_away(self, decisions: Sequence[Decision]) -> int:
        """Write all but new seats; answers how many places became free, which the pool is not told yet."""
        losing = [decision for decision in decisions if decision.loses_seat]
        self._write(losing, "released", "seat.released")
        kept = [d for d in decisions if not d.loses_seat and not d.needs_seat and _differs(d)]
        for state in ("assigned", "waitlisted", "suspended", "released", None):
            self._write([d for d in kept if d.state == state], state, "entitlement.changed")
        return sum(decision.state in HOLDING for decision in losing)

    def _give(self, decisions: Sequence[Decision], freed: int, asked_at: datetime) -> None:
        """Seat who needs one, or put them on the waiting list; then freed places go to the list."""
        count = self._pool.take(len(decisions)) if decisions else 0
        ordered = sorted(decisions, key=lambda d: (d.entitlement.waiting_rank, d.person.user_id))
        self._write(ordered[:count], "assigned", "seat.assigned")
        self._write(ordered[count:], "waitlisted", "seat.waitlisted", asked_at)
        if freed:
            self._pool.release(freed)
        elif decisions and not count:
            # Somebody else waits for the places that there are, and these may be before them.
            self._pool.hand_over()

    def _write(
        self,
        decisions: Sequence[Decision],
        state: str | None,
        action: str,
        since: datetime | None = None,
    ) -> None:
        """Seat rows, principal rows and the event for people who all end in the same seat state."""
        if not decisions:
            return
        uow = self._uow
        seated = [d for d in decisions if d.state is not None or d.entitlement.wants_seat]
        self._pool.store_seats([self._seat_row(decision, state, since) for decision in seated])
        store_principals(uow, [_with_rights(d.person, d.entitlement, state) for d in decisions])
        # Equal data is shared, so that a change of everybody is not held in memory once for each.
        shared: dict[tuple[str | None, int], Mapping[str, Any]] = {}
        changes = []
        for decision in decisions:
            previous, entitlement = decision.person.role_id, decision.entitlement
            data = shared.setdefault((previous, id(entitlement)), _change_data(previous, entitlement))
            changes.append(EntitlementChange(decision.person.user_id, action, data))
        uow.add(EntitlementsChanged(tuple(changes)))

    def _seat_row(self, decision: Decision, state: str | None, since: datetime | None) -> dict[str, Any]:
        entitlement, seat = decision.entitlement, decision.seat
        manual = seat if decision.person.active else None
        return {
            "user_id": decision.person.user_id,
            "state": state or "released",
            "role_id": entitlement.role_id,
            "surfaces": list(entitlement.surfaces),
            "sources": [source_dict(source) for source in entitlement.sources],
            "manual_role_id": manual.manual_role_id if manual is not None else None,
            "reason": manual.reason if manual is not None else None,
            "since": seat.since if seat is not None and seat.state == state else since or self._uow.now,
            "waiting_rank": entitlement.waiting_rank if state == "waitlisted" else 0,
        }


def _change_data(previous_role_id: str | None, entitlement: Entitlement) -> Mapping[str, Any]:
    return {
        "role_id": entitlement.role_id,
        "previous_role_id": previous_role_id,
        "sources": [source_dict(source) for source in entitlement.sources],
    }


def source_dict(source: Source) -> dict[str, Any]:
    """A seat's source as it is stored and shown, ids bare."""
    return {"type": source.type, "group_id": source.group_id, "mapping_id": source.mapping_id}


def _with_rights(person: Principal, entitlement: Entitlement, state: str | None) -> Principal:
    return person._replace(
        seat_state=state,
        role_id=entitlement.role_id,
        surfaces=list(entitlement.surfaces),
        models=None if entitlement.models is None else list(entitlement.models),
        permissions=list(entitlement.permissions),
        denied_models=list(entitlement.denied_models),
        lapses_at=entitlement.lapses_at,
    )


def _differs(decision: Decision) -> bool:
    """Whether anything that a reader can see would change."""
    person, entitlement, seat = decision.person, decision.entitlement, decision.seat
    if person != _with_rights(person, entitlement, decision.state):
        return True
    if seat is None:
        return False
    sources = [source_dict(source) for source in entitlement.sources]
    should_be = (decision.state, entitlement.role_id, list(entitlement.surfaces), sources)
    is_moved = decision.state == "waitlisted" and seat.waiting_rank != entitlement.waiting_rank
    return is_moved or (seat.state, seat.role_id, seat.surfaces, seat.sources) != should_be
