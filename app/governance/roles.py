"""Roles: what a group can give. The built-in ones come with the organization and stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.ids import FIRST_ID
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, roles
from app.governance.entitlements import EntitlementService
from app.governance.events import RoleCreated, RoleDeleted, RoleUpdated
from app.governance.holds import Holds
from app.governance.models import group_mappings, seats, spend_limits
from app.governance.policy import lock_groups, lock_mappings
from app.governance.removal_guard import OWNER
from app.governance.rights import PERMISSIONS, SURFACES

_VIEWS = [name for name in PERMISSIONS if name.endswith(".view")]
# The roles that every organization begins with. Who only administers takes no seat.
BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    OWNER: {"surfaces": list(SURFACES), "permissions": list(PERMISSIONS), "seat": True},
    "admin": {
        "surfaces": list(SURFACES),
        "permissions": [
            "connectors.install",
            "plugins.install",
            *_VIEWS,
            "admin.identity.manage",
            "admin.analytics.manage",
        ],
        "seat": True,
    },
    "auditor": {"surfaces": [], "permissions": _VIEWS, "seat": False},
    "billing": {
        "surfaces": [],
        "permissions": ["admin.billing.view", "admin.billing.manage", "admin.analytics.view"],
        "seat": False,
    },
    "member": {"surfaces": list(SURFACES), "permissions": [], "seat": True},
}

_LIST = select(roles).where(roles.c.org_id == ORG_ID, roles.c.id > bindparam("after")).order_by(roles.c.id)
_BY_ID = select(roles).where(roles.c.org_id == ORG_ID, roles.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update()
_NAMESAKE = select(roles.c.id).where(roles.c.org_id == ORG_ID, roles.c.name_key == bindparam("key"))
_INSERT = insert(roles)
_COLUMNS = ("name", "name_key", "surfaces", "models", "permissions", "denies", "seat")
_UPDATE = (
    update(roles)
    .where(roles.c.org_id == ORG_ID, roles.c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS})
)
_DELETE = delete(roles).where(roles.c.org_id == ORG_ID, roles.c.id == bindparam("row_id"))
_MAPPED_GROUPS = select(group_mappings.c.group_id).where(
    group_mappings.c.org_id == ORG_ID, group_mappings.c.role_id == bindparam("role_id")
)
_MANUAL_HOLDERS = select(seats.c.user_id).where(
    seats.c.org_id == ORG_ID, seats.c.manual_role_id == bindparam("role_id")
)
_SEEN_IN_SEATS = (
    select(seats.c.user_id)
    .where(
        seats.c.org_id == ORG_ID,
        or_(seats.c.role_id == bindparam("role_id"), seats.c.manual_role_id == bindparam("role_id")),
    )
    .limit(1)
)
_MEMBERS_OF = select(memberships.c.user_id).where(
    memberships.c.org_id == ORG_ID, is_one_of(memberships.c.group_id, "ids")
)
_LIMITS = (
    select(spend_limits)
    .where(
        spend_limits.c.org_id == ORG_ID,
        spend_limits.c.scope_type == "role",
        is_one_of(spend_limits.c.scope_id, "ids"),
    )
    .order_by(spend_limits.c.scope_id, spend_limits.c.window)
)
_DROP_LIMITS = delete(spend_limits).where(
    spend_limits.c.org_id == ORG_ID,
    spend_limits.c.scope_type == "role",
    spend_limits.c.scope_id == bindparam("role_id"),
)
_INSERT_LIMIT = insert(spend_limits)


@dataclass(frozen=True, slots=True)
class RoleWithLimits:
    row: Row
    # Window to nano-dollars.
    limits: Mapping[str, int]


class RoleService:
    def __init__(self, uow: UnitOfWork, entitlements: EntitlementService, held: Holds) -> None:
        self._uow = uow
        self._entitlements = entitlements
        self._holds = held

    def create_built_in(self) -> None:
        for name, rights in BUILT_IN.items():
            self._insert({"name": name, "models": None, "denies": [], **rights}, built_in=True)

    def page(self, *, after: str = FIRST_ID, limit: int) -> Sequence[RoleWithLimits]:
        """Up to `limit` roles with an id above `after`."""
        return self._with_limits(self._uow.execute(_LIST.limit(limit), {"after": after}).all())

    def get(self, role_id: str) -> RoleWithLimits:
        row = self._uow.execute(_BY_ID, {"id": role_id}).first()
        if row is None:
            raise _not_found(role_id)
        return self._with_limits([row])[0]

    def create(self, values: Mapping[str, Any], limits: Mapping[str, int]) -> RoleWithLimits:
        """Create a role of one's own; raises `ConflictError` on a taken name."""
        role_id = self._insert(values, built_in=False)
        self._store_limits(role_id, limits)
        return self.get(role_id)

    def update(
        self, role_id: str, changes: Mapping[str, Any], limits: Mapping[str, int] | None
    ) -> RoleWithLimits:
        """Change a role and, in the same transaction, everybody who holds it."""
        uow = self._uow
        # A mapping that is being added gives this role to people who must be decided about as well.
        lock_mappings(uow)
        groups = set(uow.execute(_MAPPED_GROUPS, {"role_id": role_id}).scalars())
        lock_groups(uow, groups)
        role = uow.execute(_LOCK, {"id": role_id}).first()
        if role is None:
            raise _not_found(role_id)
        new = {name: changes.get(name, getattr(role, name)) for name in _COLUMNS}
        new["name_key"] = fold(new["name"])
        _refuse_change_of_built_in(role, new)
        if new["name_key"] != role.name_key:
            self._refuse_namesake(new["name"])
        uow.execute(_UPDATE, {"row_id": role_id, **{f"new_{name}": value for name, value in new.items()}})
        if limits is not None:
            self._store_limits(role_id, limits)
        uow.add(
            RoleUpdated(
                role_id, {"changed": sorted([*changes, *(["spend_limits"] if limits is not None else [])])}
            )
        )
        holders = self._holds.held_people()
        holders.update(uow.execute(_MANUAL_HOLDERS, {"role_id": role_id}).scalars())
        if groups:
            holders.update(uow.execute(_MEMBERS_OF, {"ids": sorted(groups)}).scalars())
        self._entitlements.refresh(holders)
        return self.get(role_id)

    def delete(self, role_id: str) -> None:
        """Delete a role that nothing uses; raises `ConflictError` naming what does."""
        uow = self._uow
        role = uow.execute(_LOCK, {"id": role_id}).first()
        if role is None:
            raise _not_found(role_id)
        if role.built_in:
            raise ConflictError(f"The role {role.name!r} is built in and stays.", code="built_in_role")
        if uow.execute(_MAPPED_GROUPS, {"role_id": role_id}).first() is not None:
            raise ConflictError(
                f"Group mappings give the role {role.name!r}; change those first.", code="role_in_use"
            )
        if uow.execute(_SEEN_IN_SEATS, {"role_id": role_id}).first() is not None:
            raise ConflictError(f"Seats hold the role {role.name!r}; change those first.", code="role_in_use")
        uow.execute(_DROP_LIMITS, {"role_id": role_id})
        uow.execute(_DELETE, {"row_id": role_id})
        uow.add(RoleDeleted(role_id, {"name": role.name}))

    def _insert(self, values: Mapping[str, Any], *, built_in: bool) -> str:
        uow = self._uow
        self._refuse_namesake(values["name"])
        role_id = uow.ids.new()
        row = {name: values[name] for name in _COLUMNS if name != "name_key"}
        row |= {"id": role_id, "name_key": fold(values["name"]), "built_in": built_in, "created_at": uow.now}
        uow.execute(_INSERT, row)
        uow.add(RoleCreated(role_id, {"name": values["name"]}))
        return role_id

    def _refuse_namesake(self, name: str) -> None:
        if self._uow.execute(_NAMESAKE, {"key": fold(name)}).first() is not None:
            raise ConflictError(f"A role named {name!r} exists already.", code="role_name_taken")

    def _store_limits(self, role_id: str, limits: Mapping[str, int]) -> None:
        uow = self._uow
        uow.execute(_DROP_LIMITS, {"role_id": role_id})
        if limits:
            rows = [
                {
                    "id": uow.ids.new(),
                    "scope_type": "role",
                    "scope_id": role_id,
                    "window": window,
                    "amount_nanousd": amount,
                    "mode": "hard",
                    "pool": False,
                    "temporary": False,
                    "created_at": uow.now,
                }
                for window, amount in limits.items()
            ]
            uow.execute_many(_INSERT_LIMIT, rows)

    def _with_limits(self, rows: Sequence[Row]) -> list[RoleWithLimits]:
        limits: dict[str, dict[str, int]] = {row.id: {} for row in rows}
        if rows:
            for limit in self._uow.execute(_LIMITS, {"ids": list(limits)}):
                limits[limit.scope_id][limit.window] = limit.amount_nanousd
        return [RoleWithLimits(row, limits[row.id]) for row in rows]


def _refuse_change_of_built_in(role: Row, new: Mapping[str, Any]) -> None:
    if not role.built_in:
        return
    if new["name_key"] != role.name_key:
        raise ConflictError(f"The role {role.name!r} is built in and keeps its name.", code="built_in_role")
    # An owner who may do less could lock everybody out.
    if role.name_key == OWNER and not set(new["permissions"]).difference(new["denies"]).issuperset(
        PERMISSIONS
    ):
        raise ConflictError("The role 'owner' keeps every permission.", code="built_in_role")


def _not_found(role_id: str) -> NotFoundError:
    return NotFoundError(f"There is no role with the id {role_id!r}.", code="role_not_found")
