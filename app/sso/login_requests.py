"""Logins under way: each is one row, good for one browser and one answer.

The AuthnRequest's ID names the row, so the signed answer of SAML leads back to it, as the state does with
OpenID Connect; the browser is bound by a cookie of which only the hash is kept. Where to go afterwards stands
in the row, never in what travels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select, update

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.ids import is_uuid
from app.core.tenancy import ORG_ID
from app.core.tokens import Randomness, hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.sso.models_sign_in import login_requests
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.saml.authn_request import request_id
from app.sso.sessions import CODE_LIFETIME

# So long may somebody take at the IdP.
LIFETIME = timedelta(minutes=10)
RELAY = "relay"

_INSERT = insert(login_requests)
_BY_ID = select(login_requests).where(
    login_requests.c.org_id == ORG_ID,
    login_requests.c.connection_id == bindparam("connection_id"),
    login_requests.c.id == bindparam("id"),
)
_CONSUME = (
    update(login_requests)
    .where(
        login_requests.c.org_id == ORG_ID,
        login_requests.c.id == bindparam("row_id"),
        login_requests.c.consumed_at.is_(None),
        login_requests.c.expires_at > bindparam("moment"),
    )
    .values(
        consumed_at=bindparam("moment"),
        session_id=bindparam("new_session_id"),
        expires_at=bindparam("new_expires_at"),
    )
)
_BOUNCES = (
    select(login_requests.c.bounces)
    .where(
        login_requests.c.org_id == ORG_ID,
        login_requests.c.connection_id == bindparam("connection_id"),
        login_requests.c.browser_hash == bindparam("browser"),
        login_requests.c.expires_at > bindparam("moment", type_=UtcDateTime()),
    )
    .order_by(login_requests.c.created_at.desc())
    .limit(1)
)
_REDEEM = (
    update(login_requests)
    .where(
        login_requests.c.org_id == ORG_ID,
        login_requests.c.id == bindparam("row_id"),
        login_requests.c.browser_hash == bindparam("browser"),
        login_requests.c.redeemed_at.is_(None),
        login_requests.c.expires_at > bindparam("moment"),
    )
    .values(redeemed_at=bindparam("moment"))
)


@dataclass(frozen=True, slots=True)
class Started:
    """What goes to the IdP: the AuthnRequest's ID and the relay state or state, a handle to the row."""

    request_id: str
    relay_state: str


class LoginRequests:
    def __init__(self, uow: UnitOfWork, randomness: Randomness) -> None:
        self._uow = uow
        self._randomness = randomness

    def start(self, connection_id: str, *, browser: str, return_to: str, bounces: int = 0) -> Started:
        """Begin a login; `browser` is what the browser's cookie holds."""
        handle = new_token(RELAY, self._randomness)
        login_id = self._insert(connection_id, handle, browser, return_to, {"bounces": bounces})
        return Started(request_id(login_id), f"{login_id}.{handle}")

    def begin_unasked(self, connection_id: str, *, browser: str, return_to: str, session_id: str) -> str:
        """The row of a login that the IdP began, answered from the start; answers its id."""
        uow = self._uow
        handle = new_token(RELAY, self._randomness)
        answered = {
            "consumed_at": uow.now,
            "session_id": session_id,
            "expires_at": uow.now + CODE_LIFETIME,
        }
        return self._insert(connection_id, handle, browser, return_to, answered)

    @property
    def now(self) -> datetime:
        return self._uow.now

    def bounces(self, connection_id: str, browser: str) -> int:
        """How often this browser's last login here, if it is not long over, had begun anew."""
        values = {"connection_id": connection_id, "browser": hash_token(browser), "moment": self._uow.now}
        count: int | None = self._uow.execute(_BOUNCES, values).scalar_one_or_none()
        return count or 0

    def _insert(
        self, connection_id: str, handle: str, browser: str, return_to: str, more: Mapping[str, object]
    ) -> str:
        uow = self._uow
        login_id = uow.ids.new()
        values = {
            "id": login_id,
            "connection_id": connection_id,
            "request_id": request_id(login_id),
            "handle_hash": hash_token(handle),
            "browser_hash": hash_token(browser),
            "return_to": return_to,
            "bounces": 0,
            "created_at": uow.now,
            "expires_at": uow.now + LIFETIME,
        }
        uow.write(_INSERT, {**values, **more})
        return login_id

    def get(self, connection_id: str, login_id: str) -> Row | None:
        """A login of this connection, open or not."""
        if not is_uuid(login_id):
            return None
        return self._uow.execute(_BY_ID, {"connection_id": connection_id, "id": login_id}).first()

    def handled(self, connection_id: str, relay_state: str) -> Row | None:
        """The login of this connection whose relay state this is, open or not."""
        login_id, _, handle = relay_state.partition(".")
        row = self.get(connection_id, login_id)
        return row if row is not None and row.handle_hash == hash_token(handle) else None

    def consume(self, login_id: str, session_id: str | None) -> bool:
        """Take the one answer of an open login; false when it had one or is over."""
        uow = self._uow
        values = {
            "row_id": login_id,
            "moment": uow.now,
            "new_session_id": session_id,
            "new_expires_at": uow.now + CODE_LIFETIME,
        }
        return uow.execute(_CONSUME, values).rowcount == 1

    def of_code(self, connection_id: str, code: str) -> tuple[Row, str] | None:
        """The answered login that a code of `code_of` names, and the secret of its waiting session."""
        login_id, _, secret = code.partition(".")
        row = self.get(connection_id, login_id)
        return None if row is None or row.session_id is None else (row, secret)

    def require_open(self, login: Row | None, browser: str | None, named: str) -> Row:
        """The login that an answer names, if it may have one; raises `SignInRefusedError`.

        `browser` is null where the browser could not send its cookie; then the second step demands it.
        """
        if login is None:
            raise SignInRefusedError(Reason.REQUEST_UNKNOWN, Step.REQUEST, received=named)
        if browser is not None and not self.is_bound(login, browser):
            raise SignInRefusedError(Reason.OTHER_BROWSER, Step.REQUEST, received=named)
        if login.consumed_at is not None:
            raise SignInRefusedError(Reason.REQUEST_CONSUMED, Step.REQUEST, received=named)
        if login.expires_at <= self._uow.now:
            late = self._uow.now - login.expires_at
            raise SignInRefusedError(
                Reason.REQUEST_EXPIRED, Step.REQUEST, received=f"{int(late.total_seconds())} s too late"
            )
        return login

    def is_bound(self, login: Row, browser: str) -> bool:
        """Whether this is the browser that began the login."""
        is_same: bool = login.browser_hash == hash_token(browser)
        return is_same

    def redeem(self, login_id: str, browser: str) -> bool:
        """Let the browser that began the login fetch its session, once."""
        values = {"row_id": login_id, "browser": hash_token(browser), "moment": self._uow.now}
        return self._uow.execute(_REDEEM, values).rowcount == 1


def code_of(login_id: str, secret: str) -> str:
    return f"{login_id}.{secret}"
