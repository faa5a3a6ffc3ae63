"""Groups and who is in them. Membership is rows, never a list that is read and written back.

A member is a person or, by `nesting`, another group; `member_count` counts the people, because they are
what rights and seats follow from.

A change costs the same in an empty group and in one of 100,000: only the named people are touched,
and the group row itself, which is locked first so that parallel changes queue up and none is lost.
Locks are taken in the order groups, users, principals.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import batches
from app.core.connection import Row
from app.core.database import Id
from app.core.errors import ConflictError, NotFoundError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory import nesting
from app.directory.events import GroupCreated, GroupDeleted, GroupUpdated, MembersChanged
from app.directory.models import group_members, groups, memberships, users
from app.directory.profile import Attributes
from app.directory.users import Indexer

USER, GROUP = "User", "Group"

# NO KEY UPDATE: whoever puts a group into another one need not wait for changes of the inner one.
_LOCK = (
    select(*(column for column in groups.c if column.name != "search"))
    .where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("id"), groups.c.deleted_at.is_(None))
    .with_for_update(key_share=True)
)
_LOCK_WITH_PARENTS = (
    select(*(column for column in groups.c if column.name != "search"))
    .where(
        groups.c.org_id == ORG_ID,
        or_(
            groups.c.id == bindparam("id"),
            groups.c.id.in_(
                select(group_members.c.group_id).where(
                    group_members.c.org_id == ORG_ID, group_members.c.member_group_id == bindparam("id")
                )
            ),
        ),
        groups.c.deleted_at.is_(None),
    )
    .order_by(groups.c.id)
    .with_for_update(key_share=True)
)
_NAMESAKE = select(groups.c.id).where(
    groups.c.org_id == ORG_ID,
    groups.c.display_name_key == bindparam("key"),
    groups.c.deleted_at.is_(None),
)
_INSERT = insert(groups)
_UPDATE = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("row_id"))
    .values(
        display_name=bindparam("new_display_name"),
        display_name_key=bindparam("new_display_name_key"),
        external_id=bindparam("new_external_id"),
        attributes=bindparam("new_attributes"),
        search=bindparam("new_search"),
    )
)
_TOUCH = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("row_id"))
    .values(
        member_count=groups.c.member_count + bindparam("growth"),
        version=groups.c.version + 1,
        last_modified_at=bindparam("moment"),
    )
)
_COUNT_FIRST = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("row_id"))
    .values(member_count=bindparam("growth"))
)
_TOMBSTONE = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("row_id"))
    .values(deleted_at=bindparam("moment"), member_count=0)
)
_living = (
    users.c.org_id == ORG_ID,
    is_one_of(users.c.id, "ids"),
    users.c.deleted_at.is_(None),
)
_LIVING = select(users.c.id).where(*_living)
_MEMBERS = select(memberships.c.user_id).where(
    memberships.c.org_id == ORG_ID, memberships.c.group_id == bindparam("group_id")
)
_MEMBERS_OF_EACH_TYPE = union_all(
    select(memberships.c.user_id.label("id"), literal(USER).label("type")).where(
        memberships.c.org_id == ORG_ID, memberships.c.group_id == bindparam("group_id")
    ),
    select(group_members.c.member_group_id, literal(GROUP)).where(
        group_members.c.org_id == ORG_ID, group_members.c.group_id == bindparam("group_id")
    ),
)
# Whoever is living joins, and is not named again who was there already. The share lock makes a deletion
# of the same person wait, so that no tombstone becomes a member. Both databases read the clause alike.
_JOIN = (
    upsert(memberships)
    .from_select(
        ["org_id", "group_id", "user_id"],
        select(users.c.org_id, bindparam("into_group_id", type_=Id), users.c.id)
        .where(*_living)
        .order_by(users.c.id)
        .with_for_update(read=True),
    )
    .on_conflict_do_nothing()
    .returning(memberships.c.user_id)
)
_LEAVE = (
    delete(memberships)
    .where(
        memberships.c.org_id == ORG_ID,
        memberships.c.group_id == bindparam("group_id"),
        is_one_of(memberships.c.user_id, "ids"),
    )
    .returning(memberships.c.user_id)
)


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Whom to add and remove; with `replace` the final members are exactly `add`.

    `types` says `User` or `Group` of those to be added whose type the client gave.
    """

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    replace: bool = False
    types: Mapping[str, str] = field(default_factory=dict)


NO_CHANGE = MemberChange()


