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

from sqlalchemy import bindparam, insert, or_, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory import group_people, nesting
from app.directory.events import GroupCreated, GroupDeleted, GroupUpdated, MembersChanged
from app.directory.models import group_members, groups
from app.directory.profile import Attributes
from app.directory.users import Indexer

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
_NAMESAKE = select(groups.c.id, groups.c.jit).where(
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
_ADOPT = update(groups).where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("row_id")).values(jit=False)
_TOMBSTONE = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, groups.c.id == bindparam("row_id"))
    .values(deleted_at=bindparam("moment"), member_count=0)
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
        self,
        attributes: Attributes,
        members: Sequence[str],
        types: Mapping[str, str] | None = None,
        *,
        by_sign_in: bool = False,
    ) -> str:
        """Create a group with its first members, of the given types as in `MemberChange`.

        Raises `ConflictError` on a taken displayName, unless that group is known only from sign-ins,
        which is pushed from now on; otherwise as `update`.
        """
        uow = self._uow
        columns = self._columns(attributes)
        known = uow.execute(_NAMESAKE, {"key": columns["display_name_key"]}).first()
        if known is not None and known.jit and not by_sign_in:
            change = MemberChange(add=members, replace=True, types=types or {})
            self.update(self.lock(known.id), attributes=attributes, members=change)
            return str(known.id)
        if known is not None:
            raise _name_taken(attributes["displayName"])
        group_id = uow.ids.new()
        uow.write(
            _INSERT,
            {
                **columns,
                "id": group_id,
                "member_count": 0,
                "jit": by_sign_in,
                "version": 1,
                "created_at": uow.now,
                "last_modified_at": uow.now,
            },
        )
        uow.add(GroupCreated(group_id, {"display_name": attributes["displayName"]}))
        added, inner = group_people.join(uow, group_id, members, types or {})
        if inner:
            nesting.change(uow, group_id, add=inner, remove=())
        if added:
            uow.write(_COUNT_FIRST, {"row_id": group_id, "growth": len(added)})
            uow.add(MembersChanged(group_id, added=added))
        return group_id

    def update(
        self,
        group: Row,
        *,
        attributes: Attributes | None = None,
        members: MemberChange = NO_CHANGE,
        by_sign_in: bool = False,
    ) -> int:
        """Change attributes, members or both of a locked group and answer the version.

        What is already so changes nothing. A group known only from sign-ins is the IdP's from then on,
        unless this is a sign-in as well. Raises `UnknownMemberError`, `NestingError` and, on a taken
        displayName, `ConflictError`.
        """
        uow = self._uow
        joining, leaving = members.add, members.remove
        if members.replace:
            present = group_people.types_of_members(uow, group.id)
            leaving = sorted(present.keys() - set(joining))
            joining = [
                member
                for member in joining
                if member not in present or members.types.get(member, present[member]) != present[member]
            ]
        removed = group_people.leave(uow, group.id, leaving)
        added, inner = group_people.join(uow, group.id, joining, members.types)
        # Whoever was no member as a person may have been one as a group.
        outgoing = set(leaving).difference(removed)
        nested = bool(inner or outgoing) and nesting.change(uow, group.id, add=inner, remove=outgoing)
        renamed = attributes is not None and self._store(group, attributes)
        if group.jit and not by_sign_in:
            uow.write(_ADOPT, {"row_id": group.id})
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
        present = group_people.members(uow, group.id)
        removed = group_people.leave(uow, group.id, present)
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
            namesake = self._uow.execute(_NAMESAKE, {"key": columns["display_name_key"]}).first()
            if namesake is not None:
                raise _name_taken(attributes["displayName"])
        values = {f"new_{name}": value for name, value in columns.items()}
        self._uow.write(_UPDATE, {**values, "row_id": group.id})
        data: Mapping[str, Any] = {"display_name": attributes["displayName"]}
        self._uow.add(GroupUpdated(group.id, data))
        return True

    def _columns(self, attributes: Attributes) -> dict[str, Any]:
        return {
            "display_name": attributes["displayName"],
            "display_name_key": fold(attributes["displayName"]),
            "external_id": attributes.get("externalId"),
            "attributes": json.dumps(attributes, ensure_ascii=False, separators=(",", ":")),
            "search": self._index(attributes),
        }


def _name_taken(display_name: str) -> ConflictError:
    return ConflictError(
        f"A group with the displayName {display_name!r} exists already. "
        "Link to that group or choose another name.",
        code="display_name_taken",
    )


def _found(group: Row | None, group_id: str) -> Row:
    if group is None:
        raise NotFoundError(f"There is no group with the id {group_id!r}.", code="group_not_found")
    return group
