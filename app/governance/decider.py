"""Reads people with all that bears on their rights, and asks the resolver about them; changes nobody."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import select

from app.core.connection import Row
from app.core.sql import each_id, is_one_of
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, principals
from app.directory.principals import COLUMNS, Principal
from app.governance.decisions import Decision
from app.governance.holds import NOTHING_HELD, Holds
from app.governance.models import seats
from app.governance.policy import jit_seats_since
from app.governance.removal_guard import OWNER
from app.governance.resolver import NOTHING, Entitlement, Policy
from app.governance.schedule import entitle

NO_ROLES: Mapping[str, str] = MappingProxyType({})

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


class Decider:
    def __init__(self, uow: UnitOfWork, held: Holds) -> None:
        self._uow = uow
        self._holds = held

    def people(self, user_ids: Sequence[str]) -> list[Principal]:
        return [Principal._make(row) for row in self._uow.execute(_PEOPLE, {"ids": list(user_ids)})]

    def lock(self, user_ids: Sequence[str]) -> list[Principal]:
        """The people, held until the transaction ends; what bears on them is read afterwards."""
        return [Principal._make(row) for row in self._uow.execute(_LOCK_PEOPLE, {"ids": list(user_ids)})]

    def decide(
        self,
        people: Sequence[Principal],
        policy: Policy,
        held_roles: Mapping[str, str] = NO_ROLES,
        *,
        signing_in: bool = False,
    ) -> list[Decision]:
        """What a policy gives each of them; `held_roles`, by user id, are held besides what is.

        `signing_in` is said at their sign-in, for the mappings that wait for one.
        """
        user_ids = [person.user_id for person in people]
        groups = self._mapped_groups(user_ids, policy)
        standing = self._holds.standing(people)
        # Few combinations of groups are many people's.
        known: dict[tuple[frozenset[str], str | None, str | None, frozenset[str]], Entitlement] = {}
        found = {row.user_id: row for row in self._uow.execute(_SEATS, {"ids": user_ids})}
        owner_id = next((id_ for id_, role in policy.roles.items() if fold(role.name) == OWNER), None)
        by_sign_in = [person for person in people if person.jit_signed_in_at is not None]
        since = jit_seats_since(self._uow) if by_sign_in else None
        decisions = []
        for person in people:
            seat = found.get(person.user_id)
            entitlement, held = NOTHING, standing.get(person.user_id, NOTHING_HELD)
            manual_role_id = seat.manual_role_id if seat is not None else None
            mine = held.group_ids.union(groups.get(person.user_id, ()))
            if _has_lapsed(person, since):
                # Nothing but a role that is held as the last owner's.
                mine, manual_role_id = frozenset(), None
            if person.active:
                # Who has signed in for a seat that they hold need not do so again.
                signed_in = mine if signing_in else mine & _signed_in_for(seat)
                key = mine, manual_role_id, held_roles.get(person.user_id, held.role_id), signed_in
                if key not in known:
                    known[key] = entitle(policy, *key)
                entitlement = known[key]
            loses_owner = (
                person.active
                and owner_id is not None
                and person.role_id == owner_id
                and owner_id not in (entitlement.role_id, manual_role_id)
            )
            decisions.append(Decision(person, seat, entitlement, loses_owner, held.has_place))
        return decisions

    def _mapped_groups(self, user_ids: Sequence[str], policy: Policy) -> dict[str, set[str]]:
        groups: dict[str, set[str]] = {}
        group_ids = sorted({mapping.group_id for mapping in policy.mappings})
        if group_ids:
            for row in self._uow.execute(_MEMBERSHIPS, {"ids": user_ids, "group_ids": group_ids}):
                groups.setdefault(row.user_id, set()).add(row.group_id)
        return groups


def _has_lapsed(person: Principal, since: datetime | None) -> bool:
    """Whether this person exists only by signing in, and has not for too long."""
    signed_in_at = person.jit_signed_in_at
    return signed_in_at is not None and since is not None and signed_in_at < since


def _signed_in_for(seat: Row | None) -> frozenset[str]:
    """The groups whose mapping waits for a sign-in, and has given the seat with one."""
    sources = seat.sources if seat is not None else ()
    return frozenset(source["group_id"] for source in sources if source.get("signed_in"))
