"""What can happen to roles, mappings and seats."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.events import AuditEntry, Event
from app.directory.events import ObjectEvent


class RoleCreated(ObjectEvent):
    action = "role.created"
    target_type = "role"


class RoleUpdated(ObjectEvent):
    action = "role.updated"
    target_type = "role"


class RoleDeleted(ObjectEvent):
    action = "role.deleted"
    target_type = "role"


class MappingsChanged(ObjectEvent):
    """The ordered list as it is now; `id` is the organization's."""

    action = "group_mappings.changed"
    target_type = "org"


class MappingsTimed(ObjectEvent):
    """Mappings of these groups began or ended to count, because of the time alone."""

    action = "group_mappings.timed"
    target_type = "org"


class SeatPoolChanged(ObjectEvent):
    action = "seat_pool.changed"
    target_type = "org"


class DriftFound(ObjectEvent):
    """People or the pool were not what they should be; `id` is the organization's."""

    action = "reconciliation.drifted"
    target_type = "org"


class DriftRepaired(ObjectEvent):
    action = "reconciliation.repaired"
    target_type = "org"


@dataclass(frozen=True, slots=True)
class LimitEvent(Event):
    """A spend limit or the wish for one; the target is the person, group or organization it is about."""

    target_type: str
    target_id: str
    data: Mapping[str, Any]

    def entries(self) -> Iterable[AuditEntry]:
        yield AuditEntry(self.action, self.target_type, self.target_id, self.data)


class SpendLimitSet(LimitEvent):
    action = "spend_limit.set"


class SpendLimitDeleted(LimitEvent):
    action = "spend_limit.deleted"


class LimitIncreaseRequested(LimitEvent):
    action = "limit_increase.requested"


class LimitIncreaseApproved(LimitEvent):
    action = "limit_increase.approved"


class LimitIncreaseDenied(LimitEvent):
    action = "limit_increase.denied"


class HeldChangeOpened(ObjectEvent):
    action = "held_change.opened"
    target_type = "held_change"


class HeldChangeApproved(ObjectEvent):
    action = "held_change.approved"
    target_type = "held_change"


class HeldChangeDiscarded(ObjectEvent):
    action = "held_change.discarded"
    target_type = "held_change"


class HeldChangeEnded(ObjectEvent):
    """Nothing of it was left: everybody has come back or has left for good."""

    action = "held_change.ended"
    target_type = "held_change"


@dataclass(frozen=True, slots=True)
class PeopleHeld(Event):
    """Something of these people is held; `data` says what and in which change."""

    user_ids: tuple[str, ...]
    data: Mapping[str, Any]

    action: ClassVar[str] = "held_change.person_held"

    def entries(self) -> Iterable[AuditEntry]:
        for user_id in self.user_ids:
            yield AuditEntry(self.action, "user", user_id, self.data)


ENDING_SEATS = ("seat.released", "seat.suspended")


@dataclass(frozen=True, slots=True)
class EntitlementChange:
    """One person's outcome; `action` is `seat.assigned`, `seat.released`, … or `entitlement.changed`."""

    user_id: str
    action: str
    data: Mapping[str, Any]

    @property
    def takes_everything(self) -> bool:
        """Whether the person is left without a seat or without any role."""
        has_lost_role = self.data.get("role_id") is None and self.data.get("previous_role_id") is not None
        return has_lost_role or self.action == "seat.released"


@dataclass(frozen=True, slots=True)
class EntitlementsChanged(Event):
    """Seats, roles or rights of any number of people, decided in one step."""

    changes: tuple[EntitlementChange, ...]

    action: ClassVar[str] = "entitlements.changed"

    @property
    def seatless(self) -> list[str]:
        """Who of them has lost the use of a seat: nobody of these can spend or use applications."""
        return [change.user_id for change in self.changes if change.action in ENDING_SEATS]

    def entries(self) -> Iterable[AuditEntry]:
        for change in self.changes:
            yield AuditEntry(change.action, "user", change.user_id, change.data)
