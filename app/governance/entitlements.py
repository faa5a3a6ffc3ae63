"""Applies the resolver's decision to any set of people: one, a group of 50,000, everybody.

Each batch locks its people first and reads policy, memberships and seats afterwards, so that two
parallel changes of the same person cannot both decide on what the other has not seen. Losses always
happen here, in the caller's transaction, unless the removal guard has them held: then what is held
counts as standing, here and in every later decision. Of many people who have nothing yet, a job gives
them theirs. Locks go groups, principals, seats, seat pool: the pool is only touched when all people are
decided.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import bindparam, update

from app.core.batches import BATCH, batches
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.principals import Principal
from app.directory.principals import store as store_principals
from app.governance.decider import Decider
from app.governance.decisions import Decision, change_data, differs, seat_row, with_rights
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.holds import LAST_OWNER, MASS_REMOVAL, Holds
from app.governance.jobs import JobStore
from app.governance.models import seats
from app.governance.policy import load_policy, load_policy_of
from app.governance.removal_guard import HOLDING, RemovalGuard
from app.governance.resolver import NOTHING, Policy
from app.governance.schedule import entitle
from app.governance.seat_pool import AT_ONCE, SeatPool
from app.governance.seat_rows import store_seats

_EMPTY_SEAT = (
    update(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("for_user_id"))
    .values(
        state="released",
        role_id=None,
        surfaces=[],
        sources=[],
        manual_role_id=None,
        given_by=None,
        reason=None,
        since=bindparam("moment"),
        waiting_rank=0,
        lost_at=bindparam("had_place_at"),
    )
)


class EntitlementService:
    def __init__(
        self, uow: UnitOfWork, pool: SeatPool, jobs: JobStore, guard: RemovalGuard, held: Holds
    ) -> None:
        self._uow = uow
        self._pool = pool
        self._jobs = jobs
        self._guard = guard
        self._holds = held
        self._decider = Decider(uow, held)

    def refresh(self, user_ids: Iterable[str], asked_at: datetime | None = None) -> None:
        """Decide again for these people and make it so; unchanged people cost no write.

        More than `AT_ONCE` people who have nothing yet are left to a job, which `JobStore.started` then
        names; a job itself leaves nothing and says when its people asked.
        """
        self._refresh(sorted(set(user_ids)), self._decider.lock, asked_at=asked_at)

    def refresh_signed_in(self, user_id: str) -> None:
        """The same for somebody who signs in at this moment, for the mappings that wait for that."""
        people = self._decider.lock([user_id])
        decided = self._decider.decide(people, load_policy(self._uow), signing_in=True)
        self._refresh([user_id], self._decider.lock, decided=decided)

    def refresh_members(self, group_id: str, added: Sequence[str], removed: Sequence[str]) -> None:
        """The same for who joined and who left a locked group; a mass removal of seats is held."""
        left, ids = frozenset(removed), sorted({*added, *removed})
        lock = partial(self._lock_joined, group_id, left)
        decided: list[Decision] | None = None
        losing: list[tuple[str, str]] = []
        for batch in batches(ids if left else ()):
            decided = self._decider.decide(lock(batch), load_policy(self._uow))
            losing += [
                (d.person.id, d.person.user_id)
                for d in decided
                if d.gives_up_place and d.person.user_id in left
            ]
        is_held = bool(losing) and self._guard.catches(len(losing))
        if is_held:
            self._holds.add(MASS_REMOVAL, losing, group_id=group_id)
        # What was decided a moment ago, of people who are locked, holds if it was about all of them.
        known = None if is_held or len(ids) > BATCH else decided
        self._refresh(ids, lock, lost_at=self._uow.now, decided=known)

    def preview(self, policy: Policy, user_ids: Sequence[str], *, lock: bool) -> Iterator[Sequence[Decision]]:
        """What `refresh` would decide under another policy, in batches; nobody is changed."""
        gone: list[str] = []
        for batch in batches(user_ids):
            people = self._decider.lock(batch) if lock else self._decider.people(batch)
            decisions = self._decider.decide(people, policy)
            kept = self._last_owners(decisions, gone)
            if kept:
                owners = {decision.person.user_id: str(decision.person.role_id) for decision in kept}
                decisions = self._decider.decide(people, policy, owners)
            gone += [decision.person.id for decision in decisions if decision.loses_owner]
            yield decisions

    def withdraw(self, person: Principal) -> None:
        """An inactive person loses every source; nobody without a role or seat costs a statement."""
        had_seat = person.seat_state not in (None, "released")
        if not had_seat and person.role_id is None:
            return
        uow = self._uow
        state = "released" if had_seat else person.seat_state
        had_place = person.seat_state in HOLDING
        if had_seat:
            values = {
                "for_user_id": person.user_id,
                "moment": uow.now,
                "had_place_at": uow.now if had_place else None,
            }
            uow.write(_EMPTY_SEAT, values)
        without = with_rights(person, NOTHING, state)._replace(held=False)
        store_principals(uow, [without])
        if person.held:
            self._holds.drop([person])
        data: dict[str, Any] = {"role_id": None, "previous_role_id": person.role_id, "sources": []}
        action = "seat.released" if had_seat else "entitlement.changed"
        uow.add(EntitlementsChanged((EntitlementChange(person.user_id, action, data),)))
        self._pool.release(int(had_place), leaving=without)

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
        return self._decider.decide(self._decider.people([user_id]), load_policy(self._uow))[0]

    def _refresh(
        self,
        ids: Sequence[str],
        lock: Callable[[Sequence[str]], list[Principal]],
        *,
        asked_at: datetime | None = None,
        lost_at: datetime | None = None,
        decided: list[Decision] | None = None,
    ) -> None:
        may_leave = asked_at is None and len(ids) > AT_ONCE
        newcomers: list[Decision] = []
        later: list[str] = []
        freed = 0
        for batch in batches(ids):
            decisions = decided or self._decider.decide(lock(batch), load_policy(self._uow))
            decisions = self._keeping_an_owner(decisions)
            freed += self._take_away(decisions, lost_at)
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
                newcomers += self._decider.decide(lock(batch), load_policy(self._uow))
        self._give(newcomers, freed, asked_at or self._uow.now)

    def _lock_joined(self, group_id: str, left: frozenset[str], user_ids: Sequence[str]) -> list[Principal]:
        """The locked people; who is a member again counts as one no longer by a hold."""
        people = self._decider.lock(user_ids)
        back = [person for person in people if person.held and person.user_id not in left]
        if back:
            self._holds.drop_group(back, group_id)
            people = self._decider.lock(user_ids)
        return people

    def _last_owners(self, decisions: Sequence[Decision], gone: Sequence[str] = ()) -> list[Decision]:
        """Who would lose the role `owner` and leave it to nobody; `gone` are others who will lose it."""
        losing = [decision for decision in decisions if decision.loses_owner]
        if not losing:
            return []
        role_id = str(losing[0].person.role_id)
        ids = [decision.person.id for decision in losing]
        if any(decision.entitlement.role_id == role_id for decision in decisions):
            return []
        return [] if self._guard.has_other_owner(role_id, [*ids, *gone]) else losing

    def _keeping_an_owner(self, decisions: list[Decision]) -> list[Decision]:
        """The decisions, decided again with a hold if they would leave nobody with the role `owner`."""
        last = self._last_owners(decisions)
        if not last:
            return decisions
        people = [(decision.person.id, decision.person.user_id) for decision in last]
        self._holds.add(LAST_OWNER, people, role_id=str(last[0].person.role_id))
        again = self._decider.lock([decision.person.user_id for decision in decisions])
        return self._decider.decide(again, load_policy(self._uow))

    def _take_away(self, decisions: Sequence[Decision], lost_at: datetime | None = None) -> int:
        """Write all but new seats; answers how many places became free, which the pool is not told yet.

        `lost_at` is when it was, if it is the identity provider's word that takes seats.
        """
        losing = [decision for decision in decisions if decision.loses_seat]
        placed = [decision for decision in losing if decision.gives_up_place]
        self._write(placed, "released", "seat.released", lost_at=lost_at)
        self._write([d for d in losing if not d.gives_up_place], "released", "seat.released")
        kept = [d for d in decisions if not d.loses_seat and not d.needs_seat and differs(d)]
        for state in ("assigned", "waitlisted", "suspended", "released", None):
            self._write([d for d in kept if d.state == state], state, "entitlement.changed")
        return len(placed)

    def _give(self, decisions: Sequence[Decision], freed: int, asked_at: datetime) -> None:
        """Seat who needs one, or put them on the waiting list; then freed places go to the list."""
        returning = [decision.person for decision in decisions if decision.person.held]
        back = self._pool.claim(returning) if returning else set()
        granted = [replace(d, person=d.person._replace(held=False)) for d in decisions if d.person.id in back]
        others = [decision for decision in decisions if decision.person.id not in back]
        count = self._pool.take(len(others)) if others else 0
        ordered = sorted(others, key=lambda d: (d.entitlement.waiting_rank, d.person.user_id))
        granted += ordered[:count]
        # A suspension does not change who has a place, only whether it can be used.
        for state in ("assigned", "suspended"):
            here = [d for d in granted if (d.person.suspension is None) == (state == "assigned")]
            self._write(here, state, f"seat.{state}")
        self._write(ordered[count:], "waitlisted", "seat.waitlisted", since=asked_at)
        if freed:
            self._pool.release(freed)
        elif others and not count:
            # Somebody else waits for the places that there are, and these may be before them.
            self._pool.hand_over()

    def _write(
        self,
        decisions: Sequence[Decision],
        state: str | None,
        action: str,
        *,
        since: datetime | None = None,
        lost_at: datetime | None = None,
    ) -> None:
        """Seat rows, principal rows and the event for people who all end in the same seat state."""
        if not decisions:
            return
        uow = self._uow
        seated = [d for d in decisions if d.state is not None or d.entitlement.wants_seat]
        store_seats(uow, [seat_row(decision, state, since or uow.now, lost_at) for decision in seated])
        store_principals(uow, [with_rights(d.person, d.entitlement, state) for d in decisions])
        # Equal data is shared, so that a change of everybody is not held in memory once for each.
        shared: dict[tuple[str | None, int], Mapping[str, Any]] = {}
        changes = []
        for decision in decisions:
            previous, entitlement = decision.person.role_id, decision.entitlement
            data = shared.setdefault((previous, id(entitlement)), change_data(previous, entitlement))
            changes.append(EntitlementChange(decision.person.user_id, action, data))
        uow.add(EntitlementsChanged(tuple(changes)))
