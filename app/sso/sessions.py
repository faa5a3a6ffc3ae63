"""Sessions: begun by a sign-in, ended by one function that every way of ending a person goes through.

A session is a row; the browser holds a random secret and nothing else, so what ends the row ends the
session at its next request on every node. It must not know which protocol signed the person in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, or_, select, update

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.errors import NotFoundError
from app.core.ids import FIRST_ID
from app.core.sealing import Sealed, Sealer
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import Randomness, hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.sso.enforcement_day import is_from_before, is_in_force
from app.sso.events import SessionsEnded
from app.sso.models import connections
from app.sso.models_sign_in import sessions
from app.sso.session_recognition import IDLE, SESSION_LOOKUP

# A session that is used all day ends after this, and the IdP is asked again.
LIFETIME = timedelta(hours=24)
# So long may a browser take to fetch the session that waits for it.
CODE_LIFETIME = timedelta(minutes=2)
CODE = "code"
MAX_USER_AGENT = 300
# Longer than any address; a proxy may say anything.
MAX_ADDRESS = 64

_INSERT = insert(sessions)
_INSERT_LOOKUP = insert(lookups)
_OF_SECRET = select(lookups.c.org_id, lookups.c.object_id).where(
    lookups.c.kind == SESSION_LOOKUP, lookups.c.key_hash == bindparam("key_hash")
)
_live = (
    sessions.c.org_id == ORG_ID,
    sessions.c.ended_at.is_(None),
    sessions.c.idle_ends_at > bindparam("moment", type_=UtcDateTime()),
    sessions.c.expires_at > bindparam("moment", type_=UtcDateTime()),
)
_from_before = is_from_before(bindparam("moment", type_=UtcDateTime()))
_HAND_OUT = (
    update(sessions)
    .where(*_live, sessions.c.id == bindparam("row_id"), sessions.c.secret_hash == bindparam("code_hash"))
    .values(secret_hash=bindparam("new_hash"), idle_ends_at=bindparam("new_idle_end"))
)
_ending = (
    update(sessions)
    .where(*_live)
    .values(ended_at=bindparam("moment"), end_reason=bindparam("reason"))
    .returning(sessions.c.id, sessions.c.user_id)
)
_of_subject = (
    sessions.c.connection_id == bindparam("of_connection_id"),
    sessions.c.name_id == bindparam("of_name_id"),
)
_REVOKE = {
    "session": _ending.where(sessions.c.id == bindparam("row_id")),
    "own_session": _ending.where(
        sessions.c.id == bindparam("row_id"), sessions.c.user_id == bindparam("of_user_id")
    ),
    "users": _ending.where(is_one_of(sessions.c.user_id, "user_ids")),
    "connection": _ending.where(sessions.c.connection_id == bindparam("of_connection_id")),
    "from_before": _ending.where(_from_before),
    "subject": _ending.where(*_of_subject),
    "connection_session": _ending.where(
        sessions.c.connection_id == bindparam("of_connection_id"),
        sessions.c.session_index == bindparam("of_session_index"),
    ),
    # Where the IdP gave no index at the sign-in, any index of the subject means the session.
    "subject_session": _ending.where(
        *_of_subject,
        or_(sessions.c.session_index == bindparam("of_session_index"), sessions.c.session_index.is_(None)),
    ),
}
_HIDDEN = ("secret_hash", "sealed_id_token", "sealing_key_id")
_SHOWN = tuple(column for column in sessions.c if column.name not in _HIDDEN)
_shown = select(*_SHOWN).where(*_live, ~_from_before)
_PAGE = _shown.where(sessions.c.id > bindparam("after")).order_by(sessions.c.id)
_BY_ID = _shown.where(sessions.c.id == bindparam("id"))
_SWITCHED = (
    select(connections.c.id)
    .where(
        connections.c.org_id == ORG_ID,
        is_in_force(bindparam("moment", type_=UtcDateTime())),
        connections.c.enforced_at > bindparam("since", type_=UtcDateTime()),
    )
    .limit(1)
)
_FROM_BEFORE = select(sessions.c.id).where(*_live, _from_before).limit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a sign-in knows of the session that it begins; `ends_at` is the IdP's own bound, if any."""

    kind: str
    user_id: str
    principal_id: str
    authenticated_at: datetime
    connection_id: str | None = None
    identity_id: str | None = None
    name_id: str | None = None
    session_index: str | None = None
    id_token: str | None = None
    ends_at: datetime | None = None
    user_agent: str | None = None
    address: str | None = None


