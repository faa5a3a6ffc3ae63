"""What can happen to money and prices, as far as the audit log hears of it.

Each authorization and settlement is its own record in reservations and ledger; the audit log has what
somebody decided and what somebody should look at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.events import AuditEntry, Event
from app.directory.events import ObjectEvent


class PriceAdded(ObjectEvent):
    action = "price.added"
    target_type = "price"


class ReservationOverrun(ObjectEvent):
    """A call cost more than was held for it; `id` is the person's."""

    action = "reservation.overrun"
    target_type = "user"


class ReservationExpired(ObjectEvent):
    """Nobody said what a call cost; `id` is the person's, `data` says what was booked."""

    action = "reservation.expired"
    target_type = "user"


@dataclass(frozen=True, slots=True)
class LimitThresholdReached(Event):
    """So many percent of a limit are spent, said once for each window and level."""

    target_type: str
    target_id: str
    data: Mapping[str, Any]

    action = "spend_limit.threshold_reached"

    def entries(self) -> Iterable[AuditEntry]:
        yield AuditEntry(self.action, self.target_type, self.target_id, self.data)
