"""Who is signed in: the live session behind a cookie, found with its person by one statement.

The statement enters the organization and reads the principal along with the session, so whatever ended
either is felt at the next request on every node. It must not know how a session came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, select, true, update

from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID, enter_organization, lookups
from app.core.tokens import hash_token, is_well_formed
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations, principals, roles, users
from app.sso.models_sign_in import sessions

SESSION_LOOKUP = "session"
SEEN_EVERY = timedelta(minutes=1)
# A session that nobody uses ends after this.
IDLE = timedelta(hours=8)

_SEEN = (
    update(sessions)
    .where(
        sessions.c.org_id == ORG_ID,
        sessions.c.id == bindparam("row_id"),
        sessions.c.seen_at < bindparam("before", type_=UtcDateTime()),
    )
    .values(seen_at=bindparam("moment"), idle_ends_at=bindparam("new_idle_end"))
)


def _recognize(dialect: str) -> Select[Any]:
    """As a credential is recognized: on PostgreSQL the rows are read by a lateral subquery that can run
    only after the CTE has entered the organization; were that ever otherwise, nobody would be let in.
    """
    key_hash: BindParameter[str] = bindparam("key_hash")
    moment: BindParameter[datetime] = bindparam("moment", type_=UtcDateTime())
    found = (
        select(lookups.c.org_id, lookups.c.object_id, enter_organization(lookups.c.org_id).label("entered"))
        .where(lookups.c.kind == SESSION_LOOKUP, lookups.c.key_hash == key_hash)
        .cte("found")
    )
    shown = (
        *(sessions.c[name] for name in ("id", "kind", "connection_id", "authenticated_at", "expires_at")),
        (sessions.c.seen_at < bindparam("stale_before", type_=UtcDateTime())).label("is_stale"),
        users.c.id.label("user_id"),
        users.c.user_name,
        users.c.display_name,
        users.c.email,
        *(principals.c[name] for name in ("seat_state", "surfaces", "permissions", "lapses_at")),
        roles.c.name.label("role"),
        organizations.c.slug.label("org_slug"),
        organizations.c.name.label("org_name"),
    )
    person = and_(
        principals.c.org_id == sessions.c.org_id,
        principals.c.id == sessions.c.principal_id,
        principals.c.user_id == sessions.c.user_id,
    )
    is_live = (
        sessions.c.org_id == found.c.org_id,
        sessions.c.id == found.c.object_id,
        sessions.c.secret_hash == key_hash,
        sessions.c.ended_at.is_(None),
        sessions.c.idle_ends_at > moment,
        sessions.c.expires_at > moment,
        principals.c.active.is_(True),
        users.c.deleted_at.is_(None),
    )
    joined = (
        sessions.join(principals, person)
        .join(users, and_(users.c.org_id == sessions.c.org_id, users.c.id == sessions.c.user_id))
        .join(organizations, organizations.c.org_id == sessions.c.org_id)
        .outerjoin(roles, and_(roles.c.org_id == principals.c.org_id, roles.c.id == principals.c.role_id))
    )
    if dialect == "postgresql":
        row = select(*shown).select_from(joined).where(*is_live).offset(0).lateral("session")
        return select(found.c.entered, row).select_from(found.join(row, true()))
    return select(found.c.entered, *shown).select_from(found.join(joined, and_(*is_live)))


_RECOGNIZE = {dialect: _recognize(dialect) for dialect in ("postgresql", "sqlite")}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a live session, as they are at this request; ids are bare."""

    session_id: str
    kind: str
    connection_id: str | None
    authenticated_at: datetime
    expires_at: datetime
    is_stale: bool
    org_id: str
    org_slug: str
    org_name: str
    user_id: str
    user_name: str
    display_name: str | None
    email: str | None
    seat_state: str | None
    role: str | None
    surfaces: Sequence[str]
    permissions: Sequence[str]


class SessionRecognition:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def recognize(self, secret: str | None) -> SignedIn | None:
        """Enter the organization of a live session and answer whose it is; null for all else."""
        uow = self._uow
        if secret is None or not is_well_formed(SESSION_LOOKUP, secret):
            return None
        values = {
            "key_hash": hash_token(secret),
            "moment": uow.now,
            "stale_before": uow.now - SEEN_EVERY,
        }
        row = uow.execute_unscoped(_RECOGNIZE[uow.dialect], values).first()
        if row is None:
            return None
        uow.entered(row.entered)
        columns = {**row._asdict(), "session_id": row.id, "org_id": row.entered}
        if row.lapses_at is not None and row.lapses_at <= uow.now:
            # What gave the rights has expired, and nobody has written that down yet.
            state = None if row.seat_state is None else "released"
            columns |= {"seat_state": state, "role": None, "permissions": []}
        if columns["seat_state"] != "assigned":
            columns["surfaces"] = []
        return SignedIn(**{name: columns[name] for name in SignedIn.__slots__})

    def mark_seen(self, session_id: str) -> None:
        """Put the idle end off, at most once a minute however many processes ask."""
        uow = self._uow
        values = {
            "row_id": session_id,
            "moment": uow.now,
            "before": uow.now - SEEN_EVERY,
            "new_idle_end": uow.now + IDLE,
        }
        uow.write(_SEEN, values)