class GroupService:
    def __init__(self, uow: UnitOfWork, index: Indexer) -> None:
        self._uow = uow
        self._index = index

    def lock(self, group_id: str) -> Row:
        """The living group, held until the transaction ends; raises `NotFoundError`."""
        return _found(self._uow.execute(_LOCK, {"id": group_id}).first(), group_id)

    def lock_with_parents(self, group_id: str) -> Row:
        """The same for a group to be deleted, which changes the groups that it is in."""
        rows = self._uow.execute(_LOCK_WITH_PARENTS, {"id": group_id}).all()
        return _found(next((row for row in rows if row.id == group_id), None), group_id)

    def create(
        self, attributes: Attributes, members: Sequence[str], types: Mapping[str, str] | None = None
    ) -> str:
        """Create a group with its first members, of the given types as in `MemberChange`.

        Raises `ConflictError` on a taken displayName, otherwise as `update`.
        """
        uow = self._uow
        columns = self._columns(attributes)
        self._refuse_namesake(columns["display_name_key"], attributes["displayName"])
        group_id = uow.ids.new()
        uow.write(
            _INSERT,
            {
                **columns,
                "id": group_id,
                "member_count": 0,
                "version": 1,
                "created_at": uow.now,
                "last_modified_at": uow.now,
            },
        )
        uow.add(GroupCreated(group_id, {"display_name": attributes["displayName"]}))
        added, inner = self._join(group_id, members, types or {})
        if inner:
            nesting.change(uow, group_id, add=inner, remove=())
        if added:
            uow.write(_COUNT_FIRST, {"row_id": group_id, "growth": len(added)})
            uow.add(MembersChanged(group_id, added=added))
        return group_id

    def update(
        self, group: Row, *, attributes: Attributes | None = None, members: MemberChange = NO_CHANGE
    ) -> int:
        """Change attributes, members or both of a locked group and answer the version.

        What is already so changes nothing. Raises `UnknownMemberError`, `NestingError` and, on a taken
        displayName, `ConflictError`.
        """
        uow = self._uow
        joining, leaving = members.add, members.remove
        if members.replace:
            present = {row.id: row.type for row in uow.execute(_MEMBERS_OF_EACH_TYPE, {"group_id": group.id})}
            leaving = sorted(present.keys() - set(joining))
            joining = [
                member
                for member in joining
                if member not in present or members.types.get(member, present[member]) != present[member]
            ]
        removed = self._leave(group.id, leaving)
        added, inner = self._join(group.id, joining, members.types)
        # Whoever was no member as a person may have been one as a group.
        outgoing = set(leaving).difference(removed)
        nested = bool(inner or outgoing) and nesting.change(uow, group.id, add=inner, remove=outgoing)
        renamed = attributes is not None and self._store(group, attributes)
        version: int = group.version
        if added or removed or nested or renamed:
            values = {"row_id": group.id, "growth": len(added) - len(removed), "moment": uow.now}
            uow.write(_TOUCH, values)
            version += 1
        if added or removed:
            uow.add(MembersChanged(group.id, added=added, removed=removed))
        return version

    def delete(self, group: Row) -> None:
        """A group locked with its parents leaves a tombstone, so that a mapping can show what it was for."""
        uow = self._uow
        present = sorted(uow.execute(_MEMBERS, {"group_id": group.id}).scalars())
        removed = self._leave(group.id, present)
        nesting.dissolve(uow, group.id)
        uow.write(_TOMBSTONE, {"row_id": group.id, "moment": uow.now})
        uow.add(GroupDeleted(group.id, {"display_name": group.display_name}))
        if removed:
            uow.add(MembersChanged(group.id, removed=removed))

    def _store(self, group: Row, attributes: Attributes) -> bool:
        columns = self._columns(attributes)
        if columns["attributes"] == group.attributes:
            return False
        if columns["display_name_key"] != group.display_name_key:
            self._refuse_namesake(columns["display_name_key"], attributes["displayName"])
        values = {f"new_{name}": value for name, value in columns.items()}
        self._uow.write(_UPDATE, {**values, "row_id": group.id})
        data: Mapping[str, Any] = {"display_name": attributes["displayName"]}
        self._uow.add(GroupUpdated(group.id, data))
        return True

    def _refuse_namesake(self, key: str, display_name: str) -> None:
        if self._uow.execute(_NAMESAKE, {"key": key}).first() is not None:
            raise ConflictError(
                f"A group with the displayName {display_name!r} exists already. "
                "Link to that group or choose another name.",
                code="display_name_taken",
            )

    def _join(
        self, group_id: str, ids: Sequence[str], types: Mapping[str, str]
    ) -> tuple[tuple[str, ...], list[str]]:
        """Who of the people joined now, and which ids must be groups, because they are nobody's."""
        uow = self._uow
        added: list[str] = []
        others = [member for member in ids if types.get(member) == GROUP]
        for batch in batches(sorted(set(ids).difference(others))):
            joined = uow.execute(_JOIN, {"into_group_id": group_id, "ids": list(batch)}).scalars()
            if len(joined) < len(batch):
                living = set(uow.execute(_LIVING, {"ids": list(batch)}).scalars())
                others += [member for member in batch if member not in living]
            added.extend(joined)
        unknown = [member for member in others if types.get(member) == USER]
        if unknown:
            raise nesting.unknown_member(unknown)
        return tuple(added), others

    def _leave(self, group_id: str, user_ids: Sequence[str]) -> tuple[str, ...]:
        removed: list[str] = []
        for batch in batches(user_ids):
            values = {"group_id": group_id, "ids": list(batch)}
            removed.extend(self._uow.execute(_LEAVE, values).scalars())
        return tuple(removed)

    def _columns(self, attributes: Attributes) -> dict[str, Any]:
        return {
            "display_name": attributes["displayName"],
            "display_name_key": fold(attributes["displayName"]),
            "external_id": attributes.get("externalId"),
            "attributes": json.dumps(attributes, ensure_ascii=False, separators=(",", ":")),
            "search": self._index(attributes),
        }


def _found(group: Row | None, group_id: str) -> Row:
    if group is None:
        raise NotFoundError(f"There is no group with the id {group_id!r}.", code="group_not_found")
    return group
