"""Says that a limit is spent to 50, 80 or 100 percent: once for each window and level.

The counter remembers what was said, in the transaction that reached it.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, update

from app.audit.outbox import Outbox
from app.core.clock import rfc3339
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.events import LimitThresholdReached
from app.spend.models import spend_counters
from app.spend.postings import LEVELS, Moved, level_reached

THRESHOLD_REACHED = LimitThresholdReached.action
# From here on a refused call says that the limit is used up; below, it was just a large call.
_NEARLY = 80

_REMEMBER = (
    update(spend_counters)
    .where(
        spend_counters.c.org_id == ORG_ID,
        spend_counters.c.scope_type == bindparam("kind"),
        spend_counters.c.scope_id == bindparam("scope"),
        spend_counters.c.window == bindparam("period"),
        spend_counters.c.ends_at == bindparam("closes_at"),
        spend_counters.c.noticed_percent == bindparam("noticed"),
    )
    .values(noticed_percent=LEVELS[-1])
)


def announce(uow: UnitOfWork, outbox: Outbox, moved: Sequence[Moved], user_id: str) -> None:
    """Tell every level that these counters reached by moving."""
    for row in moved:
        _tell(uow, outbox, row, level_reached(row.settled_nanousd, row.limit_nanousd), user_id)


def is_used_up(refused: Moved) -> bool:
    """Whether a call that did not fit is worth saying so."""
    return (
        refused.noticed_percent < LEVELS[-1]
        and level_reached(refused.settled_nanousd, refused.limit_nanousd) >= _NEARLY
    )


def announce_used_up(uow: UnitOfWork, outbox: Outbox, refused: Moved, user_id: str) -> None:
    """After a refusal: the limit is as good as spent, unless somebody has said so meanwhile."""
    values = {
        "kind": refused.scope_type,
        "scope": refused.scope_id,
        "period": refused.window,
        "closes_at": refused.ends_at,
        "noticed": refused.noticed_percent,
    }
    if uow.execute(_REMEMBER, values).rowcount == 1:
        _tell(uow, outbox, refused, LEVELS[-1], user_id)


def _tell(uow: UnitOfWork, outbox: Outbox, row: Moved, reached: int, user_id: str) -> None:
    target = {"user": ("user", user_id), "organization": ("org", row.scope_id)}
    for level in LEVELS:
        if row.noticed_percent < level <= reached and row.ends_at is not None:
            data = {
                "window": row.window,
                "percent": level,
                "limit_nanousd": row.limit_nanousd,
                "settled_nanousd": row.settled_nanousd,
                "resets_at": rfc3339(row.ends_at),
            }
            type_, id_ = target.get(row.scope_type, (row.scope_type, row.scope_id))
            uow.add(LimitThresholdReached(type_, id_, data))
            outbox.put(THRESHOLD_REACHED, {**data, "target_type": type_, "target_id": id_})
