"""Certificates that an identity provider signs with: which are trusted, and when they end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, select, update

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.sso.connection_events import CertificateExpired, CertificateExpiring
from app.sso.models import certificates
from app.sso.saml.certificates import Certificate

# Days before the end at which notice is given, the nearest first; 0 is the end itself.
NOTICE_DAYS = (0, 1, 7, 14, 30, 60)

_idps = (certificates.c.org_id == ORG_ID, certificates.c.side == "idp")
_LIST = (
    select(certificates)
    .where(*_idps, is_one_of(certificates.c.connection_id, "connection_ids"))
    .order_by(certificates.c.id)
)
_INSERT = insert(certificates)
_DELETE = delete(certificates).where(*_idps, is_one_of(certificates.c.id, "ids"))
_DELETE_ALL = delete(certificates).where(
    certificates.c.org_id == ORG_ID, certificates.c.connection_id == bindparam("connection_id")
)


def _passed(days: int) -> ColumnElement[bool]:
    """The end is this near, and no notice as late as this one has been given."""
    horizon = bindparam(f"in_{days}_days", type_=UtcDateTime())
    noticed = certificates.c.noticed_days
    return and_(certificates.c.expires_at <= horizon, or_(noticed.is_(None), noticed > days))


_HAS_DUE = (
    select(certificates.c.id)
    .where(certificates.c.org_id == ORG_ID, or_(*(_passed(days) for days in NOTICE_DAYS)))
    .limit(1)
)
_NOTICES = {
    days: update(certificates)
    .where(certificates.c.org_id == ORG_ID, _passed(days))
    .values(noticed_days=days)
    .returning(
        certificates.c.connection_id,
        certificates.c.side,
        certificates.c.fingerprint,
        certificates.c.expires_at,
    )
    for days in NOTICE_DAYS
}


def notice_days(expires_at: datetime, now: datetime) -> int | None:
    """The notice that stands for a certificate: the nearest of `NOTICE_DAYS`, or none yet."""
    return next((days for days in NOTICE_DAYS if expires_at <= now + timedelta(days=days)), None)


class IdpCertificates:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def of(self, connection_ids: Sequence[str]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {connection_id: [] for connection_id in connection_ids}
        if found:
            for row in self._uow.execute(_LIST, {"connection_ids": list(connection_ids)}):
                found[row.connection_id].append(row)
        return found

    def replace(self, connection_id: str, wanted: Sequence[Certificate]) -> None:
        """Trust exactly these; one that stays keeps its row and the notices that were given."""
        uow = self._uow
        before = {row.fingerprint: row for row in self.of([connection_id])[connection_id]}
        after = {certificate.fingerprint: certificate for certificate in wanted}
        gone = [row.id for fingerprint, row in before.items() if fingerprint not in after]
        if gone:
            uow.execute(_DELETE, {"ids": gone})
        for fingerprint, certificate in after.items():
            if fingerprint not in before:
                uow.execute(_INSERT, self._row(connection_id, certificate))

    def delete_all(self, connection_id: str) -> None:
        """Both sides' certificates, with our private keys."""
        self._uow.execute(_DELETE_ALL, {"connection_id": connection_id})

    def has_due(self) -> bool:
        horizons = {name: moment for days in NOTICE_DAYS for name, moment in self._horizon(days).items()}
        return self._uow.execute(_HAS_DUE, horizons).first() is not None

    def give_notices(self) -> None:
        """One event for each certificate that passed a threshold; of several at once, the nearest."""
        for days, notice in _NOTICES.items():
            for row in self._uow.execute(notice, self._horizon(days)).all():
                data = {
                    "side": row.side,
                    "fingerprint": row.fingerprint,
                    "expires_at": rfc3339(row.expires_at),
                }
                if days:
                    self._uow.add(CertificateExpiring(row.connection_id, {**data, "days": days}))
                else:
                    self._uow.add(CertificateExpired(row.connection_id, data))

    def _row(self, connection_id: str, certificate: Certificate) -> dict[str, object]:
        return {
            "id": self._uow.ids.new(),
            "connection_id": connection_id,
            "side": "idp",
            "use": "signing",
            "state": "current",
            "pem": certificate.pem,
            "fingerprint": certificate.fingerprint,
            "subject": certificate.subject,
            "key_type": certificate.key_type,
            "key_bits": certificate.key_bits,
            "not_before": certificate.not_before,
            "expires_at": certificate.not_after,
            "created_at": self._uow.now,
        }

    def _horizon(self, days: int) -> dict[str, object]:
        return {f"in_{days}_days": self._uow.now + timedelta(days=days)}
