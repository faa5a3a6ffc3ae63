"""Applies the resolver's decision to any set of people: one, a group of 50,000, everybody.

Each batch locks its people first and reads policy, memberships and seats afterwards, so that two
parallel changes of the same person cannot both decide on what the other has not seen. Losses always
happen here, in the caller's transaction, unless the removal guard has them held: then what is held
counts as standing, here and in every later decision. Locks go groups, principals, seats, seat pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, select, update

from app.core.batches import batches
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, principals
from app.directory.principals import COLUMNS, Principal
from app.directory.principals import store as store_principals
from app.governance.decisions import Decision, differs, seat_row, source_dict, with_rights
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.holds import LAST_OWNER, MASS_REMOVAL, NOTHING_HELD, Holds
from app.governance.models import group_mappings, seats
from app.governance.policy import load_policy, load_policy_of
from app.governance.removal_guard import HOLDING, OWNER, RemovalGuard
from app.governance.resolver import NOTHING, resolve
from app.governance.seat_pool import SeatPool

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
    exists().where(group_mappings.c.org_id == ORG_ID, group_mappings.c.group_id == memberships.c.group_id),
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
        given_by=None,
        reason=None,
        since=bindparam("moment"),
        waiting_rank=0,
        lost_at=bindparam("had_place_at"),
    )
)


class EntitlementService:
    def __init__(self, uow: UnitOfWork, pool: SeatPool, guard: RemovalGuard, held: Holds) -> None:
        self._uow = uow
        self._pool = pool
        self._guard = guard
        self._holds = held

    def refresh(self, user_ids: Iterable[str]) -> None:
        """Decide again for these people and make it so; unchanged people cost no write."""
        for batch in batches(sorted(set(user_ids))):
            self._apply(self._keeping_an_owner(self._decide(self._lock(batch))))

    def refresh_members(self, group_id: str, added: Sequence[str], removed: Sequence[str]) -> None:
        """The same for who joined and who left a locked group; a mass removal of seats is held."""
        left = frozenset(removed)
        pieces = list(batches(sorted({*added, *removed})))
        decisions: list[Decision] | None = None
        if left:
            losing: list[tuple[str, str]] = []
            for piece in pieces:
                decisions = self._decide(self._joined(group_id, piece, left))
                losing += [
                    (d.person.id, d.person.user_id)
                    for d in decisions
                    if d.gives_up_place and d.person.user_id in left
                ]
            if losing and self._guard.catches(len(losing)):
                self._holds.add(MASS_REMOVAL, losing, group_id=group_id)
                decisions = None
        for piece in pieces:
            # What has been decided a moment ago, about people who are locked, still holds.
            if decisions is None or len(pieces) > 1:
                decisions = self._decide(self._joined(group_id, piece, left))
            self._apply(self._keeping_an_owner(decisions), lost_at=self._uow.now)

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
            self._apply([Decision(person, None, resolve(policy, groups, None))])

    def decide(self, user_id: str) -> Decision:
        """What the resolver says of one person now, to look at; nobody is locked or changed."""
        row = self._uow.execute(_PEOPLE, {"ids": [user_id]}).one()
        return self._decide([Principal._make(row)])[0]

    def _lock(self, user_ids: Sequence[str]) -> list[Principal]:
        rows = self._uow.execute(_LOCK_PEOPLE, {"ids": list(user_ids)})
        return [Principal._make(row) for row in rows]

    def _joined(self, group_id: str, user_ids: Sequence[str], left: frozenset[str]) -> list[Principal]:
        """The locked people; who is a member again counts as one no longer by a hold."""
        people = self._lock(user_ids)
        back = [person for person in people if person.held and person.user_id not in left]
        if back:
            self._holds.drop_group(back, group_id)
            people = self._lock(user_ids)
        return people

    def _keeping_an_owner(self, decisions: list[Decision]) -> list[Decision]:
        """The decisions, decided again with a hold if they would leave nobody with the role `owner`."""
        losing = [decision for decision in decisions if decision.loses_owner]
        if not losing:
            return decisions
        role_id = str(losing[0].person.role_id)
        ids = [decision.person.id for decision in losing]
        if self._guard.has_other_owner(role_id, ids):
            return decisions
        people = [(decision.person.id, decision.person.user_id) for decision in losing]
        self._holds.add(LAST_OWNER, people, role_id=role_id)
        return self._decide(self._lock([decision.person.user_id for decision in decisions]))

    def _decide(self, people: Sequence[Principal]) -> list[Decision]:
        user_ids = [person.user_id for person in people]
        policy = load_policy(self._uow)
        groups = self._mapped_groups(user_ids)
        standing = self._holds.standing(people)
        found = {row.user_id: row for row in self._uow.execute(_SEATS, {"ids": user_ids})}
        owner_id = next((id_ for id_, role in policy.roles.items() if fold(role.name) == OWNER), None)
        decisions = []
        for person in people:
            seat = found.get(person.user_id)
            entitlement = NOTHING
            manual_role_id = seat.manual_role_id if seat is not None else None
            if person.active:
                held = standing.get(person.user_id, NOTHING_HELD)
                mine = held.group_ids.union(groups.get(person.user_id, ()))
                entitlement = resolve(policy, mine, manual_role_id, held.role_id)
            loses_owner = (
                person.active
                and owner_id is not None
                and person.role_id == owner_id
                and owner_id not in (entitlement.role_id, manual_role_id)
            )
            decisions.append(Decision(person, seat, entitlement, loses_owner))
        return decisions

    def _mapped_groups(self, user_ids: Sequence[str]) -> dict[str, set[str]]:
        groups: dict[str, set[str]] = {}
        for row in self._uow.execute(_MEMBERSHIPS, {"ids": list(user_ids)}):
            groups.setdefault(row.user_id, set()).add(row.group_id)
        return groups

    def _apply(self, decisions: Sequence[Decision], lost_at: datetime | None = None) -> None:
        """`lost_at` is when it was, if it is the identity provider's word that takes seats."""
        self._release([decision for decision in decisions if decision.loses_seat], lost_at)
        self._keep([d for d in decisions if not d.loses_seat and not d.needs_seat])
        self._grant([decision for decision in decisions if decision.needs_seat])

    def _release(self, decisions: Sequence[Decision], lost_at: datetime | None) -> None:
        if not decisions:
            return
        placed = [decision for decision in decisions if decision.gives_up_place]
        self._write(placed, "released", "seat.released", lost_at)
        self._write([d for d in decisions if not d.gives_up_place], "released", "seat.released")
        self._pool.release(len(placed))

    def _keep(self, decisions: Sequence[Decision]) -> None:
        for state in ("assigned", "waitlisted", "suspended", "released", None):
            same = [decision for decision in decisions if decision.state == state]
            self._write([decision for decision in same if differs(decision)], state, "entitlement.changed")

    def _grant(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        ordered = sorted(decisions, key=lambda d: (d.entitlement.waiting_rank, d.person.user_id))
        returning = [decision.person for decision in ordered if decision.person.held]
        back = self._pool.claim(returning) if returning else set()
        claimed = [replace(d, person=d.person._replace(held=False)) for d in ordered if d.person.id in back]
        ordered = [decision for decision in ordered if decision.person.id not in back]
        count = self._pool.take(len(ordered)) if ordered else 0
        granted = [*claimed, *ordered[:count]]
        # A suspension does not change who has a place, only whether it can be used.
        for state in ("assigned", "suspended"):
            here = [d for d in granted if (d.person.suspension is None) == (state == "assigned")]
            self._write(here, state, f"seat.{state}")
        self._write(ordered[count:], "waitlisted", "seat.waitlisted")

    def _write(
        self,
        decisions: Sequence[Decision],
        state: str | None,
        action: str,
        lost_at: datetime | None = None,
    ) -> None:
        """Seat rows, principal rows and the event for people who all end in the same seat state."""
        if not decisions:
            return
        uow = self._uow
        seated = [d for d in decisions if d.state is not None or d.entitlement.wants_seat]
        self._pool.store_seats([seat_row(decision, state, uow.now, lost_at) for decision in seated])
        store_principals(uow, [with_rights(d.person, d.entitlement, state) for d in decisions])
        changes = [
            EntitlementChange(
                decision.person.user_id,
                action,
                {
                    "role_id": decision.entitlement.role_id,
                    "previous_role_id": decision.person.role_id,
                    "sources": [source_dict(source) for source in decision.entitlement.sources],
                },
            )
            for decision in decisions
        ]
        uow.add(EntitlementsChanged(tuple(changes)))
