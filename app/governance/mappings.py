"""The ordered list group → role, changed as a whole or at its ends, under one version token.

Mappings name groups by id, so a rename in the IdP changes nothing, and a group deleted there is a
mapping that gives nobody anything. Each change decides again, in its own transaction, for every
member of the groups that it touches.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, insert, not_, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError, PreconditionFailedError, UnprocessableError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import group_members, groups, memberships, organizations, roles
from app.governance.entitlements import EntitlementService
from app.governance.events import MappingsChanged, MappingsTimed
from app.governance.holds import Holds
from app.governance.mapping_versions import MappingVersions, mapping_dict
from app.governance.models import group_mappings, seats
from app.governance.policy import (
    IS_DUE,
    due_group_ids,
    load_mappings,
    lock_groups,
    lock_mappings,
    lock_roles,
    organizations_with_due,
)
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
_NOTE_TIME = (
    update(group_mappings)
    .where(group_mappings.c.org_id == ORG_ID, IS_DUE)
    .values(in_force=not_(group_mappings.c.in_force))
)
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
    effective_at: datetime | None = None
    expires_at: datetime | None = None


class MappingService:
    def __init__(
        self, uow: UnitOfWork, entitlements: EntitlementService, versions: MappingVersions, held: Holds
    ) -> None:
        self._uow = uow
        self._entitlements = entitlements
        self._versions = versions
        self._holds = held

    def open(self) -> None:
        """A new organization begins with an empty list, its first version."""
        self._versions.keep(self.version(), ())

    @property
    def now(self) -> datetime:
        """The moment that this transaction decides at."""
        return self._uow.now

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
        before = self.begin()
        if any((old.group_id, old.role_id) == (new.group_id, new.role_id) for old in before):
            raise ConflictError("This group has this role already.", code="mapping_exists")
        return self._change(before, [*map(_as_wanted, before), new])[-1]

    def replace(self, wanted: Sequence[NewMapping], expected_version: int) -> list[GroupMapping]:
        """Replace the whole order; raises `PreconditionFailedError` when it has moved since."""
        return self._change(self.begin(expected_version), wanted)

    def delete(self, mapping_id: str) -> None:
        before = self.begin()
        kept = [old for old in before if old.id != mapping_id]
        if len(kept) == len(before):
            raise NotFoundError(
                f"There is no group mapping with the id {mapping_id!r}.", code="group_mapping_not_found"
            )
        self._change(before, [_as_wanted(old) for old in kept])

    def revert(self, version: int) -> list[GroupMapping]:
        """Put an earlier order in place again, as a new version; groups deleted since stay deleted.

        Raises `NotFoundError` for a version that never was and `ConflictError` when a role of it is gone.
        """
        before = self.begin()
        wanted = [_from_stored(stored) for stored in self._versions.get(version).mappings]
        gone = {new.role_id for new in wanted}.difference(self._uow.execute(_ROLE_IDS).scalars())
        if gone:
            raise ConflictError(
                f"Version {version} gives roles that were deleted since: {', '.join(sorted(gone))}.",
                code="role_deleted",
            )
        self.lock(before, wanted)
        after = self.arrange(before, wanted, {new.group_id for new in wanted})
        self.store(before, after)
        return after

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

    def has_due(self) -> bool:
        """Whether the time of a mapping has come or gone, and nobody has decided about its people since."""
        return bool(due_group_ids(self._uow))

    def organizations_with_due(self) -> list[str]:
        return organizations_with_due(self._uow)

    def apply_due(self) -> None:
        """Decide about the members of all mappings whose time has come or gone."""
        uow = self._uow
        lock_mappings(uow)
        group_ids = due_group_ids(uow)
        if group_ids:
            lock_groups(uow, group_ids)
            uow.execute(_NOTE_TIME, {"now": uow.now})
            uow.add(MappingsTimed(uow.org_id, {"group_ids": sorted(group_ids)}))
            members = uow.execute(_MEMBERS_OF, {"ids": sorted(group_ids)}).scalars()
            self._entitlements.refresh(self._holds.held_people().union(members))

    def begin(self, expected_version: int | None = None) -> list[GroupMapping]:
        """Begin a change of the list: the present order, which nobody else can change now."""
        # The version row is taken first, so that two changes of the list follow one another.
        version = self._uow.execute(_NEXT_VERSION).scalar_one()
        if expected_version not in (None, version - 1):
            raise PreconditionFailedError(
                f"The mappings are at version {version - 1}, not {expected_version}. "
                "Read them again and repeat the change.",
                code="mappings_moved",
            )
        return load_mappings(self._uow)

    def lock(self, before: Sequence[GroupMapping], wanted: Sequence[NewMapping]) -> set[str]:
        """Hold off changes of membership in all groups concerned; answers those that may be mapped."""
        mapped = {old.group_id for old in before}
        return lock_groups(self._uow, mapped | {new.group_id for new in wanted}) | mapped

    def arrange(
        self, before: Sequence[GroupMapping], wanted: Sequence[NewMapping], known_groups: Collection[str]
    ) -> list[GroupMapping]:
        """The wanted order as it would be stored; refuses unknown groups and roles, and repeated pairs."""
        self._check(wanted, known_groups)
        ids = {(old.group_id, old.role_id): old.id for old in before}
        return [
            GroupMapping(
                ids.get((new.group_id, new.role_id)) or self._uow.ids.new(),
                position,
                new.group_id,
                new.role_id,
                new.seat_on,
                new.effective_at,
                new.expires_at,
            )
            for position, new in enumerate(wanted, start=1)
        ]

    def people_between(self, before: Sequence[GroupMapping], after: Sequence[GroupMapping]) -> list[str]:
        """Everybody whose rights may differ between the two orders, or by the time that has passed."""
        changed = {mapping.group_id for mapping in {*before}.symmetric_difference(after)}
        changed |= due_group_ids(self._uow)
        if not changed:
            return []
        members = self._uow.execute(_MEMBERS_OF, {"ids": sorted(changed)}).scalars()
        return sorted(self._holds.held_people().union(members))

    def store(self, before: Sequence[GroupMapping], after: Sequence[GroupMapping]) -> None:
        """Make it the order, and everybody's rights what it says; the groups are locked."""
        uow = self._uow
        people = self.people_between(before, after)
        uow.execute(_CLEAR)
        if after:
            uow.execute_many(_INSERT, [_row(mapping, uow.now) for mapping in after])
        self._versions.keep(self.version(), after)
        uow.add(MappingsChanged(uow.org_id, {"mappings": [mapping_dict(mapping) for mapping in after]}))
        self._entitlements.refresh(people)

    def _change(self, before: Sequence[GroupMapping], wanted: Sequence[NewMapping]) -> list[GroupMapping]:
        after = self.arrange(before, wanted, self.lock(before, wanted))
        self.store(before, after)
        return after

    def _check(self, wanted: Sequence[NewMapping], known_groups: Collection[str]) -> None:
        if len(wanted) > MAX_MAPPINGS:
            raise UnprocessableError(f"At most {MAX_MAPPINGS} mappings are possible.")
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


def _as_wanted(old: GroupMapping) -> NewMapping:
    return NewMapping(old.group_id, old.role_id, old.seat_on, old.effective_at, old.expires_at)


def _from_stored(stored: dict[str, Any]) -> NewMapping:
    times = {
        name: None if stored[name] is None else datetime.fromisoformat(stored[name])
        for name in ("effective_at", "expires_at")
    }
    return NewMapping(stored["group_id"], stored["role_id"], stored["seat_on"], **times)


def _row(mapping: GroupMapping, now: datetime) -> dict[str, Any]:
    times = {"effective_at": mapping.effective_at, "expires_at": mapping.expires_at}
    return {**mapping_dict(mapping), **times, "in_force": mapping.is_in_force(now)}
