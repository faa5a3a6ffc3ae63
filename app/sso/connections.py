"""Connections to identity providers: created, changed, read again, deleted.

`enforcement` says which modes may follow each other; what a sign-in does with a connection is decided
elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.ids import FIRST_ID
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.addresses import parse_email
from app.sso.connection_events import ConnectionCreated, ConnectionDeleted, ConnectionUpdated
from app.sso.idp_certificates import IdpCertificates
from app.sso.idp_settings import SOURCES, IdpSettings, IdpSettingsReader
from app.sso.models import connections, domains
from app.sso.sp_keys import SpKeys

CONNECTION = "connection"
POLL_EVERY = timedelta(days=1)
MAX_CONNECTIONS = 50
# What decides whether a sign-in works, beside the certificates.
_DECISIVE = (
    "protocol",
    "idp_entity_id",
    "sso_url",
    "sso_binding",
    "signed",
    "attributes",
    "wants_signed_requests",
    "refuse_expired_certificates",
)
_CHANGEABLE = (
    "name",
    "idp_entity_id",
    "sso_url",
    "sso_binding",
    "slo_url",
    "slo_binding",
    "slo_response_url",
    "wants_signed_requests",
    "signed",
    "idp_initiated",
    "jit",
    "attributes",
    "testers",
    "refuse_expired_certificates",
    "metadata_url",
    "metadata_read_at",
    "metadata_due_at",
    "metadata_error",
)

_living = (connections.c.org_id == ORG_ID, connections.c.deleted_at.is_(None))
_LIST = select(connections).where(*_living, connections.c.id > bindparam("after")).order_by(connections.c.id)
_BY_ID = select(connections).where(*_living, connections.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update()
_COUNT = select(connections.c.id).where(*_living).limit(MAX_CONNECTIONS)
_INSERT = insert(connections)
_UPDATE = (
    update(connections)
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("row_id"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=connections.c[name].type)
            for name in (*_CHANGEABLE, "configuration_hash", "changed_at")
        }
    )
)
_DELETE = (
    update(connections)
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("row_id"))
    .values(deleted_at=bindparam("moment"), mode="off", metadata_due_at=None)
)
_FORGET_CHOICE = (
    update(domains)
    .where(domains.c.org_id == ORG_ID, domains.c.connection_id == bindparam("row_id"))
    .values(connection_id=None)
)
_INSERT_LOOKUP = insert(lookups)
_DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == CONNECTION, lookups.c.key_hash == bindparam("hash_"), lookups.c.org_id == ORG_ID
)
_FIND = select(lookups.c.org_id).where(
    lookups.c.kind == CONNECTION, lookups.c.key_hash == bindparam("key_hash")
)


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
        reader: IdpSettingsReader,
        certificates: IdpCertificates,
        sp_keys: SpKeys,
    ) -> None:
        self._uow = uow
        self._reader = reader
        self._certificates = certificates
        self._sp_keys = sp_keys

    def enter(self, connection_id: str) -> Row:
        """Bind the transaction to the connection's organization; raises `NotFoundError`.

        For URLs, which come without an organization.
        """
        values = {"key_hash": hash_token(connection_id)}
        org_id = self._uow.execute_unscoped(_FIND, values).scalar_one_or_none()
        if org_id is None:
            raise _not_found(connection_id)
        self._uow.enter(org_id)
        return self.row(connection_id)

    def page(self, *, after: str = FIRST_ID, limit: int) -> Sequence[ConnectionWithKeys]:
        rows = self._uow.execute(_LIST.limit(limit), {"after": after}).all()
        return self._with_keys(rows)

    def get(self, connection_id: str) -> ConnectionWithKeys:
        return self._with_keys([self.row(connection_id)])[0]

    def row(self, connection_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"id": connection_id}).first()
        if row is None:
            raise _not_found(connection_id)
        return row

    def lock(self, connection_id: str) -> Row:
        row = self._uow.execute(_LOCK, {"id": connection_id}).first()
        if row is None:
            raise _not_found(connection_id)
        return row

    def create(self, values: Mapping[str, Any]) -> str:
        """A new connection, off; raises what `IdpSettingsReader.read` does."""
        uow = self._uow
        connection_id = uow.ids.new()
        uow.pause()
        settings = self._reader.read(values)
        key = self._sp_keys.make(connection_id)
        if len(uow.execute(_COUNT).all()) == MAX_CONNECTIONS:
            raise ConflictError(f"At most {MAX_CONNECTIONS} connections are possible.", code="too_many")
        row = {
            **{name: values[name] for name in _CHANGEABLE if name in values and name not in SOURCES},
            **self._from_idp(settings),
            "testers": _folded(values["testers"]),
            "id": connection_id,
            "protocol": values["protocol"],
            "mode": "off",
            "configuration_hash": "",
            "created_at": uow.now,
            "changed_at": uow.now,
        }
        row["configuration_hash"] = configuration_hash(row, _fingerprints(settings))
        uow.execute(_INSERT, row)
        uow.execute(
            _INSERT_LOOKUP,
            {"kind": CONNECTION, "key_hash": hash_token(connection_id), "object_id": connection_id},
        )
        uow.add(
            ConnectionCreated(connection_id, {"name": row["name"], "idp_entity_id": row["idp_entity_id"]})
        )
        self._certificates.replace(connection_id, settings.metadata.certificates)
        self._sp_keys.store(connection_id, key, "current")
        return connection_id

    def update(self, connection_id: str, changes: Mapping[str, Any]) -> None:
        """Change fields, or say anew who the identity provider is."""
        settings = None
        if any(name in changes for name in SOURCES):
            self.row(connection_id)
            settings = self._reader.read(changes)
        plain = {name: value for name, value in changes.items() if name not in SOURCES}
        if "testers" in plain:
            plain["testers"] = _folded(plain["testers"])
        self.store(connection_id, plain, settings)

    def store(self, connection_id: str, changes: Mapping[str, Any], settings: IdpSettings | None) -> None:
        """Write changes and, where given, what the identity provider is now."""
        uow = self._uow
        before = self.lock(connection_id)
        if settings is not None:
            changes = {**changes, **self._from_idp(settings)}
            self._certificates.replace(connection_id, settings.metadata.certificates)
        after = {name: changes.get(name, getattr(before, name)) for name in _CHANGEABLE}
        trusted = [row.fingerprint for row in self._certificates.of([connection_id])[connection_id]]
        decided = {**after, "protocol": before.protocol}
        values = {
            "row_id": connection_id,
            **{f"new_{name}": value for name, value in after.items()},
            "new_configuration_hash": configuration_hash(decided, trusted),
            "new_changed_at": uow.now,
        }
        uow.execute(_UPDATE, values)
        silent = ("metadata_read_at", "metadata_due_at", "metadata_error")
        changed = [
            name for name in _CHANGEABLE if after[name] != getattr(before, name) and name not in silent
        ]
        if values["new_configuration_hash"] != before.configuration_hash or changed:
            uow.add(ConnectionUpdated(connection_id, {"changed": changed, "certificates": sorted(trusted)}))

    def delete(self, connection_id: str) -> None:
        """Its URLs are dead at the next request; sessions end by what the event causes."""
        uow = self._uow
        connection = self.lock(connection_id)
        if connection.mode == "enforced":
            raise ConflictError("Sign-on is enforced; take that back first.", code="sso_enforced")
        uow.execute(_DROP_LOOKUP, {"hash_": hash_token(connection_id)})
        uow.execute(_FORGET_CHOICE, {"row_id": connection_id})
        uow.execute(_DELETE, {"row_id": connection_id, "moment": uow.now})
        self._certificates.delete_all(connection_id)
        uow.add(ConnectionDeleted(connection_id, {"name": connection.name}))

    def add_sp_key(self, connection_id: str) -> None:
        """Publish a key of ours that will be current; raises `ConflictError` while there is one already."""
        self.row(connection_id)
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

    def _from_idp(self, settings: IdpSettings) -> dict[str, Any]:
        has_url = settings.metadata_url is not None
        return {
            **settings.columns(),
            "metadata_url": settings.metadata_url,
            "metadata_read_at": self._uow.now if has_url else None,
            "metadata_due_at": self._uow.now + POLL_EVERY if has_url else None,
            "metadata_error": None,
        }


def configuration_hash(connection: Mapping[str, Any], fingerprints: Sequence[str]) -> str:
    """SHA-256 over all that decides whether a sign-in works: equal for equal configurations."""
    decisive = {name: connection[name] for name in _DECISIVE}
    text = json.dumps({**decisive, "certificates": sorted(fingerprints)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def effective_mode(connection: Row, now: datetime) -> str:
    """`enforced` is `optional` until its day has come."""
    is_early = connection.mode == "enforced" and connection.enforced_at > now
    return "optional" if is_early else str(connection.mode)


def _fingerprints(settings: IdpSettings) -> list[str]:
    return [certificate.fingerprint for certificate in settings.metadata.certificates]


def _folded(testers: Sequence[str]) -> list[str]:
    return sorted({parse_email(tester).key for tester in testers})


def _not_found(connection_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no connection with the id {connection_id!r}.", code="connection_not_found"
    )
