"""Says again, before sign-on is enforced, that it will be: once for each of `REMIND_DAYS`.

It writes events, which the log and the webhooks carry on; it must not know who reads them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update

from app.core.clock import rfc3339
from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.sso.connection_events import EnforcementNear
from app.sso.models import connections

# Days before the beginning, the nearest first.
REMIND_DAYS = (1, 3)

_coming = (
    connections.c.org_id == ORG_ID,
    connections.c.deleted_at.is_(None),
    connections.c.mode == "enforced",
    connections.c.enforced_at > bindparam("moment", type_=UtcDateTime()),
)


def _passed(days: int) -> ColumnElement[bool]:
    """The beginning is this near, and nobody has been reminded as late as this."""
    horizon = bindparam(f"in_{days}_days", type_=UtcDateTime())
    reminded = connections.c.reminded_days
    return and_(connections.c.enforced_at <= horizon, or_(reminded.is_(None), reminded > days))


_HAS_DUE = select(connections.c.id).where(*_coming, or_(*(_passed(days) for days in REMIND_DAYS))).limit(1)
_REMINDERS = {
    days: update(connections)
    .where(*_coming, _passed(days))
    .values(reminded_days=days)
    .returning(connections.c.id, connections.c.enforced_at)
    for days in REMIND_DAYS
}


class EnforcementReminders:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def has_due(self) -> bool:
        horizons = {name: moment for days in REMIND_DAYS for name, moment in self._horizon(days).items()}
        return self._uow.execute(_HAS_DUE, horizons).first() is not None

    def remind(self) -> None:
        """One event for each connection; of several reminders that are due, only the latest."""
        for days, reminder in _REMINDERS.items():
            for row in self._uow.execute(reminder, self._horizon(days)).all():
                data = {"enforced_at": rfc3339(row.enforced_at), "days": days}
                self._uow.add(EnforcementNear(row.id, data))

    def _horizon(self, days: int) -> Mapping[str, datetime]:
        return {"moment": self._uow.now, f"in_{days}_days": self._uow.now + timedelta(days=days)}
