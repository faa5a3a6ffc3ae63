"""What can happen to domains, and to who may use them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.core.events import AuditEntry, Event
from app.directory.events import ObjectEvent


class DomainClaimed(ObjectEvent):
    action = "domain.claimed"
    target_type = "domain"


class DomainUpdated(ObjectEvent):
    action = "domain.updated"
    target_type = "domain"


class DomainRemoved(ObjectEvent):
    action = "domain.removed"
    target_type = "domain"


class ChildAdopted(ObjectEvent):
    """The organization lets another one use its domains."""

    action = "organization.child_adopted"
    target_type = "org"


class ChildReleased(ObjectEvent):
    action = "organization.child_released"
    target_type = "org"


class ParentJoined(ObjectEvent):
    """The organization takes another one for the owner of its company's domains."""

    action = "organization.parent_joined"
    target_type = "org"


class ParentLeft(ObjectEvent):
    action = "organization.parent_left"
    target_type = "org"


@dataclass(frozen=True, slots=True)
class DomainMoved(Event):
    """The domain went from one state to another; logged as `domain.verified`, `domain.disputed`, …"""

    id: str
    name: str
    before: str
    after: str
    proof: str | None

    action: ClassVar[str] = "domain.moved"

    def entries(self) -> Iterable[AuditEntry]:
        data = {"name": self.name, "before": self.before, "proof": self.proof}
        yield AuditEntry(f"domain.{self.after}", "domain", self.id, data)
