"""SCIM tokens and API keys: made, rotated, revoked, listed. `recognition` reads them.

A credential keeps its id while its secret rotates; the previous secret stays good for an overlap, so
two are live and no request fails.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.connection import Row
from app.core.database import Json
from app.core.errors import ConflictError, NotFoundError, UnprocessableError
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import Randomness, hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.directory.events import (
    CredentialCreated,
    CredentialRevoked,
    CredentialRotated,
    CredentialUpdated,
)
from app.directory.models import credentials
from app.directory.recognition import TOKEN_KINDS, ToleranceSetting

ROTATION_OVERLAP = timedelta(days=7)
# What a SCIM token may do stands in its scopes; writing includes reading.
READ, WRITE = "read", "write"
# The settings of tolerances that have a name.
PROFILES = ("auto", "strict")

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
        rotated_at=bindparam("moment"),
        expires_at=bindparam("new_expires_at"),
        noticed_days=None,
    )
)
_SET_TOLERANCES = (
    update(credentials)
    .where(credentials.c.org_id == ORG_ID, credentials.c.id == bindparam("row_id"))
    .values(tolerances=bindparam("new_tolerances", type_=Json))
)
_REVOKE = (
    update(credentials)
    .where(credentials.c.org_id == ORG_ID, credentials.c.id == bindparam("row_id"))
    .values(revoked_at=bindparam("moment"))
)


class CredentialService:
    """`known_tolerances` are the names that a SCIM token's setting may list."""

    def __init__(self, uow: UnitOfWork, randomness: Randomness, known_tolerances: frozenset[str]) -> None:
        self._uow = uow
        self._randomness = randomness
        self._known_tolerances = known_tolerances

    def create_scim_token(
        self,
        name: str,
        *,
        access: str = WRITE,
        tolerances: ToleranceSetting = "auto",
        expires_in: timedelta | None = None,
    ) -> tuple[Row, str]:
        """A new SCIM token and its secret; raises `UnprocessableError` for an unknown tolerance."""
        setting = self._checked(tolerances)
        return self._create("scim_token", name, (access,), expires_in, setting)

    def create_api_key(self, name: str, scopes: Sequence[str]) -> tuple[Row, str]:
        return self._create("api_key", name, scopes, None, None)

    def set_tolerances(self, credential_id: str, tolerances: ToleranceSetting) -> Row:
        """Change what a SCIM connection may do beyond the RFC, from its next request on."""
        setting = self._checked(tolerances)
        token = self._get("scim_token", credential_id)
        if setting != token.tolerances:
            self._uow.execute(_SET_TOLERANCES, {"row_id": credential_id, "new_tolerances": setting})
            changes = {"before": token.tolerances, "after": setting}
            data = {"kind": "scim_token", "name": token.name, "tolerances": changes}
            self._uow.add(CredentialUpdated(credential_id, data))
        return self._get("scim_token", credential_id)

    def _checked(self, tolerances: ToleranceSetting) -> ToleranceSetting:
        if isinstance(tolerances, str) and tolerances in PROFILES:
            return tolerances
        names = sorted({tolerances} if isinstance(tolerances, str) else set(tolerances))
        unknown = [name for name in names if name not in self._known_tolerances]
        if unknown:
            raise UnprocessableError(
                f"{unknown[0][:80]!r} is no tolerance. Send auto, strict or a list of: "
                f"{', '.join(sorted(self._known_tolerances))}.",
                code="unknown_tolerance",
            )
        return names

    def _create(
        self,
        kind: str,
        name: str,
        scopes: Sequence[str],
        expires_in: timedelta | None,
        tolerances: ToleranceSetting | None,
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
            "tolerances": tolerances,
        }
        uow.execute(_INSERT, values)
        named = ("kind", "name", "scopes", "tolerances")
        data = {key: values[key] for key in named if values[key] is not None}
        uow.add(CredentialCreated(credential_id, data))
        return self._get(kind, credential_id), token

    def rotate(self, kind: str, credential_id: str) -> tuple[Row, str]:
        """A second live secret, as long-lived as the one before was.

        The one before stays good for `ROTATION_OVERLAP`, yet never beyond its own end; an older one ends.
        """
        uow = self._uow
        credential = self._get(kind, credential_id)
        if credential.expires_at is not None and credential.expires_at <= uow.now:
            raise ConflictError("The token has expired; create a new one instead of rotating it.")
        if credential.previous_secret_hash is not None:
            old = {"kind_": kind, "hash_": credential.previous_secret_hash}
            uow.execute(_DROP_LOOKUP, old)
        token = self._new_secret(kind, credential_id)
        overlap_ends_at, expires_at = uow.now + ROTATION_OVERLAP, credential.expires_at
        if expires_at is not None:
            overlap_ends_at = min(overlap_ends_at, expires_at)
            expires_at = uow.now + (expires_at - (credential.rotated_at or credential.created_at))
        values = {
            "row_id": credential_id,
            "new_hash": hash_token(token),
            "overlap_ends_at": overlap_ends_at,
            "moment": uow.now,
            "new_expires_at": expires_at,
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
