"""What a gateway asks and reports, and what it is told: values without behaviour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.governance.caps import Cap
from app.spend.pricing import Usage


@dataclass(frozen=True, slots=True)
class Person:
    """Named by exactly one of both."""

    id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is to be made: its size by tokens, or its cost as the caller bounds it."""

    person: Person
    surface: str
    model: str
    input_tokens: int
    output_tokens: int
    max_cost_nanousd: int | None
    repository: str | None
    feature: str | None
    session_id: str | None
    batch: bool
    dispatched: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost: its tokens, or the amount itself."""

    usage: Usage | None
    nanousd: int | None


@dataclass(frozen=True, slots=True)
class Used:
    """A cap with what is spent and reserved under it; `resets_at` is null while no window is open."""

    cap: Cap
    settled_nanousd: int
    reserved_nanousd: int
    resets_at: datetime | None

    @property
    def remaining_nanousd(self) -> int:
        return max(0, self.cap.amount_nanousd - self.settled_nanousd - self.reserved_nanousd)

    @property
    def is_exceeded(self) -> bool:
        return self.settled_nanousd + self.reserved_nanousd > self.cap.amount_nanousd


@dataclass(frozen=True, slots=True)
class Granted:
    """A reservation by its columns, and every cap of the person as it stands with it."""

    reservation: Mapping[str, Any]
    used: Sequence[Used]
