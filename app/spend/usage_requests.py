"""What is reported of usage that no gateway saw, and what became of it: values without behaviour."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from app.core.clock import rfc3339
from app.spend.pricing import Usage
from app.spend.requests import Cost, Person

CREATED, DUPLICATE, INVALID = "created", "duplicate", "invalid"
UNKNOWN_USER, UNKNOWN_PRICE, UNKNOWN_EVENT = "unknown_user", "unknown_price", "unknown_event"
RESULTS = (CREATED, DUPLICATE, UNKNOWN_USER, UNKNOWN_PRICE, UNKNOWN_EVENT, INVALID)


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One call as it happened."""

    id: str
    person: Person
    surface: str
    model: str
    repository: str | None
    feature: str | None
    session_id: str | None
    batch: bool
    occurred_at: datetime
    cost: Cost


@dataclass(frozen=True, slots=True)
class Correction:
    """What the earlier event `corrects` really cost; its difference to what is booked is booked."""

    id: str
    corrects: str
    cost: Cost


@dataclass(frozen=True, slots=True)
class Invalid:
    """An event that cannot be read; `id` is null when not even that can."""

    id: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one event; `booked_nanousd` is null unless something was booked by this request."""

    id: str | None
    result: str
    detail: str | None = None
    booked_nanousd: int | None = None


def to_payload(event: UsageEvent, priced_as: str) -> dict[str, Any]:
    """An event as JSON, with the name that it is priced by."""
    return {**asdict(event), "occurred_at": rfc3339(event.occurred_at), "priced_as": priced_as}


def from_payload(payload: Mapping[str, Any]) -> tuple[UsageEvent, str]:
    values = dict(payload)
    priced_as: str = values.pop("priced_as")
    usage = values["cost"]["usage"]
    values["cost"] = Cost(usage and Usage(**usage), values["cost"]["nanousd"])
    values["person"] = Person(**values["person"])
    values["occurred_at"] = datetime.fromisoformat(values["occurred_at"])
    return UsageEvent(**values), priced_as
