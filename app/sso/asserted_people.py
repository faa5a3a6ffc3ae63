"""People and groups as sign-ins tell of them, where the IdP provisions none.

SCIM wins: nothing here touches a person whom the IdP provisions, and groups in assertions count only in
an organization to which no group is pushed. Groups that are unknown are not the same as none.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, select

from app.core.connection import Row
from app.core.errors import ConcurrentUpdateError, ConflictError
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory import principals as principals_of
from app.directory.groups import GroupService, MemberChange
from app.directory.models import groups, memberships
from app.directory.users import UserService

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
# An assertion that names more says too much to be meant: its groups are taken for unknown.
MAX_GROUPS = 1_000
MAX_GROUP_NAME = 256

_PUSHED = (
    select(groups.c.id)
    .where(groups.c.org_id == ORG_ID, groups.c.deleted_at.is_(None), groups.c.jit.is_(False))
    .limit(1)
)
_BY_NAME = select(groups.c.id).where(
    groups.c.org_id == ORG_ID,
    groups.c.display_name_key == bindparam("key"),
    groups.c.deleted_at.is_(None),
)
_GROUPS_OF = (
    select(groups.c.id, groups.c.display_name_key)
    .select_from(
        memberships.join(
            groups, and_(groups.c.org_id == memberships.c.org_id, groups.c.id == memberships.c.group_id)
        )
    )
    .where(memberships.c.org_id == ORG_ID, memberships.c.user_id == bindparam("user_id"))
)


@dataclass(frozen=True, slots=True)
class Told:
    """What an assertion tells of a person; absent texts are empty, `groups` is null when unknown."""

    user_name: str
    email: str
    first_name: str
    last_name: str
    display_name: str
    groups: Sequence[str] | None


class AssertedPeople:
    def __init__(self, uow: UnitOfWork, users: UserService, groups: GroupService) -> None:
        self._uow = uow
        self._users = users
        self._groups = groups

    def create(self, told: Told) -> str:
        """A new person, theirs only until the IdP provisions them; answers the id."""
        return self._users.create(_attributes({}, told), active=True, by_sign_in=True).id

    def follow(self, user: Row, told: Told) -> None:
        """Take over what is new about a locked person whom only sign-ins made, and that they signed in."""
        uow = self._uow
        if user.principal_jit_signed_in_at is None:
            return
        before: dict[str, Any] = json.loads(user.attributes)
        after = _attributes(before, told)
        changed = frozenset(name for name in after if before.get(name) != after[name])
        if changed:
            active = after.pop("active", None)
            self._users.update(user, after, idp_active=active, changed=changed, by_sign_in=True)
        principals_of.set_access(uow, user, jit_signed_in_at=uow.now)

    def join_groups(self, user_id: str, told: Told) -> bool:
        """Make the person a member of exactly the groups that were told; answers whether they count."""
        uow = self._uow
        named = {fold(name): name for name in told.groups or () if 0 < len(name.strip()) <= MAX_GROUP_NAME}
        if told.groups is None or len(named) > MAX_GROUPS or uow.execute(_PUSHED).first() is not None:
            return False
        present = {row.display_name_key: row.id for row in uow.execute(_GROUPS_OF, {"user_id": user_id})}
        changes: dict[str, MemberChange] = {}
        for key in sorted(named.keys() - present.keys()):
            group_id = uow.execute(_BY_NAME, {"key": key}).scalar_one_or_none()
            if group_id is None:
                self._create_group(named[key], user_id)
            else:
                changes[group_id] = MemberChange(add=[user_id])
        changes |= {present[key]: MemberChange(remove=[user_id]) for key in present.keys() - named.keys()}
        # In the order of their ids, as everybody locks groups.
        for group_id in sorted(changes):
            self._groups.update(self._groups.lock(group_id), members=changes[group_id], by_sign_in=True)
        return True

    def _create_group(self, name: str, user_id: str) -> None:
        attributes = {"schemas": [GROUP_SCHEMA], "displayName": name}
        try:
            self._groups.create(attributes, [user_id], by_sign_in=True)
        except ConflictError as error:
            # Another sign-in made it since we looked; the second look finds theirs.
            raise ConcurrentUpdateError(error.detail) from error


def _attributes(before: dict[str, Any], told: Told) -> dict[str, Any]:
    """SCIM attributes (RFC 7643 section 4.1) with what was told over what was there."""
    names = {"givenName": told.first_name, "familyName": told.last_name}
    name = {**before.get("name", {}), **{key: value for key, value in names.items() if value}}
    shown = told.display_name or " ".join(part for part in names.values() if part)
    attributes = {**before, "schemas": [USER_SCHEMA], "userName": before.get("userName", told.user_name)}
    attributes["emails"] = [{"value": told.email, "type": "work", "primary": True}]
    if name:
        attributes["name"] = name
    if shown:
        attributes["displayName"] = shown
    return attributes