class SessionService:
    def __init__(self, uow: UnitOfWork, randomness: Randomness, sealer: Sealer) -> None:
        self._uow = uow
        self._randomness = randomness
        self._sealer = sealer

    def begin(self, new: NewSession) -> tuple[str, str]:
        """A session and the secret for the browser's cookie.

        The caller holds the principal, so that whoever ends the person waits and then ends this as well.
        """
        secret = new_token(SESSION_LOOKUP, self._randomness)
        session_id = self._insert(new, secret, IDLE)
        self._publish(session_id, secret)
        return session_id, secret

    def await_browser(self, new: NewSession) -> tuple[str, str]:
        """The same for a browser that is yet to prove itself: a session and a code good for `hand_out`."""
        code = new_token(CODE, self._randomness)
        return self._insert(new, code, CODE_LIFETIME), code

    def _insert(self, new: NewSession, secret: str, idle: timedelta) -> str:
        uow = self._uow
        session_id = uow.ids.new()
        latest = uow.now + LIFETIME
        left_out = ("ends_at", "id_token")
        values = {name: getattr(new, name) for name in NewSession.__slots__ if name not in left_out}
        uow.write(
            _INSERT,
            {
                **values,
                **self._sealed(session_id, new.id_token),
                "id": session_id,
                "secret_hash": hash_token(secret),
                "created_at": uow.now,
                "seen_at": uow.now,
                "idle_ends_at": uow.now + idle,
                "expires_at": latest if new.ends_at is None else min(latest, new.ends_at),
                "user_agent": (new.user_agent or "")[:MAX_USER_AGENT] or None,
                "address": (new.address or "")[:MAX_ADDRESS] or None,
            },
        )
        return session_id

    def _sealed(self, session_id: str, id_token: str | None) -> dict[str, Any]:
        if id_token is None:
            return {"sealed_id_token": None, "sealing_key_id": None}
        sealed = self._sealer.seal(id_token, bound_to=f"{self._uow.org_id} {session_id}")
        return {"sealed_id_token": sealed.text, "sealing_key_id": sealed.key_id}

    def id_token(self, session: Row) -> str | None:
        """What the session's provider said at its sign-in, to remind it by at the sign-out."""
        if session.sealed_id_token is None:
            return None
        sealed = Sealed(session.sealed_id_token, session.sealing_key_id)
        return self._sealer.open(sealed, bound_to=f"{self._uow.org_id} {session.id}")

    def hand_out(self, session_id: str, code: str) -> str | None:
        """Exchange the code of a waiting session for the secret of the cookie; null if that is over."""
        uow = self._uow
        secret = new_token(SESSION_LOOKUP, self._randomness)
        values = {
            "row_id": session_id,
            "code_hash": hash_token(code),
            "new_hash": hash_token(secret),
            "new_idle_end": uow.now + IDLE,
            "moment": uow.now,
        }
        if uow.execute(_HAND_OUT, values).rowcount != 1:
            return None
        self._publish(session_id, secret)
        return secret

    def _publish(self, session_id: str, secret: str) -> None:
        values = {"kind": SESSION_LOOKUP, "key_hash": hash_token(secret), "object_id": session_id}
        self._uow.write(_INSERT_LOOKUP, values)

    def presented(self, secret: str | None) -> str | None:
        """The id of the session behind a cookie, if it is one of the entered organization."""
        if secret is None:
            return None
        row = self._uow.execute_unscoped(_OF_SECRET, {"key_hash": hash_token(secret)}).first()
        return row.object_id if row is not None and row.org_id == self._uow.org_id else None

    def _revoke(self, which: str, reason: str, values: Mapping[str, Any]) -> int:
        """The one function that ends sessions, whomever or whatever they belong to."""
        uow = self._uow
        ended = uow.execute(_REVOKE[which], {**values, "moment": uow.now, "reason": reason}).all()
        if ended:
            uow.add(SessionsEnded(reason, tuple(sorted((row.id, row.user_id) for row in ended))))
        return len(ended)

    def revoke_users(self, user_ids: Sequence[str], reason: str) -> int:
        """End every session of these people; answers how many there were."""
        return self._revoke("users", reason, {"user_ids": list(user_ids)})

    def revoke_connection(self, connection_id: str, reason: str) -> int:
        return self._revoke("connection", reason, {"of_connection_id": connection_id})

    def has_from_before(self) -> bool:
        """Whether sessions from before sign-on was enforced are still to be ended."""
        uow = self._uow
        # No session outlives the switch by more than its own length.
        if uow.execute(_SWITCHED, {"moment": uow.now, "since": uow.now - LIFETIME}).first() is None:
            return False
        return uow.execute(_FROM_BEFORE, {"moment": uow.now}).first() is not None

    def revoke_from_before(self) -> None:
        """End what has been worth nothing since sign-on was enforced."""
        self._revoke("from_before", "sso_enforced", {})

    def revoke_subject(
        self, connection_id: str, name_id: str, session_indexes: Sequence[str], reason: str
    ) -> int:
        """End what the IdP's logout names: these sessions of the subject, or all without an index."""
        subject = {"of_connection_id": connection_id, "of_name_id": name_id}
        if not session_indexes:
            return self._revoke("subject", reason, subject)
        return sum(
            self._revoke("subject_session", reason, {**subject, "of_session_index": index})
            for index in session_indexes
        )

    def revoke_session_index(self, connection_id: str, session_index: str, reason: str) -> int:
        """End what the IdP's logout names by its session alone."""
        values = {"of_connection_id": connection_id, "of_session_index": session_index}
        return self._revoke("connection_session", reason, values)

    def revoke(self, session_id: str, reason: str, *, user_id: str | None = None) -> None:
        """End one session, with `user_id` only one of that person's; raises `NotFoundError`."""
        if user_id is None:
            count = self._revoke("session", reason, {"row_id": session_id})
        else:
            count = self._revoke("own_session", reason, {"row_id": session_id, "of_user_id": user_id})
        if count == 0:
            raise _not_found(session_id)

    def replace(self, session_id: str) -> None:
        """A browser has one session: a new one ends the one before."""
        self._revoke("session", "replaced", {"row_id": session_id})

    def get(self, session_id: str) -> Row:
        """A live session; raises `NotFoundError`."""
        row = self._uow.execute(_BY_ID, {"id": session_id, "moment": self._uow.now}).first()
        if row is None:
            raise _not_found(session_id)
        return row

    def page(self, *, after: str = FIRST_ID, limit: int, user_id: str | None) -> Sequence[Row]:
        """Up to `limit` live sessions with an id above `after`."""
        statement = _PAGE.limit(limit)
        values: dict[str, Any] = {"after": after, "moment": self._uow.now}
        if user_id is not None:
            statement = statement.where(sessions.c.user_id == bindparam("user_id"))
            values["user_id"] = user_id
        return self._uow.execute(statement, values).all()


def _not_found(session_id: str) -> NotFoundError:
    return NotFoundError(f"There is no live session with the id {session_id!r}.", code="session_not_found")
