"""What was bought beforehand, how much of it is used, and when it will be used up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from app.core.connection import Row
from app.core.errors import NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.analytics import Analytics, Report
from app.spend.billing_events import ContractCreated, ContractDeleted
from app.spend.pricing import Usage
from app.spend.usage_models import contracts

MOST = 5
# The pace of so many days is taken for the future's.
_PACE_DAYS = 28
_TOKENS = tuple(Usage.__dataclass_fields__)

_LIST = select(contracts).where(contracts.c.org_id == ORG_ID)
_PAGE = _LIST.where(contracts.c.id > bindparam("after")).order_by(contracts.c.id).limit(bindparam("most"))
_BY_ID = _LIST.where(contracts.c.id == bindparam("id"))
_INSERT = insert(contracts)
_DELETE = delete(contracts).where(contracts.c.org_id == ORG_ID, contracts.c.id == bindparam("row_id"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a contract stands; `exhausted_on` is the day, null when it will last to its end."""

    contract: Row
    used_nanousd: int
    used_tokens: int
    exhausted_on: int | None
    most_users: Sequence[Mapping[str, Any]]
    most_repositories: Sequence[Mapping[str, Any]]


class Contracts:
    def __init__(self, uow: UnitOfWork, analytics: Analytics) -> None:
        self._uow = uow
        self._analytics = analytics

    def page(self, *, after: str, limit: int) -> list[Drawn]:
        self._uow.see_one_moment()
        rows = self._uow.execute(_PAGE, {"after": after, "most": limit}).all()
        return [self._drawn(row) for row in rows]

    def get(self, contract_id: str) -> Drawn:
        self._uow.see_one_moment()
        row = self._uow.execute(_BY_ID, {"id": contract_id}).first()
        if row is None:
            raise NotFoundError(
                f"There is no contract with the id {contract_id!r}.", code="contract_not_found"
            )
        return self._drawn(row)

    def create(self, values: Mapping[str, Any]) -> Drawn:
        """Note a contract; `values` are its columns."""
        uow = self._uow
        contract_id = uow.ids.new()
        uow.execute(_INSERT, {**values, "id": contract_id, "created_at": uow.now})
        uow.add(ContractCreated(contract_id, dict(values)))
        return self.get(contract_id)

    def delete(self, contract_id: str) -> None:
        contract = self.get(contract_id).contract
        self._uow.execute(_DELETE, {"row_id": contract_id})
        self._uow.add(ContractDeleted(contract_id, {"name": contract.name}))

    def _drawn(self, contract: Row) -> Drawn:
        today = self._analytics.today()
        last = min(contract.ends_on, today)
        spent = self._analytics.days(contract.starts_on, last)
        begun = max(contract.starts_on, last - _PACE_DAYS + 1)
        used, pace = _sums(spent), _sums([row for row in spent if row.day >= begun])
        caps = (contract.cap_nanousd, contract.cap_tokens)
        days = [
            day
            for cap, so_far, lately in zip(caps, used, pace, strict=True)
            if cap is not None
            and (day := exhaustion_day(cap, so_far, lately, last - begun + 1, last)) is not None
        ]
        earliest = min(days, default=None)
        return Drawn(
            contract,
            *used,
            earliest if earliest is not None and earliest <= contract.ends_on else None,
            *(self._most(contract.starts_on, last, name) for name in ("user", "repository")),
        )

    def _most(self, first: int, last: int, dimension: str) -> Sequence[Mapping[str, Any]]:
        report = Report(first, last, (dimension,), "cost_owner", ("amount_nanousd",))
        return self._analytics.rows(report, offset=0, limit=MOST)


def _sums(days: Sequence[Row]) -> tuple[int, int]:
    """Money and tokens of these days."""
    tokens = sum(getattr(row, name) for row in days for name in _TOKENS)
    return sum(row.amount_nanousd for row in days), tokens


def exhaustion_day(cap: int, used: int, lately: int, days: int, today: int) -> int | None:
    """The day on which the cap is used up at the pace of these days; null when nothing is being used.

    What is used up already was so by today.
    """
    if used >= cap:
        return today
    if lately <= 0 or days <= 0:
        return None
    return today + -(-(cap - used) * days // lately)
