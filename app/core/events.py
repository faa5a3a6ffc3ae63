"""What happened, told to whoever must act in the same transaction.

A domain event is a frozen value named noun first, past tense. It must not know its handlers: the
table in `app.wiring` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log: what was done to which object."""

    action: str
    target_type: str
    target_id: str
    data: Mapping[str, Any]


class Event:
    """Base of all domain events; `action` reads `noun.past_tense`."""

    action: ClassVar[str]

    def entries(self) -> Iterable[AuditEntry]:
        """The audit entries of this event, one for each object that changed."""
        raise TypeError(f"{type(self).__name__} does not say what to audit.")
