"""What is spent and reserved at this moment under the caps of one person."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select, union_all

from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.governance.caps import Cap
from app.governance.limits import Standing
from app.spend.models import spend_counters

_COUNTERS = select(
    spend_counters.c.scope_type,
    spend_counters.c.scope_id,
    spend_counters.c.window,
    spend_counters.c.ends_at,
    spend_counters.c.settled_nanousd,
    spend_counters.c.reserved_nanousd,
).where(spend_counters.c.org_id == ORG_ID, spend_counters.c.ends_at > bindparam("moment"))
_OPEN = union_all(
    *(
        _COUNTERS.where(
            spend_counters.c.scope_type == scope_type,
            is_one_of(spend_counters.c.scope_id, f"{scope_type}_ids"),
        )
        for scope_type in ("user", "group", "organization")
    )
)


class CounterReader:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def standing(self, caps: Sequence[Cap]) -> list[Standing]:
        """One for each cap, zeros and no end where no window is open."""
        values: dict[str, object] = {"moment": self._uow.now}
        for scope_type in ("user", "group", "organization"):
            values[f"{scope_type}_ids"] = sorted(
                {cap.scope_id for cap in caps if cap.scope_type == scope_type}
            )
        rows = sorted(self._uow.execute(_OPEN, values), key=lambda row: row.ends_at, reverse=True)
        # Of two windows of a kind, one opened by a faster clock, the earlier is the present one.
        found = {(row.scope_type, row.scope_id, row.window): row for row in rows}
        standings = []
        for cap in caps:
            row = found.get((cap.scope_type, cap.scope_id, cap.window))
            standings.append(
                Standing(0, 0, None)
                if row is None
                else Standing(row.settled_nanousd, row.reserved_nanousd, row.ends_at)
            )
        return standings
