"""Connections to identity providers: created, changed, read again, deleted.

`enforcement` says which modes may follow each other; what a sign-in does with a connection is decided
elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.ids import FIRST_ID
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso import connection_rows as rows_of
from app.sso.addresses import parse_email
from app.sso.client_secrets import ClientSecrets
from app.sso.connection_events import ConnectionCreated, ConnectionDeleted, ConnectionUpdated
from app.sso.connection_fields import USUAL, check_given
from app.sso.connection_rows import CHANGEABLE, CONNECTION, MAX_CONNECTIONS, SILENT, configuration_hash
from app.sso.idp_certificates import IdpCertificates
from app.sso.idp_settings import IdpSettings, SettingsReader
from app.sso.sp_keys import SpKeys

POLL_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ConnectionWithKeys:
    row: Row
    idp_certificates: Sequence[Row]
    sp_keys: Sequence[Row]
    as_of: datetime


class ConnectionService:
    def __init__(
        self,
        uow: UnitOfWork,
        readers: Mapping[str, SettingsReader],
        *,
        certificates: IdpCertificates,
        sp_keys: SpKeys,
        secrets: ClientSecrets,
    ) -> None:
        self._uow = uow
        self._readers = readers
        self._secrets = secrets
        self._certificates = certificates
        self._sp_keys = sp_keys

    def enter(self, connection_id: str) -> Row:
        """Bind the transaction to the connection's organization; raises `NotFoundError`.

        For URLs, which come without an organization.
        """
        values = {"key_hash": hash_token(connection_id)}
        org_id = self._uow.execute_unscoped(rows_of.FIND, values).scalar_one_or_none()
        if org_id is None:
            raise _not_found(connection_id)
        self._uow.enter(org_id)
        return self.row(connection_id)

    def page(self, *, after: str = FIRST_ID, limit: int) -> Sequence[ConnectionWithKeys]:
        rows = self._uow.execute(rows_of.LIST.limit(limit), {"after": after}).all()
        return self._with_keys(rows)

    def get(self, connection_id: str) -> ConnectionWithKeys:
        return self._with_keys([self.row(connection_id)])[0]

    def row(self, connection_id: str) -> Row:
        row = self._uow.execute(rows_of.BY_ID, {"id": connection_id}).first()
        if row is None:
            raise _not_found(connection_id)
        return row

    def lock(self, connection_id: str) -> Row:
        row = self._uow.execute(rows_of.LOCK, {"id": connection_id}).first()
        if row is None:
            raise _not_found(connection_id)
        return row

    def create(self, values: Mapping[str, Any]) -> str:
        """A new connection, off; raises `ForeignFieldError` and what the protocol's reader does."""
        uow = self._uow
        protocol = values["protocol"]
        check_given(protocol, values, is_new=True)
        connection_id = uow.ids.new()
        uow.pause()
        reader = self._readers[protocol]
        settings = reader.read(values)
        key = self._sp_keys.make(connection_id) if protocol == "saml" else None
        if len(uow.execute(rows_of.COUNT).all()) == MAX_CONNECTIONS:
            raise ConflictError(f"At most {MAX_CONNECTIONS} connections are possible.", code="too_many")
        row = {
            **dict.fromkeys(CHANGEABLE),
            **USUAL[protocol],
            **settings.usual,
            **self._plain(connection_id, reader, values),
            **self._from_idp(settings),
            "id": connection_id,
            "protocol": protocol,
            "mode": "off",
            "created_at": uow.now,
            "changed_at": uow.now,
        }
        row["configuration_hash"] = configuration_hash(row, _fingerprints(settings))
        uow.execute(rows_of.INSERT, row)
        uow.execute(
            rows_of.INSERT_LOOKUP,
            {"kind": CONNECTION, "key_hash": hash_token(connection_id), "object_id": connection_id},
        )
        data = {"name": row["name"], "protocol": protocol, "idp_entity_id": row["idp_entity_id"]}
        uow.add(ConnectionCreated(connection_id, data))
        self._certificates.replace(connection_id, settings.certificates)
        if key is not None:
            self._sp_keys.store(connection_id, key, "current")
        return connection_id

    def update(self, connection_id: str, changes: Mapping[str, Any]) -> None:
        """Change fields, or say anew who the identity provider is."""
        protocol = self.row(connection_id).protocol
        check_given(protocol, changes, is_new=False)
        reader, settings = self._readers[protocol], None
        if any(name in changes for name in reader.sources):
            settings = reader.read(changes)
        self.store(connection_id, self._plain(connection_id, reader, changes), settings)

    def store(self, connection_id: str, changes: Mapping[str, Any], settings: IdpSettings | None) -> None:
        """Write changes and, where given, what the identity provider is now."""
        uow = self._uow
        before = self.lock(connection_id)
        if settings is not None:
            changes = {**changes, **self._from_idp(settings)}
            _refuse_other_issuer(before, settings)
            self._certificates.replace(connection_id, settings.certificates)
        after = {name: changes.get(name, getattr(before, name)) for name in CHANGEABLE}
        trusted = [row.fingerprint for row in self._certificates.of([connection_id])[connection_id]]
        decided = {**after, "protocol": before.protocol}
        values = {
            "row_id": connection_id,
            **{f"new_{name}": value for name, value in after.items()},
            "new_configuration_hash": configuration_hash(decided, trusted),
            "new_changed_at": uow.now,
        }
        uow.execute(rows_of.UPDATE, values)
        changed = [
            name.removeprefix("sealed_")
            for name in CHANGEABLE
            if after[name] != getattr(before, name) and name not in SILENT
        ]
        if values["new_configuration_hash"] != before.configuration_hash or changed:
            uow.add(ConnectionUpdated(connection_id, {"changed": changed, "certificates": sorted(trusted)}))

    def delete(self, connection_id: str) -> None:
        """Its URLs are dead at the next request; sessions end by what the event causes."""
        uow = self._uow
        connection = self.lock(connection_id)
        if connection.mode == "enforced":
            raise ConflictError("Sign-on is enforced; take that back first.", code="sso_enforced")
        uow.execute(rows_of.DROP_LOOKUP, {"hash_": hash_token(connection_id)})
        uow.execute(rows_of.FORGET_CHOICE, {"row_id": connection_id})
        uow.execute(rows_of.DELETE, {"row_id": connection_id, "moment": uow.now})
        self._certificates.delete_all(connection_id)
        uow.add(ConnectionDeleted(connection_id, {"name": connection.name}))

    def add_sp_key(self, connection_id: str) -> None:
        """Publish a key of ours that will be current; raises `ConflictError` while there is one already."""
        if self.row(connection_id).protocol != "saml":
            raise ConflictError("A connection by OpenID Connect has no keys of ours.", code="not_saml")
        self._sp_keys.refuse_second_next(connection_id)
        self._uow.pause()
        key = self._sp_keys.make(connection_id)
        self.lock(connection_id)
        self._sp_keys.refuse_second_next(connection_id)
        self._sp_keys.store(connection_id, key, "next")

    def promote_sp_key(self, connection_id: str) -> None:
        """Sign with the next key from now on; raises `ConflictError` when there is none."""
        self.lock(connection_id)
        self._sp_keys.promote(connection_id)

    def _with_keys(self, rows: Sequence[Row]) -> list[ConnectionWithKeys]:
        ids = [row.id for row in rows]
        trusted, ours = self._certificates.of(ids), self._sp_keys.of(ids)
        return [ConnectionWithKeys(row, trusted[row.id], ours[row.id], self._uow.now) for row in rows]

    def _plain(self, connection_id: str, reader: SettingsReader, given: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that an administrator's fields are, but for those that the provider is asked for."""
        found = {name: given[name] for name in given if name in CHANGEABLE and name not in reader.sources}
        if "testers" in found:
            found["testers"] = _folded(found["testers"])
        if "client_secret" in given:
            found |= self._secrets.columns(connection_id, given["client_secret"])
        return found

    def _from_idp(self, settings: IdpSettings) -> dict[str, Any]:
        has_url = settings.metadata_url is not None
        return {
            **settings.columns,
            "metadata_url": settings.metadata_url,
            "metadata_read_at": self._uow.now if has_url else None,
            "metadata_due_at": self._uow.now + POLL_EVERY if has_url else None,
            "metadata_error": None,
        }


def effective_mode(connection: Row, now: datetime) -> str:
    """`enforced` is `optional` until its day has come."""
    is_early = connection.mode == "enforced" and connection.enforced_at > now
    return "optional" if is_early else str(connection.mode)


def _refuse_other_issuer(before: Row, settings: IdpSettings) -> None:
    """Whom an OpenID provider calls by a subject, another one may call somebody else by it."""
    if before.protocol == "oidc" and settings.columns["idp_entity_id"] != before.idp_entity_id:
        raise ConflictError(
            f"This connection is to {before.idp_entity_id}; make another one for another issuer.",
            code="issuer_fixed",
        )


def _fingerprints(settings: IdpSettings) -> list[str]:
    return [certificate.fingerprint for certificate in settings.certificates]


def _folded(testers: Sequence[str]) -> list[str]:
    return sorted({parse_email(tester).key for tester in testers})


def _not_found(connection_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no connection with the id {connection_id!r}.", code="connection_not_found"
    )
