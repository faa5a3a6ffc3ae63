"""Groups as members of groups: the edges, and for every group all groups around it.

Edges change rarely and are read with every user, so each change works out again what is around the
groups it moved. Changes of one organization follow one another under a lock of their own, taken after
the rows of groups and users; only so can no two of them close a loop together. It must not know what
rights follow from a group: nesting gives none.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Executable, Text, bindparam, cast, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import batches
from app.core.database import Id
from app.core.errors import BadRequestError
from app.core.sql import is_one_of, lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.ancestry import ancestors, path_up
from app.directory.events import NestedGroupsChanged
from app.directory.models import group_ancestors, group_members, groups

MAX_NESTING_DEPTH = 10

_LOCK = select(lock_for_transaction(cast(ORG_ID, Text) + "/nesting"))
_my_edges = (group_members.c.org_id == ORG_ID, group_members.c.group_id == bindparam("group_id"))
_PRESENT = select(group_members.c.member_group_id).where(
    *_my_edges, is_one_of(group_members.c.member_group_id, "ids")
)
# Both databases read the clause alike.
_JOIN = (
    upsert(group_members)
    .from_select(
        ["org_id", "group_id", "member_group_id"],
        select(groups.c.org_id, bindparam("into_group_id", type_=Id), groups.c.id)
        .where(groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids"), groups.c.deleted_at.is_(None))
        .order_by(groups.c.id),
    )
    .on_conflict_do_nothing()
    .returning(group_members.c.member_group_id)
)
_LEAVE = delete(group_members).where(*_my_edges, is_one_of(group_members.c.member_group_id, "ids"))
_EMPTY = delete(group_members).where(*_my_edges).returning(group_members.c.member_group_id)
_LEAVE_ALL = (
    delete(group_members)
    .where(group_members.c.org_id == ORG_ID, group_members.c.member_group_id == bindparam("group_id"))
    .returning(group_members.c.group_id)
)
_TOUCH = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids"))
    .values(version=groups.c.version + 1, last_modified_at=bindparam("moment"))
)
_INSIDE = select(group_ancestors.c.group_id).where(
    group_ancestors.c.org_id == ORG_ID, is_one_of(group_ancestors.c.ancestor_id, "ids")
)
_AROUND = select(group_ancestors.c.group_id, group_ancestors.c.ancestor_id).where(
    group_ancestors.c.org_id == ORG_ID, is_one_of(group_ancestors.c.group_id, "ids")
)
_EDGES_OUT = select(group_members.c.member_group_id, group_members.c.group_id).where(
    group_members.c.org_id == ORG_ID, is_one_of(group_members.c.member_group_id, "ids")
)
_NAMES = select(groups.c.id, groups.c.display_name).where(
    groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids")
)
_ENCLOSE = insert(group_ancestors)
_RELEASE = delete(group_ancestors).where(
    group_ancestors.c.org_id == ORG_ID,
    group_ancestors.c.group_id == bindparam("inner_id"),
    group_ancestors.c.ancestor_id == bindparam("outer_id"),
)


class UnknownMemberError(BadRequestError):
    code = "unknown_member"


class NestingError(BadRequestError):
    code = "invalid_nesting"


def unknown_member(ids: Sequence[str]) -> UnknownMemberError:
    return UnknownMemberError(
        f"The member {ids[0]!r} is neither a user nor a group here, or not of the type given with it "
        f"({len(ids)} such in this request). Create it first, then add it to the group."
    )


def change(uow: UnitOfWork, group_id: str, *, add: Collection[str], remove: Collection[str]) -> bool:
    """Put groups into a locked group and take groups out of it; answers whether anything changed.

    What is already so costs one look and takes no lock. Raises `UnknownMemberError` for an id that is no
    living group, `NestingError` for a loop (RFC 7643 section 4.2) or too deep a nesting.
    """
    present = {row[0] for row in _each(uow, _PRESENT, {*add, *remove}, group_id=group_id)}
    joining, leaving = sorted(set(add) - present), sorted(present.intersection(remove))
    if not joining and not leaving:
        return False
    uow.execute(_LOCK)
    for batch in batches(leaving):
        uow.write(_LEAVE, {"group_id": group_id, "ids": list(batch)})
    joined = {row[0] for row in _each(uow, _JOIN, joining, into_group_id=group_id)}
    unknown = [member for member in joining if member not in joined]
    if unknown:
        raise unknown_member(unknown)
    _work_out(uow, {*joining, *leaving}, group_id)
    uow.add(NestedGroupsChanged(group_id, added=tuple(joining), removed=tuple(leaving)))
    return True


def dissolve(uow: UnitOfWork, group_id: str) -> None:
    """Take a locked group that is being deleted out of all groups, and all groups out of it.

    The groups that held it get a new version; `GroupService.lock_with_parents` holds their rows.
    """
    uow.execute(_LOCK)
    inner = sorted(uow.execute(_EMPTY, {"group_id": group_id}).scalars())
    outer = sorted(uow.execute(_LEAVE_ALL, {"group_id": group_id}).scalars())
    if not inner and not outer:
        return
    _work_out(uow, {group_id, *inner}, group_id)
    for batch in batches(outer):
        uow.write(_TOUCH, {"ids": list(batch), "moment": uow.now})
    for parent in outer:
        uow.add(NestedGroupsChanged(parent, removed=(group_id,)))
    if inner:
        uow.add(NestedGroupsChanged(group_id, removed=tuple(inner)))


def _work_out(uow: UnitOfWork, moved: set[str], group_id: str) -> None:
    """Store anew what is around the moved groups and around everything in them; refuse loops and depth.

    What was stored before the change names every group that it can concern, so nothing else is read.
    """
    inside = moved | {row[0] for row in _each(uow, _INSIDE, moved)}
    stored = {(inner, outer) for inner, outer in _each(uow, _AROUND, inside | {group_id})}
    concerned = inside | {group_id} | {outer for _, outer in stored}
    parents: dict[str, list[str]] = {}
    for inner, outer in _each(uow, _EDGES_OUT, concerned):
        parents.setdefault(inner, []).append(outer)
    _refuse_loop(uow, parents, group_id)
    around = ancestors(parents, inside)
    _refuse_depth(around)
    before = {pair for pair in stored if pair[0] in inside}
    after = {(inner, outer) for inner, outers in around.items() for outer in outers}
    released = [{"inner_id": inner, "outer_id": outer} for inner, outer in sorted(before - after)]
    enclosed = [{"group_id": inner, "ancestor_id": outer} for inner, outer in sorted(after - before)]
    if released:
        uow.execute_many(_RELEASE, released)
    if enclosed:
        uow.execute_many(_ENCLOSE, enclosed)


def _refuse_loop(uow: UnitOfWork, parents: dict[str, list[str]], group_id: str) -> None:
    """Every new loop leads through the changed group: out of it by a parent and back into it."""
    ways = (path_up(parents, parent, {group_id}) for parent in parents.get(group_id, ()))
    loop = next((way for way in ways if way is not None), None)
    if loop is None:
        return
    names = {row.id: row.display_name for row in _each(uow, _NAMES, loop)}
    way = " in ".join(f"{names[id_]!r} ({id_})" for id_ in (group_id, *loop))
    raise NestingError(f"A group cannot be inside itself: {way}. Leave one of these memberships out.")


def _refuse_depth(around: dict[str, dict[str, int]]) -> None:
    for group_id, steps in around.items():
        depth = max(steps.values(), default=0)
        if depth > MAX_NESTING_DEPTH:
            raise NestingError(
                f"The group {group_id!r} would be {depth} groups deep; at most {MAX_NESTING_DEPTH} are "
                "accepted. Put it into an outer group directly."
            )


def _each(uow: UnitOfWork, statement: Executable, ids: Iterable[str], **values: Any) -> Iterator[Any]:
    """The rows of a statement for any number of ids."""
    wanted: Sequence[str] = sorted(ids)
    for batch in batches(wanted):
        yield from uow.execute(statement, {**values, "ids": list(batch)})
