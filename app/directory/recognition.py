"""Who asks: the live credential behind a presented secret, found by one statement.

The statement also tells row-level security which organization the transaction serves. Must not know
what the credential allows; its scopes and tolerances are handed on as they are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Select, Text, and_, bindparam, case, cast, or_, select, true, update

from app.core.database import UtcDateTime
from app.core.errors import UnauthenticatedError
from app.core.tenancy import ORG_ID, enter_organization, lookups
from app.core.tokens import hash_token, is_well_formed
from app.core.unit_of_work import UnitOfWork
from app.directory.models import credentials

LAST_USED_EVERY = timedelta(minutes=1)
# How long before its end a secret's bearer is warned in each answer.
WARNED_BEFORE = timedelta(days=30)
# Credentials differ in little, however many there are.
SETTINGS = 1_000
TOKEN_KINDS = {"scim_token": "scim", "api_key": "api"}

# "auto", "strict" or the names of tolerances.
ToleranceSetting = str | Sequence[str]

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
    used, is_present = credentials.c.last_used_at, credentials.c.secret_hash == key_hash
    shown = (
        credentials.c.id,
        # As text, because the same two values come with each request, and are read as JSON only once.
        cast(credentials.c.scopes, Text).label("scopes_text"),
        cast(credentials.c.tolerances, Text).label("tolerances_text"),
        case((is_present, credentials.c.expires_at), else_=credentials.c.previous_expires_at).label(
            "ends_at"
        ),
        or_(
            and_(is_present, or_(credentials.c.expires_at.is_(None), credentials.c.expires_at > moment)),
            and_(credentials.c.previous_secret_hash == key_hash, credentials.c.previous_expires_at > moment),
        ).label("is_live"),
        or_(used.is_(None), used < bindparam("stale_before", type_=UtcDateTime())).label("is_stale"),
    )
    matches = and_(credentials.c.org_id == found.c.org_id, credentials.c.id == found.c.object_id)
    if dialect == "postgresql":
        row = select(*shown).where(matches).offset(0).lateral("credential")
        return select(found.c.entered, row).select_from(found.join(row, true()))
    return select(found.c.entered, *shown).select_from(found.join(credentials, matches))


@dataclass(frozen=True, slots=True)
class Recognized:
    """Who is asking: a live credential of one organization, and whether to note that it was used.

    `ends_soon_at` is when the presented secret dies, if that is within `WARNED_BEFORE`. `tolerances`
    is `None` for API keys.
    """

    id: str
    org_id: str
    scopes: frozenset[str]
    stale_last_used: bool
    ends_soon_at: datetime | None
    tolerances: ToleranceSetting | None


@lru_cache(maxsize=SETTINGS)
def _scopes(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


@lru_cache(maxsize=SETTINGS)
def _tolerances(text: str | None) -> ToleranceSetting | None:
    value = None if text is None else json.loads(text)
    return tuple(value) if isinstance(value, list) else value


_RECOGNIZE = {dialect: _recognize(dialect) for dialect in ("postgresql", "sqlite")}


class Recognition:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

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
            raise UnauthenticatedError("The token has expired; create a new one and update the client.")
        uow.entered(row.entered)
        is_soon = row.ends_at is not None and row.ends_at <= uow.now + WARNED_BEFORE
        return Recognized(
            id=row.id,
            org_id=row.entered,
            scopes=_scopes(row.scopes_text),
            stale_last_used=row.is_stale,
            ends_soon_at=row.ends_at if is_soon else None,
            tolerances=_tolerances(row.tolerances_text),
        )

    def mark_used(self, credential_id: str) -> None:
        """Note the use, at most once a minute however many processes ask."""
        uow = self._uow
        values = {"row_id": credential_id, "moment": uow.now, "before": uow.now - LAST_USED_EVERY}
        uow.write(_USED, values)
