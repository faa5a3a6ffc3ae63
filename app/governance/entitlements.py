"""Applies the resolver's decision to any set of people: one, a group of 50,000, everybody.

Each batch locks its people first and reads policy, memberships and seats afterwards, so that two
parallel changes of the same person cannot both decide on what the other has not seen. Losses always
happen here, in the caller's transaction. Locks go groups, principals, seats, seat pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, exists, select, update

from app.core.batches import batches
from app.core.connection import Row
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, principals
from app.directory.principals import COLUMNS, Principal
from app.directory.principals import store as store_principals
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.models import group_mappings, seats
from app.governance.policy import load_policy, load_policy_of
from app.governance.resolver import NOTHING, Entitlement, Source, resolve
from app.governance.seat_pool import HOLDING, SeatPool

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
    def __init__(self, uow: UnitOfWork, pool: SeatPool) -> None:
        self._uow = uow
        self._pool = pool

    def refresh(self, user_ids: Iterable[str]) -> None:
        """Decide again for these people and make it so; unchanged people cost no write."""
        for batch in batches(sorted(set(user_ids))):
            rows = self._uow.execute(_LOCK_PEOPLE, {"ids": list(batch)})
            self._apply(self._decide([Principal._make(row) for row in rows]))

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
            self._apply([Decision(person, None, resolve(policy, groups, None))])

    def decide(self, user_id: str) -> Decision:
        """What the resolver says of one person now, to look at; nobody is locked or changed."""
        row = self._uow.execute(_PEOPLE, {"ids": [user_id]}).one()
        return self._decide([Principal._make(row)])[0]

    def _decide(self, people: Sequence[Principal]) -> list[Decision]:
        user_ids = [person.user_id for person in people]
        policy = load_policy(self._uow)
        groups = self._mapped_groups(user_ids)
        found = {row.user_id: row for row in self._uow.execute(_SEATS, {"ids": user_ids})}
        decisions = []
        for person in people:
            seat = found.get(person.user_id)
            entitlement = NOTHING
            if person.active:
                manual_role_id = seat.manual_role_id if seat is not None else None
                mine = frozenset(groups.get(person.user_id, ()))
                entitlement = resolve(policy, mine, manual_role_id)
            decisions.append(Decision(person, seat, entitlement))
        return decisions

    def _mapped_groups(self, user_ids: Sequence[str]) -> dict[str, set[str]]:
        groups: dict[str, set[str]] = {}
        for row in self._uow.execute(_MEMBERSHIPS, {"ids": list(user_ids)}):
            groups.setdefault(row.user_id, set()).add(row.group_id)
        return groups

    def _apply(self, decisions: Sequence[Decision]) -> None:
        self._release([decision for decision in decisions if decision.loses_seat])
        self._keep([d for d in decisions if not d.loses_seat and not d.needs_seat])
        self._grant([decision for decision in decisions if decision.needs_seat])

    def _release(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        self._write(decisions, "released", "seat.released")
        self._pool.release(sum(decision.state in HOLDING for decision in decisions))

    def _keep(self, decisions: Sequence[Decision]) -> None:
        for state in ("assigned", "waitlisted", "suspended", "released", None):
            same = [decision for decision in decisions if decision.state == state]
            self._write([decision for decision in same if _differs(decision)], state, "entitlement.changed")

    def _grant(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        ordered = sorted(decisions, key=lambda d: (d.entitlement.waiting_rank, d.person.user_id))
        count = self._pool.take(len(ordered))
        # A suspension does not change who has a place, only whether it can be used.
        for state in ("assigned", "suspended"):
            here = [d for d in ordered[:count] if (d.person.suspension is None) == (state == "assigned")]
            self._write(here, state, f"seat.{state}")
        self._write(ordered[count:], "waitlisted", "seat.waitlisted")

    def _write(self, decisions: Sequence[Decision], state: str | None, action: str) -> None:
        """Seat rows, principal rows and the event for people who all end in the same seat state."""
        if not decisions:
            return
        uow = self._uow
        seated = [d for d in decisions if d.state is not None or d.entitlement.wants_seat]
        self._pool.store_seats([self._seat_row(decision, state) for decision in seated])
        store_principals(uow, [_with_rights(d.person, d.entitlement, state) for d in decisions])
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

    def _seat_row(self, decision: Decision, state: str | None) -> dict[str, Any]:
        entitlement, seat = decision.entitlement, decision.seat
        manual = seat if decision.person.active else None
        return {
            "user_id": decision.person.user_id,
            "state": state or "released",
            "role_id": entitlement.role_id,
            "surfaces": list(entitlement.surfaces),
            "sources": [source_dict(source) for source in entitlement.sources],
            "manual_role_id": manual.manual_role_id if manual is not None else None,
            "given_by": manual.given_by if manual is not None else None,
            "reason": manual.reason if manual is not None else None,
            "since": seat.since if seat is not None and seat.state == state else self._uow.now,
            "waiting_rank": entitlement.waiting_rank,
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
    )


def _differs(decision: Decision) -> bool:
    """Whether anything that a reader can see would change."""
    person, entitlement, seat = decision.person, decision.entitlement, decision.seat
    sources = [source_dict(source) for source in entitlement.sources]
    return person != _with_rights(person, entitlement, decision.state) or (
        seat is not None and (seat.sources != sources or seat.waiting_rank != entitlement.waiting_rank)
    )
