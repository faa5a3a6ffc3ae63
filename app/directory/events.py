"""What can happen to people and groups. What each event causes stands in `app.wiring`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.core.events import AuditEntry, Event
from app.directory.principals import Principal


@dataclass(frozen=True, slots=True)
class ObjectEvent(Event):
    """An event about one object; subclasses say the action and the type of their target."""

    id: str
    data: Mapping[str, Any] = field(default_factory=dict)

    target_type: ClassVar[str]

    def entries(self) -> Iterable[AuditEntry]:
        yield AuditEntry(self.action, self.target_type, self.id, self.data)


class OrganizationCreated(ObjectEvent):
    action = "organization.created"
    target_type = "org"


class OrganizationUpdated(ObjectEvent):
    action = "organization.updated"
    target_type = "org"


class CredentialCreated(ObjectEvent):
    action = "credential.created"
    target_type = "credential"


class CredentialUpdated(ObjectEvent):
    action = "credential.updated"
    target_type = "credential"


class CredentialExpiring(ObjectEvent):
    action = "credential.expiring"
    target_type = "credential"


class CredentialExpired(ObjectEvent):
    action = "credential.expired"
    target_type = "credential"


class CredentialRotated(ObjectEvent):
    action = "credential.rotated"
    target_type = "credential"


class CredentialRevoked(ObjectEvent):
    action = "credential.revoked"
    target_type = "credential"


class UserCreated(ObjectEvent):
    action = "user.created"
    target_type = "user"


class UserUpdated(ObjectEvent):
    action = "user.updated"
    target_type = "user"


class UserAdopted(ObjectEvent):
    """The IdP provisions from now on whom only a sign-in had made."""

    action = "user.adopted"
    target_type = "user"


@dataclass(frozen=True, slots=True)
class AccessEvent(ObjectEvent):
    """A change of the person's access, with the principal as it is after it, still locked."""

    principal: Principal = field(kw_only=True)

    target_type: ClassVar[str] = "user"


class UserDeactivated(AccessEvent):
    action = "user.deactivated"


class UserReactivated(AccessEvent):
    action = "user.reactivated"


class UserDeleted(AccessEvent):
    action = "user.deleted"


class GroupCreated(ObjectEvent):
    action = "group.created"
    target_type = "group"


class GroupUpdated(ObjectEvent):
    action = "group.updated"
    target_type = "group"


class GroupDeleted(ObjectEvent):
    action = "group.deleted"
    target_type = "group"


@dataclass(frozen=True, slots=True)
class ManagerForgotten(Event):
    """A deleted person is no longer named as manager by these people."""

    manager_id: str
    user_ids: tuple[str, ...]

    action: ClassVar[str] = "user.manager_forgotten"

    def entries(self) -> Iterable[AuditEntry]:
        for user_id in self.user_ids:
            data = {"changed": ["manager"], "deleted_manager_id": self.manager_id}
            yield AuditEntry("user.updated", "user", user_id, data)


@dataclass(frozen=True, slots=True)
class MembersChanged(Event):
    """Who joined and who left one group; only real changes are named."""

    group_id: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    action: ClassVar[str] = "group.members_changed"

    def entries(self) -> Iterable[AuditEntry]:
        group = {"group_id": self.group_id}
        for user_id in self.added:
            yield AuditEntry("group.member_added", "user", user_id, group)
        for user_id in self.removed:
            yield AuditEntry("group.member_removed", "user", user_id, group)


@dataclass(frozen=True, slots=True)
class NestedGroupsChanged(Event):
    """Which groups came into one group and which went out of it; no rights hang on that."""

    group_id: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    action: ClassVar[str] = "group.nested_groups_changed"

    def entries(self) -> Iterable[AuditEntry]:
        group = {"group_id": self.group_id}
        for member_id in self.added:
            yield AuditEntry("group.member_added", "group", member_id, group)
        for member_id in self.removed:
            yield AuditEntry("group.member_removed", "group", member_id, group)
