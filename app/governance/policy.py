"""Reads an organization's roles and ordered mappings as values for the resolver."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, or_, select

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID, everywhere
from app.core.unit_of_work import UnitOfWork
from app.directory.models import groups, memberships, organizations, roles
from app.governance.models import group_mappings
from app.governance.resolver import Ceiling, GroupMapping, Policy, Role

_POLICY = (
    select(
        organizations.c.rights_mode,
        organizations.c.ceiling,
        roles,
        *(
            group_mappings.c[name].label(f"mapping_{name}")
            for name in ("id", "position", "group_id", "seat_on", "effective_at", "expires_at")
        ),
    )
    .select_from(
        organizations.join(roles, roles.c.org_id == organizations.c.org_id).outerjoin(
            group_mappings,
            and_(group_mappings.c.org_id == roles.c.org_id, group_mappings.c.role_id == roles.c.id),
        )
    )
    .where(organizations.c.org_id == ORG_ID)
    .order_by(group_mappings.c.position)
)
# Only what the groups of one person give; of the roles those that are in question.
_POLICY_OF = _POLICY.where(
    group_mappings.c.group_id.in_(
        select(memberships.c.group_id).where(
            memberships.c.org_id == ORG_ID, memberships.c.user_id == bindparam("user_id")
        )
    )
)
_MAPPINGS = (
    select(group_mappings).where(group_mappings.c.org_id == ORG_ID).order_by(group_mappings.c.position)
)
_JIT_SEAT_DAYS = select(organizations.c.jit_seat_days).where(organizations.c.org_id == ORG_ID)
_now = bindparam("now", type_=UtcDateTime)
# Time has made it count, or no longer count, since its people were last decided about.
IS_DUE = or_(
    and_(group_mappings.c.in_force.is_(True), group_mappings.c.expires_at <= _now),
    and_(
        group_mappings.c.in_force.is_(False),
        or_(group_mappings.c.effective_at.is_(None), group_mappings.c.effective_at <= _now),
        or_(group_mappings.c.expires_at.is_(None), group_mappings.c.expires_at > _now),
    ),
)
_DUE = select(group_mappings.c.group_id).where(group_mappings.c.org_id == ORG_ID, IS_DUE)
_DUE_EVERYWHERE = everywhere(_DUE)
_LOCK_MAPPINGS = select(organizations.c.org_id).where(organizations.c.org_id == ORG_ID).with_for_update()
_IS_MAPPED = (
    select(group_mappings.c.id)
    .where(group_mappings.c.org_id == ORG_ID, group_mappings.c.group_id == bindparam("group_id"))
    .limit(1)
)
_LOCK_ROLES = (
    select(roles.c.id).where(roles.c.org_id == ORG_ID).order_by(roles.c.id).with_for_update(key_share=True)
)
_LOCK_GROUPS = (
    select(groups.c.id, groups.c.deleted_at)
    .where(groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids"))
    .order_by(groups.c.id)
    .with_for_update(key_share=True)
)


def load_mappings(uow: UnitOfWork) -> list[GroupMapping]:
    return [
        GroupMapping(
            row.id,
            row.position,
            row.group_id,
            row.role_id,
            row.seat_on,
            row.effective_at,
            row.expires_at,
        )
        for row in uow.execute(_MAPPINGS)
    ]


def load_policy(uow: UnitOfWork) -> Policy:
    """The policy as it stands; read it only after locking the people that it is applied to."""
    # An organization has its built-in roles, so there is a row.
    return _policy(uow, uow.execute(_POLICY).all())


def load_policy_of(uow: UnitOfWork, user_id: str) -> Policy | None:
    """As much of it as the groups of one locked person are mapped to; null when nothing is."""
    rows = uow.execute(_POLICY_OF, {"user_id": user_id}).all()
    return _policy(uow, rows) if rows else None


def _policy(uow: UnitOfWork, rows: Sequence[Row]) -> Policy:
    return Policy(
        rights_mode=rows[0].rights_mode,
        mappings=[
            GroupMapping(
                row.mapping_id,
                row.mapping_position,
                row.mapping_group_id,
                row.id,
                row.mapping_seat_on,
                row.mapping_effective_at,
                row.mapping_expires_at,
            )
            for row in rows
            if row.mapping_id is not None
        ],
        roles={row.id: _role(row) for row in rows},
        moment=uow.now,
        ceiling=_ceiling(rows[0].ceiling),
    )


def jit_seats_since(uow: UnitOfWork) -> datetime:
    """Who exists only by signing in has no seat if they last did so before this."""
    return uow.now - timedelta(days=uow.execute(_JIT_SEAT_DAYS).scalar_one())


def due_group_ids(uow: UnitOfWork) -> set[str]:
    """The groups of mappings whose time has come or gone since their people were last decided about."""
    return set(uow.execute(_DUE, {"now": uow.now}).scalars())


def organizations_with_due(uow: UnitOfWork) -> list[str]:
    """Where there is such a group."""
    return uow.execute_unscoped(_DUE_EVERYWHERE, {"now": uow.now}).scalars()


def lock_mappings(uow: UnitOfWork) -> None:
    """Hold off changes of the mapping list, which take the same row first."""
    uow.execute(_LOCK_MAPPINGS)


def is_mapped(uow: UnitOfWork, group_id: str) -> bool:
    """Whether a group gives anything; the caller holds the group's row, as do changes of mappings."""
    return uow.execute(_IS_MAPPED, {"group_id": group_id}).first() is not None


def lock_groups(uow: UnitOfWork, group_ids: set[str]) -> set[str]:
    """Hold off changes of membership; answers the groups that are living."""
    if not group_ids:
        return set()
    rows = uow.execute(_LOCK_GROUPS, {"ids": sorted(group_ids)})
    return {row.id for row in rows if row.deleted_at is None}


def lock_roles(uow: UnitOfWork) -> None:
    """Hold off manual seats, each of which takes the row of its role; groups are locked before."""
    uow.execute(_LOCK_ROLES)


def _ceiling(stored: Mapping[str, Sequence[str] | None] | None) -> Ceiling:
    lists = stored or {}
    return Ceiling(**{name: None if names is None else frozenset(names) for name, names in lists.items()})


def _role(row: Row) -> Role:
    return Role(
        id=row.id,
        name=row.name,
        surfaces=tuple(row.surfaces),
        models=None if row.models is None else tuple(row.models),
        permissions=tuple(row.permissions),
        denies=frozenset(row.denies),
        seat=row.seat,
    )
