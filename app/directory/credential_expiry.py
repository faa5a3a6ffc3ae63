"""Notices of credentials that are about to expire, and of those that have, each given once.

The worker asks; how far a credential's notices have gone stands on its row, so any number of workers
may ask at once. It must not know who reads the notices: they are events.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update

from app.core.clock import rfc3339
from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.events import CredentialExpired, CredentialExpiring
from app.directory.models import credentials

# Days before the expiry at which notice is given, the nearest first; 0 is the expiry itself.
NOTICE_DAYS = (0, 1, 7, 30)


def _passed(days: int) -> ColumnElement[bool]:
    """The expiry is this near, and no notice as late as this one has been given."""
    horizon = bindparam(f"in_{days}_days", type_=UtcDateTime())
    noticed = credentials.c.noticed_days
    return and_(credentials.c.expires_at <= horizon, or_(noticed.is_(None), noticed > days))


_live = (credentials.c.org_id == ORG_ID, credentials.c.revoked_at.is_(None))
_HAS_DUE = select(credentials.c.id).where(*_live, or_(*(_passed(days) for days in NOTICE_DAYS))).limit(1)
_NOTICES = {
    days: update(credentials)
    .where(*_live, _passed(days))
    .values(noticed_days=days)
    .returning(credentials.c.id, credentials.c.kind, credentials.c.name, credentials.c.expires_at)
    for days in NOTICE_DAYS
}


class CredentialExpiry:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def has_due(self) -> bool:
        horizons = {name: moment for days in NOTICE_DAYS for name, moment in self._horizon(days).items()}
        return self._uow.execute(_HAS_DUE, horizons).first() is not None

    def give_notices(self) -> None:
        """One event for each credential that passed a threshold; of several passed at once, the nearest."""
        for days, notice in _NOTICES.items():
            for row in self._uow.execute(notice, self._horizon(days)).all():
                data = {"kind": row.kind, "name": row.name, "expires_at": rfc3339(row.expires_at)}
                if days:
                    self._uow.add(CredentialExpiring(row.id, {**data, "days": days}))
                else:
                    self._uow.add(CredentialExpired(row.id, data))

    def _horizon(self, days: int) -> dict[str, object]:
        return {f"in_{days}_days": self._uow.now + timedelta(days=days)}
