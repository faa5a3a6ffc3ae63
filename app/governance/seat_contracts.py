"""What was bought and for which days; days are those of the organization's zone.

The quantity of a day is the sum of the contracts that hold on it; without any contract there is no
limit. It must not know who has a seat.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select

from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations
from app.governance.models import seat_contracts

_ALL = (
    select(seat_contracts.c.quantity, seat_contracts.c.starts_on, seat_contracts.c.ends_on)
    .where(seat_contracts.c.org_id == ORG_ID)
    .order_by(seat_contracts.c.position)
)
_CLEAR = delete(seat_contracts).where(seat_contracts.c.org_id == ORG_ID)
_INSERT = insert(seat_contracts)
_ZONE = select(organizations.c.zone).where(organizations.c.org_id == ORG_ID)


@dataclass(frozen=True, slots=True)
class SeatContract:
    """So many seats from one day to another, both included; without `ends_on` for good."""

    quantity: int
    starts_on: date
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What holds now, null for no limit, and when that changes, null for never."""

    quantity: int | None
    turns_at: datetime | None


def agreed(contracts: Sequence[SeatContract], now: datetime, zone: str) -> Agreed:
    """What the contracts say at a moment of a zone; pure. A contract begins and ends at midnight."""
    place = ZoneInfo(zone)
    day = now.astimezone(place).date()
    if not contracts:
        return Agreed(None, None)
    # Each contract adds from its first day to before the day after its last.
    steps = [(contract.starts_on, contract.quantity) for contract in contracts]
    steps += [
        (contract.ends_on + timedelta(days=1), -contract.quantity)
        for contract in contracts
        if contract.ends_on is not None
    ]
    coming = [turn for turn, _ in steps if turn > day]
    midnight = datetime.combine(min(coming), time.min, place).astimezone(UTC) if coming else None
    return Agreed(sum(change for turn, change in steps if turn <= day), midnight)


class SeatContracts:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def all(self) -> list[SeatContract]:
        return [SeatContract(*row) for row in self._uow.execute(_ALL)]

    def replace(self, contracts: Sequence[SeatContract]) -> None:
        """The caller holds the pool's row."""
        self._uow.execute(_CLEAR)
        rows: list[dict[str, Any]] = [
            {"position": position, **asdict(contract)} for position, contract in enumerate(contracts, start=1)
        ]
        if rows:
            self._uow.execute_many(_INSERT, rows)

    def today(self) -> date:
        return self._uow.now.astimezone(ZoneInfo(self._zone())).date()

    def agreed(self) -> Agreed:
        """What the stored contracts say now."""
        return agreed(self.all(), self._uow.now, self._zone())

    def _zone(self) -> str:
        return str(self._uow.execute(_ZONE).scalar_one())
