"""How much to hold for a call: the most it can cost, or less while there is plenty.

A session of which enough is known is held what nearly all of its calls cost, as long as many worst cases
are left under every hard limit; what the call may cost beyond that is said in the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.governance.caps import Cap
from app.governance.limits import SpendReader
from app.spend.models import ledger_entries
from app.spend.pricing import Price, worst_case_nanousd
from app.spend.requests import Call

REMEMBERED, ENOUGH = 20, 5
# So many worst cases must fit before less than one is held.
PLENTY = 10

_LATEST = (
    select(ledger_entries.c.amount_nanousd)
    .where(
        ledger_entries.c.org_id == ORG_ID,
        ledger_entries.c.session_id == bindparam("session_id"),
        ledger_entries.c.priced_as == bindparam("priced_as"),
    )
    .order_by(ledger_entries.c.id.desc())
    .limit(REMEMBERED)
)


@dataclass(frozen=True, slots=True)
class Estimate:
    amount_nanousd: int
    max_overrun_nanousd: int


class Estimator:
    def __init__(self, uow: UnitOfWork, spend: SpendReader) -> None:
        self._uow = uow
        self._spend = spend

    def estimate(self, call: Call, price: Price, caps: Sequence[Cap]) -> Estimate:
        if call.max_cost_nanousd is not None:
            return Estimate(call.max_cost_nanousd, 0)
        worst = worst_case_nanousd(price, call.input_tokens, call.output_tokens, batch=call.batch)
        usual = self._usual(call, price)
        if usual is None or usual >= worst or not self._is_plenty(caps, worst):
            return Estimate(worst, 0)
        return Estimate(usual, worst - usual)

    def _usual(self, call: Call, price: Price) -> int | None:
        """What nineteen of twenty calls of this session cost at most, if enough is known of it."""
        if call.session_id is None:
            return None
        values = {"session_id": call.session_id, "priced_as": price.model}
        costs = sorted(self._uow.execute(_LATEST, values).scalars())
        return None if len(costs) < ENOUGH else int(costs[-(-len(costs) * 19 // 20) - 1])

    def _is_plenty(self, caps: Sequence[Cap], worst: int) -> bool:
        hard = [cap for cap in caps if cap.mode == "hard"]
        return all(
            cap.amount_nanousd - standing.settled_nanousd - standing.reserved_nanousd >= PLENTY * worst
            for cap, standing in zip(hard, self._spend.standing(hard), strict=True)
        )
