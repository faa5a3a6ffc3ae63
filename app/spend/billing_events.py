"""What can happen to bills, contracts and forecasts, as far as the audit log hears of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.events import AuditEntry, Event
from app.directory.events import ObjectEvent


class BillClosed(ObjectEvent):
    action = "bill.closed"
    target_type = "org"


class ContractCreated(ObjectEvent):
    action = "contract.created"
    target_type = "contract"


class ContractDeleted(ObjectEvent):
    action = "contract.deleted"
    target_type = "contract"


@dataclass(frozen=True, slots=True)
class LimitForecastReached(Event):
    """A window will have passed so many percent of its limit if it goes on so."""

    target_type: str
    target_id: str
    data: Mapping[str, Any]

    action = "spend_limit.forecast_reached"

    def entries(self) -> Iterable[AuditEntry]:
        yield AuditEntry(self.action, self.target_type, self.target_id, self.data)
