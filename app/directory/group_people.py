"""Who is in a group, as rows: joined and left by difference, whatever the size of the group."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, literal, select, union_all
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import batches
from app.core.database import Id
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory import nesting
from app.directory.models import group_members, memberships, users

USER, GROUP = "User", "Group"

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


def members(uow: UnitOfWork, group_id: str) -> list[str]:
    """The people in the group, in the order of their ids."""
    return sorted(uow.execute(_MEMBERS, {"group_id": group_id}).scalars())


def types_of_members(uow: UnitOfWork, group_id: str) -> dict[str, str]:
    """People and groups in the group, with which of the two each is."""
    return {row.id: row.type for row in uow.execute(_MEMBERS_OF_EACH_TYPE, {"group_id": group_id})}


def join(
    uow: UnitOfWork, group_id: str, ids: Sequence[str], types: Mapping[str, str]
) -> tuple[tuple[str, ...], list[str]]:
    """Who of the people joined now, and which ids must be groups, because they are nobody's."""
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


def leave(uow: UnitOfWork, group_id: str, user_ids: Sequence[str]) -> tuple[str, ...]:
    """Who of these was in the group and no longer is."""
    removed: list[str] = []
    for batch in batches(user_ids):
        values = {"group_id": group_id, "ids": list(batch)}
        removed.extend(uow.execute(_LEAVE, values).scalars())
    return tuple(removed)
