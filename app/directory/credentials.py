"""SCIM tokens and API keys: made, rotated, revoked, recognized.

A credential keeps its id while its secret rotates; the previous secret stays good for an overlap, so
two are live and no request fails. Recognizing one is a single statement that also tells row-level
security which organization the transaction serves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, delete, insert, or_, select, true, update

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.errors import ConflictError, NotFoundError, UnauthenticatedError
from app.core.tenancy import ORG_ID, enter_organization, lookups
from app.core.tokens import Randomness, hash_token, is_well_formed, new_token
from app.core.unit_of_work import UnitOfWork
from app.directory.events import CredentialCreated, CredentialRevoked, CredentialRotated
from app.directory.models import credentials

ROTATION_OVERLAP = timedelta(days=7)
LAST_USED_EVERY = timedelta(minutes=1)
TOKEN_KINDS = {"scim_token": "scim", "api_key": "api"}

_INSERT = insert(credentials)
_INSERT_LOOKUP = insert(lookups)
_DROP_LOOKUPS = delete(lookups).where(lookups.c.object_id == bindparam("id"), lookups.c.org_id == ORG_ID)
_DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == bindparam("kind_"), lookups.c.key_hash == bindparam("hash_")
)
_LIST = (
    select(credentials)
    .where(credentials.c.org_id == ORG_ID, credentials.c.kind == bindparam("kind"))
    .order_by(credentials.c.id)
)
_BY_ID = (
    select(credentials)
    .where(
        credentials.c.org_id == ORG_ID,
        credentials.c.kind == bindparam("kind"),
        credentials.c.id == bindparam("id"),
        credentials.c.revoked_at.is_(None),
    )
    .with_for_update()
)
_ROTATE = (
    update(credentials)
    .where(credentials.c.org_id == ORG_ID, credentials.c.id == bindparam("row_id"))
    .values(
        previous_secret_hash=credentials.c.secret_hash,
        previous_expires_at=bindparam("overlap_ends_at"),
        secret_hash=bindparam("new_hash"),
    )
)
_REVOKE = (
    update(credentials)
    .where(credentials.c.org_id == ORG_ID, credentials.c.id == bindparam("row_id"))
    .values(revoked_at=bindparam("moment"))
)
_USED = (
    update(credentials)
    .where(
        credentials.c.org_id == ORG_ID,
        credentials.c.id == bindparam("row_id"),
        or_(credentials.c.last_used_at.is_(None), credentials.c.last_used_at < bindparam("before")),
    )
    .values(last_used_at=bindparam("moment"))
)


def _recognize(dialect: str) -> Select[Any]:
    """Look up, enter and judge the credential in one statement; a revoked one has no look-up left.

    On PostgreSQL the credential is read by a lateral subquery with an OFFSET, which the planner can
    neither flatten nor run first: row-level security judges the credential's row only after the CTE
    has entered the organization. Were that ever otherwise, no row would be seen and access denied.
    """
    key_hash: BindParameter[str] = bindparam("key_hash")
    moment: BindParameter[datetime] = bindparam("moment", type_=UtcDateTime())
    found = (
        select(lookups.c.org_id, lookups.c.object_id, enter_organization(lookups.c.org_id).label("entered"))
        .where(lookups.c.kind == bindparam("kind"), lookups.c.key_hash == key_hash)
        .cte("found")
    )
    used = credentials.c.last_used_at
    shown = (
        credentials.c.id,
        credentials.c.scopes,
        and_(
            or_(credentials.c.expires_at.is_(None), credentials.c.expires_at > moment),
            or_(credentials.c.secret_hash == key_hash, credentials.c.previous_expires_at > moment),
        ).label("is_live"),
        or_(used.is_(None), used < bindparam("stale_before", type_=UtcDateTime())).label("is_stale"),
    )
    matches = and_(credentials.c.org_id == found.c.org_id, credentials.c.id == found.c.object_id)
    if dialect == "postgresql":
        row = select(*shown).where(matches).offset(0).lateral("credential")
        return select(found.c.entered, row).select_from(found).join(row, true())
    return select(found.c.entered, *shown).select_from(found.join(credentials, matches))


@dataclass(frozen=True, slots=True)
class Recognized:
    """Who is asking: a live credential of one organization, and whether to note that it was used."""

    id: str
    org_id: str
    scopes: frozenset[str]
    stale_last_used: bool


_RECOGNIZE = {dialect: _recognize(dialect) for dialect in ("postgresql", "sqlite")}


class CredentialService:
    def __init__(self, uow: UnitOfWork, randomness: Randomness) -> None:
        self._uow = uow
        self._randomness = randomness

    def recognize(self, kind: str, token: str) -> Recognized:
        """Enter the organization of a live token; raises `UnauthenticatedError` for any other.

        The reason is named only as far as the bearer of a real token may know it.
        """
        uow = self._uow
        if not is_well_formed(TOKEN_KINDS[kind], token):
            raise UnauthenticatedError("The token is not one of Usher's; check that it was copied whole.")
        values = {
            "kind": kind,
            "key_hash": hash_token(token),
            "moment": uow.now,
            "stale_before": uow.now - LAST_USED_EVERY,
        }
        row = uow.execute_unscoped(_RECOGNIZE[uow.dialect], values).first()
        if row is None:
            raise UnauthenticatedError("The token is unknown or revoked; create a new one.")
        if not row.is_live:
            raise UnauthenticatedError("The token has expired; rotate it and update the client.")
        uow.entered(row.entered)
        return Recognized(row.id, row.entered, frozenset(row.scopes), row.is_stale)

    def mark_used(self, credential_id: str) -> None:
        """Note the use, at most once a minute however many processes ask."""
        uow = self._uow
        values = {"row_id": credential_id, "moment": uow.now, "before": uow.now - LAST_USED_EVERY}
        uow.execute(_USED, values)

    def create(
        self, kind: str, name: str, scopes: Sequence[str], expires_in: timedelta | None = None
    ) -> tuple[Row, str]:
        """A new credential and its secret, which is shown this once and stored only as a hash."""
        uow = self._uow
        credential_id = uow.ids.new()
        token = self._new_secret(kind, credential_id)
        values = {
            "id": credential_id,
            "kind": kind,
            "name": name,
            "scopes": sorted(scopes),
            "secret_hash": hash_token(token),
            "expires_at": uow.now + expires_in if expires_in is not None else None,
            "created_at": uow.now,
        }
        uow.execute(_INSERT, values)
        uow.add(CredentialCreated(credential_id, {"kind": kind, "name": name, "scopes": sorted(scopes)}))
        return self._get(kind, credential_id), token

    def rotate(self, kind: str, credential_id: str) -> tuple[Row, str]:
        """A second live secret; the one before stays good for `ROTATION_OVERLAP`, an older one ends."""
        uow = self._uow
        credential = self._get(kind, credential_id)
        if credential.expires_at is not None and credential.expires_at <= uow.now:
            raise ConflictError("The token has expired; create a new one instead of rotating it.")
        if credential.previous_secret_hash is not None:
            old = {"kind_": kind, "hash_": credential.previous_secret_hash}
            uow.execute(_DROP_LOOKUP, old)
        token = self._new_secret(kind, credential_id)
        values = {
            "row_id": credential_id,
            "new_hash": hash_token(token),
            "overlap_ends_at": uow.now + ROTATION_OVERLAP,
        }
        uow.execute(_ROTATE, values)
        uow.add(CredentialRotated(credential_id, {"kind": kind, "name": credential.name}))
        return self._get(kind, credential_id), token

    def revoke(self, kind: str, credential_id: str) -> None:
        """Both secrets are dead at the next request on every node."""
        uow = self._uow
        credential = self._get(kind, credential_id)
        uow.execute(_DROP_LOOKUPS, {"id": credential_id})
        uow.execute(_REVOKE, {"row_id": credential_id, "moment": uow.now})
        uow.add(CredentialRevoked(credential_id, {"kind": kind, "name": credential.name}))

    def all(self, kind: str) -> Sequence[Row]:
        return self._uow.execute(_LIST, {"kind": kind}).all()

    def _get(self, kind: str, credential_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"kind": kind, "id": credential_id}).first()
        if row is None:
            raise NotFoundError(f"There is no live {kind} with the id {credential_id!r}.")
        return row

    def _new_secret(self, kind: str, credential_id: str) -> str:
        token = new_token(TOKEN_KINDS[kind], self._randomness)
        values = {"kind": kind, "key_hash": hash_token(token), "object_id": credential_id}
        self._uow.execute(_INSERT_LOOKUP, values)
        return token
