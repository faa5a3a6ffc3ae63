"""The audit log as readers see it: sequenced entries, ascending, from a position on."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select

from app.audit.models import audit_events
from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork

_FILTERS = {
    "action": audit_events.c.action == bindparam("action"),
    "actor_id": audit_events.c.actor_id == bindparam("actor_id"),
    "target_id": audit_events.c.target_id == bindparam("target_id"),
    "starting_at": audit_events.c.occurred_at >= bindparam("starting_at"),
    "ending_at": audit_events.c.occurred_at < bindparam("ending_at"),
}


class AuditFeed:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def page(self, *, after: int, limit: int, filters: dict[str, str | datetime]) -> Sequence[Row]:
        """Up to `limit` entries with a position above `after`."""
        statement = (
            select(audit_events)
            .where(
                audit_events.c.org_id == ORG_ID,
                audit_events.c.position > bindparam("after"),
                *(_FILTERS[name] for name in filters),
            )
            .order_by(audit_events.c.position)
            .limit(limit)
        )
        return self._uow.execute(statement, {**filters, "after": after}).all()
