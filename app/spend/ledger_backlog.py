"""Which entries of the ledger are not summed up yet, the earliest first.

PostgreSQL looks for them in a function that a migration made, in which only keys may be used: a plan that
was made while `ledger_attributions` was small reads all of it for each entry, and the plans of a worker
that was there before the first entry are of that kind. SQLite has no such plans.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, Text, and_, bindparam, column, func, select

from app.core.connection import Row
from app.core.database import Id, UtcDateTime
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.models import ledger_entries
from app.spend.pricing import Usage
from app.spend.usage_models import ledger_attributions, usage_events

_TOKENS = tuple(Usage.__dataclass_fields__)
_COLUMNS = (
    "id",
    "recorded_at",
    "occurred_at",
    "principal_id",
    "user_id",
    "amount_nanousd",
    *_TOKENS,
    "surface",
    "model",
    "priced_as",
    "batch",
    "feature",
    "repository",
)
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("id", "principal_id", "user_id"), Id),
    **dict.fromkeys(("recorded_at", "occurred_at"), UtcDateTime),
    **dict.fromkeys(("amount_nanousd", *_TOKENS), BigInteger),
    "batch": Boolean,
}
_marked_or_reported = ledger_entries.outerjoin(
    ledger_attributions,
    and_(
        ledger_attributions.c.org_id == ledger_entries.c.org_id,
        ledger_attributions.c.entry_id == ledger_entries.c.id,
    ),
).outerjoin(
    usage_events,
    and_(
        usage_events.c.org_id == ledger_entries.c.org_id,
        usage_events.c.reservation_id == ledger_entries.c.reservation_id,
    ),
)
_function = func.spend_pending(
    ORG_ID, bindparam("since", type_=UtcDateTime()), bindparam("most", type_=Integer())
).table_valued(*(column(name, _TYPES.get(name, Text)) for name in _COLUMNS), column("is_correction", Boolean))
_PENDING = {
    "postgresql": select(*_function.c),
    "sqlite": select(
        *(ledger_entries.c[name] for name in _COLUMNS),
        usage_events.c.corrects_event_id.is_not(None).label("is_correction"),
    )
    .select_from(_marked_or_reported)
    .where(
        ledger_entries.c.org_id == ORG_ID,
        ledger_entries.c.recorded_at >= bindparam("since"),
        ledger_attributions.c.entry_id.is_(None),
    )
    .order_by(ledger_entries.c.recorded_at, ledger_entries.c.id)
    .limit(bindparam("most")),
}


def pending(uow: UnitOfWork, since: datetime, most: int) -> list[Row]:
    """Up to `most` entries that were recorded since then and are in no sum."""
    return uow.execute(_PENDING[uow.dialect], {"since": since, "most": most}).all()
