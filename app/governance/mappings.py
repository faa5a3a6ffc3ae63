"""The ordered list group → role, changed as a whole or at its ends, under one version token.

Mappings name groups by id, so a rename in the IdP changes nothing, and a group deleted there is a
mapping that gives nobody anything. Each change decides again, in its own transaction, for every
member of the groups that it touches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError, PreconditionFailedError, UnprocessableError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import group_members, groups, memberships, organizations
from app.governance.entitlements import EntitlementService
from app.governance.events import MappingsChanged
from app.governance.holds import Holds
from app.governance.models import group_mappings, roles, seats
from app.governance.policy import load_mappings, lock_groups, lock_roles
from app.governance.resolver import GroupMapping

MAX_MAPPINGS = 1_000

_NEXT_VERSION = (
    update(organizations)
    .where(organizations.c.org_id == ORG_ID)
    .values(mapping_version=organizations.c.mapping_version + 1)
    .returning(organizations.c.mapping_version)
)
_VERSION = select(organizations.c.mapping_version).where(organizations.c.org_id == ORG_ID)
_CLEAR = delete(group_mappings).where(group_mappings.c.org_id == ORG_ID)
_INSERT = insert(group_mappings)
_ROLE_IDS = select(roles.c.id).where(roles.c.org_id == ORG_ID)
_MEMBERS_OF = (
    select(memberships.c.user_id)
    .where(memberships.c.org_id == ORG_ID, is_one_of(memberships.c.group_id, "ids"))
    .distinct()
)
_MANUAL = select(seats.c.user_id).where(seats.c.org_id == ORG_ID, seats.c.manual_role_id.is_not(None))
_GROUPS = select(
    groups.c.id,
    groups.c.display_name,
    groups.c.member_count,
    groups.c.deleted_at,
    exists()
    .where(group_members.c.org_id == ORG_ID, group_members.c.group_id == groups.c.id)
    .label("has_nested_groups"),
).where(groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids"))


@dataclass(frozen=True, slots=True)
class NewMapping:
    """A wanted list entry; the same group and role as before continue the same mapping."""

    group_id: str
    role_id: str
    seat_on: str = "provision"


class MappingService:
    def __init__(self, uow: UnitOfWork, entitlements: EntitlementService, held: Holds) -> None:
        self._uow = uow
        self._entitlements = entitlements
        self._holds = held

    def version(self) -> int:
        return int(self._uow.execute(_VERSION).scalar_one())

    def ordered(self) -> list[GroupMapping]:
        return load_mappings(self._uow)

    def groups_of(self, mappings: Sequence[GroupMapping]) -> dict[str, Row]:
        """The mapped groups by id, deleted ones included."""
        ids = sorted({mapping.group_id for mapping in mappings})
        return {row.id: row for row in self._uow.execute(_GROUPS, {"ids": ids})} if ids else {}

    def append(self, new: NewMapping) -> GroupMapping:
        """Put a mapping at the end; raises `ConflictError` when the pair is there already."""
        before = self._begin(None)
        if any((old.group_id, old.role_id) == (new.group_id, new.role_id) for old in before):
            raise ConflictError("This group has this role already.", code="mapping_exists")
        wanted = [*(NewMapping(old.group_id, old.role_id, old.seat_on) for old in before), new]
        return self._store(before, wanted)[-1]

    def replace(self, wanted: Sequence[NewMapping], expected_version: int) -> list[GroupMapping]:
        """Replace the whole order; raises `PreconditionFailedError` when it has moved since."""
        return self._store(self._begin(expected_version), wanted)

    def delete(self, mapping_id: str) -> None:
        before = self._begin(None)
        kept = [old for old in before if old.id != mapping_id]
        if len(kept) == len(before):
            raise NotFoundError(
                f"There is no group mapping with the id {mapping_id!r}.", code="group_mapping_not_found"
            )
        self._store(before, [NewMapping(old.group_id, old.role_id, old.seat_on) for old in kept])

    def decide_everybody(self) -> None:
        """Decide again for everybody who has anything: members of mapped groups and manual seats."""
        uow = self._uow
        group_ids = {mapping.group_id for mapping in load_mappings(uow)}
        lock_groups(uow, group_ids)
        lock_roles(uow)
        people = self._holds.held_people().union(uow.execute(_MANUAL).scalars())
        if group_ids:
            people.update(uow.execute(_MEMBERS_OF, {"ids": sorted(group_ids)}).scalars())
        self._entitlements.refresh(people)

    def _begin(self, expected_version: int | None) -> list[GroupMapping]:
        # The version row is taken first, so that two changes of the list follow one another.
        version = self._uow.execute(_NEXT_VERSION).scalar_one()
        if expected_version not in (None, version - 1):
            raise PreconditionFailedError(
                f"The mappings are at version {version - 1}, not {expected_version}. "
                "Read them again and repeat the change.",
                code="mappings_moved",
            )
        return load_mappings(self._uow)

    def _store(self, before: Sequence[GroupMapping], wanted: Sequence[NewMapping]) -> list[GroupMapping]:
        uow = self._uow
        if len(wanted) > MAX_MAPPINGS:
            raise UnprocessableError(f"At most {MAX_MAPPINGS} mappings are possible.")
        touched = {old.group_id for old in before} | {new.group_id for new in wanted}
        known = lock_groups(uow, touched) | {old.group_id for old in before}
        self._check(wanted, known)
        ids = {(old.group_id, old.role_id): old.id for old in before}
        after = [
            GroupMapping(
                ids.get((new.group_id, new.role_id)) or uow.ids.new(),
                position,
                new.group_id,
                new.role_id,
                new.seat_on,
            )
            for position, new in enumerate(wanted, start=1)
        ]
        uow.execute(_CLEAR)
        if after:
            uow.execute_many(_INSERT, [_row(mapping) for mapping in after])
        uow.add(MappingsChanged(uow.org_id, {"mappings": [_row(mapping) for mapping in after]}))
        changed = {mapping.group_id for mapping in {*before}.symmetric_difference(after)}
        if changed:
            members = uow.execute(_MEMBERS_OF, {"ids": sorted(changed)}).scalars()
            self._entitlements.refresh(self._holds.held_people().union(members))
        return after

    def _check(self, wanted: Sequence[NewMapping], known_groups: set[str]) -> None:
        role_ids = set(self._uow.execute(_ROLE_IDS).scalars())
        seen: set[tuple[str, str]] = set()
        for new in wanted:
            if new.group_id not in known_groups:
                raise NotFoundError(
                    f"There is no group with the id {new.group_id!r}.", code="group_not_found"
                )
            if new.role_id not in role_ids:
                raise NotFoundError(f"There is no role with the id {new.role_id!r}.", code="role_not_found")
            if (new.group_id, new.role_id) in seen:
                raise UnprocessableError("One group has one role twice in the list.", code="mapping_exists")
            seen.add((new.group_id, new.role_id))


def _row(mapping: GroupMapping) -> dict[str, Any]:
    return {
        "id": mapping.id,
        "position": mapping.position,
        "group_id": mapping.group_id,
        "role_id": mapping.role_id,
        "seat_on": mapping.seat_on,
    }
