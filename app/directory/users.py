"""People: created, changed, switched off and on, deleted.

Whoever writes a user goes through here, whichever door they came in by, so that the principal, the
tombstone rules and the events are the same for all. It must not know SCIM messages, seats or
sessions; those act on the events. Locks are taken in the order groups, users, principals.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.connection import Row
from app.core.errors import ConcurrentUpdateError, ConflictError, NotFoundError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory import emails, managers, namesakes
from app.directory import principals as principals_of
from app.directory.events import (
    MembersChanged,
    UserAdopted,
    UserCreated,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
    UserUpdated,
)
from app.directory.models import groups, memberships, principals, users
from app.directory.people import SHOWN
from app.directory.profile import PROFILE_COLUMNS, Attributes, Profile, Stored

Indexer = Callable[[Attributes], dict[str, Any]]

# The living user with the principal's columns, held until the transaction ends, so that what is decided
# on the row is still so when it is written. NO KEY UPDATE: an edge to the person need not wait.
LOCKED_USER = (
    select(
        *(column for column in users.c if column.name != "search"),
        *principals_of.LABELLED,
        managers.SHOWN_NAME,
    )
    .select_from(SHOWN)
    .where(users.c.org_id == ORG_ID, users.c.id == bindparam("id"), users.c.deleted_at.is_(None))
    .with_for_update(of=(users, principals), key_share=True)
)
_MOVED = "The user was changed by another request at the same moment."
_INSERT = insert(users)
# What changes when a person is only switched off or on, and what besides when they change.
_ACCESS_COLUMNS = ("active", "idp_active", "attributes", "last_modified_at")
_ALL_COLUMNS = (*_ACCESS_COLUMNS, *PROFILE_COLUMNS, "search")
_UPDATES = {
    names: update(users)
    .where(
        users.c.org_id == ORG_ID,
        users.c.id == bindparam("row_id"),
        users.c.version == bindparam("row_version"),
        users.c.deleted_at.is_(None),
    )
    .values(version=users.c.version + 1, **{name: bindparam(f"new_{name}") for name in names})
    for names in (_ACCESS_COLUMNS, _ALL_COLUMNS)
}
_TOMBSTONE = (
    update(users)
    .where(users.c.org_id == ORG_ID, users.c.id == bindparam("row_id"), users.c.deleted_at.is_(None))
    .values(deleted_at=bindparam("moment"), active=False, idp_active=False)
)
_LEAVE_GROUPS = (
    delete(memberships)
    .where(memberships.c.org_id == ORG_ID, memberships.c.user_id == bindparam("user_id"))
    .returning(memberships.c.group_id)
)
_GROUPS_OF = (
    select(groups.c.id)
    .where(
        groups.c.org_id == ORG_ID,
        groups.c.id.in_(
            select(memberships.c.group_id).where(
                memberships.c.org_id == ORG_ID, memberships.c.user_id == bindparam("user_id")
            )
        ),
    )
    .order_by(groups.c.id)
    .with_for_update(key_share=True)
)
_SHRINK_GROUPS = (
    update(groups)
    .where(groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids"))
    .values(
        member_count=groups.c.member_count - 1,
        version=groups.c.version + 1,
        last_modified_at=bindparam("moment"),
    )
)


class UserService:
    """`index` turns attributes into the document that filters search (see `app.wiring`)."""

    def __init__(self, uow: UnitOfWork, index: Indexer) -> None:
        self._uow = uow
        self._index = index

    def lock(self, user_id: str) -> Row:
        """The living user and their principal, held until the end; raises `NotFoundError`."""
        row = self._uow.execute(LOCKED_USER, {"id": user_id}).first()
        if row is None:
            raise NotFoundError(f"There is no user with the id {user_id!r}.", code="user_not_found")
        return row

    def create(self, attributes: Attributes, *, active: bool, by_sign_in: bool = False) -> Stored:
        """Create a user from SCIM attributes (RFC 7643 section 4.1).

        Raises `ConflictError` when a living user has the same folded userName, unless that is one whom
        only a sign-in made, who is provisioned from now on. Matches no other attribute: an e-mail
        address is data, not an identity.
        """
        uow = self._uow
        user_id = uow.ids.new()
        profile = Profile.of(attributes)
        living, tombstone = namesakes.find(uow, profile)
        if living is not None and living.jit_signed_in_at is not None and not by_sign_in:
            known = self.lock(living.id)
            return self.update(known, attributes, idp_active=active, changed=frozenset(attributes))
        if living is not None:
            raise namesakes.name_taken(profile)
        effective = active and not (tombstone is not None and tombstone.blocked)
        principal_id = principals_of.take(uow, user_id, tombstone, active=effective, by_sign_in=by_sign_in)
        shown = {**attributes, "active": effective}
        columns = self._access_columns(shown, active=effective, idp_active=active)
        manager_name = managers.name_of(uow, profile.manager_id)
        uow.write(
            _INSERT,
            {
                **columns,
                **asdict(profile),
                "search": self._index(attributes),
                "id": user_id,
                "principal_id": principal_id,
                "version": 1,
                "created_at": uow.now,
            },
        )
        emails.store_others(uow, user_id, attributes)
        data = {"user_name": profile.user_name, "active": effective}
        uow.add(UserCreated(user_id, data))
        return Stored(user_id, columns["attributes"], 1, uow.now, uow.now, profile.manager_id, manager_name)

    def update(
        self,
        user: Row,
        attributes: Attributes,
        *,
        idp_active: bool | None,
        changed: frozenset[str],
        by_sign_in: bool = False,
    ) -> Stored:
        """Store new attributes over the given row; raises `ConcurrentUpdateError` if it moved.

        `idp_active` is what the IdP says; an administrator's block keeps the person inactive all the
        same. `None` when the IdP removed the attribute: then nothing is shown and access stays as it
        is, because only true and false speak of access. `changed` names the attributes for the audit log.
        Whom only a sign-in made is the IdP's from then on, unless this is a sign-in as well.
        """
        # Going on and off has events of its own.
        turns = idp_active is not None and idp_active != user.idp_active
        profile = changed - {"active"} if turns else changed
        stored = self._store(
            user,
            attributes,
            idp_active=idp_active,
            blocked=user.principal_blocked,
            profile=bool(profile),
            jit_signed_in_at=user.principal_jit_signed_in_at if by_sign_in else None,
        )
        if "emails" in profile:
            emails.replace_others(self._uow, user.id, attributes)
        if profile:
            self._uow.add(UserUpdated(user.id, {"changed": sorted(profile)}))
        if user.principal_jit_signed_in_at is not None and not by_sign_in:
            self._uow.add(UserAdopted(user.id))
        return stored

    def block(self, user: Row) -> None:
        """An administrator switches the person off; the IdP's `active: true` does not lift it."""
        self._override(user, blocked=True)

    def unblock(self, user: Row) -> None:
        """Lift the block; the person is as active as the IdP last said."""
        if not user.idp_active:
            raise ConflictError(
                "The identity provider has this person inactive; reactivate them there.",
                code="inactive_in_idp",
            )
        self._override(user, blocked=False)

    def _override(self, user: Row, *, blocked: bool) -> None:
        if user.principal_blocked != blocked:
            attributes = json.loads(user.attributes)
            self._store(
                user,
                attributes,
                idp_active=user.idp_active,
                blocked=blocked,
                profile=False,
                jit_signed_in_at=user.principal_jit_signed_in_at,
            )

    def _store(
        self,
        user: Row,
        attributes: Attributes,
        *,
        idp_active: bool | None,
        blocked: bool,
        profile: bool,
        jit_signed_in_at: datetime | None,
    ) -> Stored:
        """Write the row, if nobody else has meanwhile; `profile` says whether more than access changed."""
        wanted = user.idp_active if idp_active is None else idp_active
        active = wanted and not blocked
        shown = {} if idp_active is None else {"active": active}
        columns = self._access_columns({**attributes, **shown}, active=active, idp_active=wanted)
        if profile:
            columns |= self._profile_columns(attributes, user.user_name_key)
        manager_id, manager_name = columns.get("manager_id", user.manager_id), user.manager_name
        if manager_id == user.id:
            manager_name = columns.get("display_name", user.display_name) or ""
        elif manager_id != user.manager_id:
            # Asked before the write, which then can wait for others to go with it.
            manager_name = managers.name_of(self._uow, manager_id)
        statement = _UPDATES[_ALL_COLUMNS if profile else _ACCESS_COLUMNS]
        values = {f"new_{name}": value for name, value in columns.items()}
        self._uow.write(statement, {**values, "row_id": user.id, "row_version": user.version}, lost=_MOVED)
        if active != user.active or blocked != user.principal_blocked:
            self._set_access(user, active=active, blocked=blocked, jit_signed_in_at=jit_signed_in_at)
        elif jit_signed_in_at != user.principal_jit_signed_in_at:
            principals_of.set_access(self._uow, user, jit_signed_in_at=jit_signed_in_at)
        return Stored(
            user.id,
            columns["attributes"],
            user.version + 1,
            user.created_at,
            self._uow.now,
            manager_id,
            manager_name,
        )

    def _access_columns(self, shown: Attributes, *, active: bool, idp_active: bool) -> dict[str, Any]:
        return {
            "active": active,
            "idp_active": idp_active,
            "attributes": json.dumps(shown, ensure_ascii=False, separators=(",", ":")),
            "last_modified_at": self._uow.now,
        }

    def _profile_columns(self, attributes: Attributes, old_key: str) -> dict[str, Any]:
        profile = Profile.of(attributes)
        if profile.user_name_key != old_key:
            namesakes.refuse(self._uow, profile)
        # Filters find `active` in its column, so it need not stand in the document as well.
        return {**asdict(profile), "search": self._index(attributes)}

    def _set_access(
        self, user: Row, *, active: bool, blocked: bool, jit_signed_in_at: datetime | None
    ) -> None:
        """The principal first, then the event: whoever handles it finds the person already off."""
        principal = principals_of.set_access(
            self._uow, user, active=active, blocked=blocked, jit_signed_in_at=jit_signed_in_at
        )
        if active == user.active:
            self._uow.add(UserUpdated(user.id, {"changed": ["blocked"], "blocked": blocked}))
            return
        event = UserReactivated if active else UserDeactivated
        data = {"by_administrator": True} if blocked != user.principal_blocked else {}
        self._uow.add(event(user.id, data, principal=principal))

    def delete(self, user_id: str, *, version: int | None) -> None:
        """Leave a tombstone, its principal kept for a return; `ConcurrentUpdateError` if not `version`."""
        uow = self._uow
        uow.execute(_GROUPS_OF, {"user_id": user_id})
        user = self.lock(user_id)
        if version not in (None, user.version):
            raise ConcurrentUpdateError(_MOVED)
        uow.write(_TOMBSTONE, {"row_id": user.id, "moment": uow.now})
        managers.forget(uow, self._index, user.id)
        left = sorted(uow.execute(_LEAVE_GROUPS, {"user_id": user.id}).scalars())
        if left:
            uow.write(_SHRINK_GROUPS, {"ids": left, "moment": uow.now})
        principal = principals_of.set_access(uow, user, active=False)
        data = {"user_name": user.user_name}
        uow.add(UserDeleted(user.id, data, principal=principal))
        for group_id in left:
            uow.add(MembersChanged(group_id, removed=(user.id,)))
