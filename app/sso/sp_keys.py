"""Our own key pairs of a connection, rolled over without a failed sign-in.

`next` is published and trusted before it is used, `current` signs, `retired` only decrypts what is still
under way. All three decrypt. Private keys lie sealed, each bound to its row.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError
from app.core.sealing import Sealed, Sealer
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.sso.connection_events import SpKeyAdded, SpKeyPromoted
from app.sso.models import certificates
from app.sso.saml.certificates import SpKey, load_certificate, new_sp_key

_ours = (
    certificates.c.org_id == ORG_ID,
    certificates.c.connection_id == bindparam("connection_id"),
    certificates.c.side == "sp",
)
_LIST = (
    select(certificates)
    .where(
        certificates.c.org_id == ORG_ID,
        certificates.c.side == "sp",
        is_one_of(certificates.c.connection_id, "connection_ids"),
    )
    .order_by(certificates.c.id.desc())
)
_INSERT = insert(certificates)
_DROP_RETIRED = delete(certificates).where(*_ours, certificates.c.state == "retired")
_MOVE = (
    update(certificates)
    .where(*_ours, certificates.c.state == bindparam("before"))
    .values(state=bindparam("after"), retired_at=bindparam("new_retired_at"))
)


class SpKeys:
    def __init__(self, uow: UnitOfWork, sealer: Sealer) -> None:
        self._uow = uow
        self._sealer = sealer

    def make(self, connection_id: str) -> SpKey:
        """A new pair, not stored yet: it takes a while, so it is made before anything is written."""
        return new_sp_key(f"usher {connection_id}", self._uow.now)

    def store(self, connection_id: str, key: SpKey, state: str) -> None:
        uow = self._uow
        row_id = uow.ids.new()
        certificate = load_certificate(key.certificate_pem)
        sealed = self._sealer.seal(key.private_key_pem, bound_to=f"{uow.org_id} {row_id}")
        values = {
            "id": row_id,
            "connection_id": connection_id,
            "side": "sp",
            "use": "both",
            "state": state,
            "pem": key.certificate_pem,
            "fingerprint": certificate.fingerprint,
            "subject": certificate.subject,
            "key_type": certificate.key_type,
            "key_bits": certificate.key_bits,
            "not_before": certificate.not_before,
            "expires_at": certificate.not_after,
            "sealed_private_key": sealed.text,
            "sealing_key_id": sealed.key_id,
            "created_at": uow.now,
        }
        uow.execute(_INSERT, values)
        uow.add(SpKeyAdded(connection_id, {"fingerprint": certificate.fingerprint, "state": state}))

    def refuse_second_next(self, connection_id: str) -> None:
        """Raises `ConflictError` while there is a next key."""
        if any(row.state == "next" for row in self.rows(connection_id)):
            raise ConflictError("There is a next key already; promote it first.", code="next_key_exists")

    def promote(self, connection_id: str) -> None:
        """Sign with the next key from now on; the current one retires and the retired one goes."""
        uow = self._uow
        promoted = next((row for row in self.rows(connection_id) if row.state == "next"), None)
        if promoted is None:
            raise ConflictError(
                "There is no next key; add one and let the IdP learn it first.", code="no_next_key"
            )
        uow.execute(_DROP_RETIRED, {"connection_id": connection_id})
        for before, after in (("current", "retired"), ("next", "current")):
            values = {
                "connection_id": connection_id,
                "before": before,
                "after": after,
                "new_retired_at": uow.now if after == "retired" else None,
            }
            uow.execute(_MOVE, values)
        uow.add(SpKeyPromoted(connection_id, {"fingerprint": promoted.fingerprint}))

    def rows(self, connection_id: str) -> Sequence[Row]:
        """The certificates with their states, the newest first."""
        return self.of([connection_id])[connection_id]

    def of(self, connection_ids: Sequence[str]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {connection_id: [] for connection_id in connection_ids}
        if found:
            for row in self._uow.execute(_LIST, {"connection_ids": list(connection_ids)}):
                found[row.connection_id].append(row)
        return found

    def signing_key(self, connection_id: str) -> SpKey:
        return self._opened(next(row for row in self.rows(connection_id) if row.state == "current"))

    def decryption_keys(self, connection_id: str) -> list[SpKey]:
        """Every key that an answer may be encrypted for, the newest first."""
        return [self._opened(row) for row in self.rows(connection_id)]

    def published(self, connection_id: str) -> list[SpKey]:
        """What metadata names, the newest first; the private parts stay sealed."""
        return [SpKey("", row.pem) for row in self.rows(connection_id) if row.state != "retired"]

    def _opened(self, row: Row) -> SpKey:
        sealed = Sealed(row.sealed_private_key, row.sealing_key_id)
        private_key = self._sealer.open(sealed, bound_to=f"{row.org_id} {row.id}")
        return SpKey(private_key, row.pem)
