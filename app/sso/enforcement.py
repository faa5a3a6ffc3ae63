"""The mode of a connection as a state machine, and the gate before it is enforced.

    off ◀──▶ test ◀──▶ optional ──gate──▶ enforced

Any step down is always free, so nobody is ever locked in. Up to `optional` a step may be skipped;
`enforced` is reached from `optional` alone, when everything that prevents a lock-out is in place.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, case, exists, select, update

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.errors import ConflictError, UnprocessableError
from app.core.ids import FIRST_ID
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory import principals as principals_of
from app.directory.models import principals, users
from app.sso.connection_events import ConnectionModeChanged, LockoutListRead
from app.sso.connections import ConnectionService
from app.sso.idp_certificates import IdpCertificates
from app.sso.models import break_glass_codes, connections
from app.sso.models_sign_in import identities
from app.sso.ownership import DomainOwnership

# Who may sign in otherwise has so long until enforcement begins, unless an earlier day is said.
NOTICE = timedelta(days=7)
TEST_GOOD_FOR = timedelta(hours=24)
LIST_GOOD_FOR = timedelta(hours=24)
CERTIFICATE_LEFT = timedelta(days=14)
BREAK_GLASS_OWNERS = 2
# The permission that makes somebody an owner of sign-on.
OWNER = "admin.identity.manage"

_SET_MODE = (
    update(connections)
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("row_id"))
    .values(
        mode=bindparam("new_mode"),
        enforced_at=bindparam("new_enforced_at", type_=UtcDateTime()),
        reminded_days=None,
        changed_at=bindparam("moment"),
    )
)
_person = select(*principals_of.COLUMNS).where(principals.c.org_id == ORG_ID, principals.c.active.is_(True))
_PERSON = _person.where(principals.c.user_id == bindparam("user_id"))
_WITH_CODES = _person.where(
    exists().where(
        break_glass_codes.c.org_id == ORG_ID,
        break_glass_codes.c.user_id == principals.c.user_id,
        break_glass_codes.c.used_at.is_(None),
    )
)
_READ = (
    update(connections)
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("row_id"))
    .values(lockout_read_at=bindparam("moment"))
)
_NOTE_TEST = (
    update(connections)
    .where(
        connections.c.org_id == ORG_ID,
        connections.c.id == bindparam("row_id"),
        connections.c.configuration_hash == bindparam("tested"),
    )
    .values(
        tested_hash=bindparam("tested"), tested_at=bindparam("moment"), tested_by_user_id=bindparam("tester")
    )
)
_OUTSIDE = (
    select(
        users.c.id,
        users.c.user_name,
        users.c.display_name,
        users.c.email,
        users.c.created_at,
        principals_of.SEAT_STATE_NOW.label("seat_state"),
        case((principals.c.jit_signed_in_at.is_not(None), "jit"), else_="provisioned").label("origin"),
    )
    .select_from(
        users.join(
            principals,
            and_(principals.c.org_id == users.c.org_id, principals.c.id == users.c.principal_id),
        )
    )
    .where(
        users.c.org_id == ORG_ID,
        users.c.deleted_at.is_(None),
        principals.c.active.is_(True),
        users.c.id > bindparam("after"),
        ~exists().where(
            identities.c.org_id == ORG_ID,
            identities.c.user_id == users.c.id,
            identities.c.connection_id == bindparam("connection_id"),
        ),
    )
    .order_by(users.c.id)
)


class EnforcementRefusedError(ConflictError):
    code = "enforcement_refused"


class Enforcement:
    def __init__(
        self,
        uow: UnitOfWork,
        service: ConnectionService,
        certificates: IdpCertificates,
        ownership: DomainOwnership,
    ) -> None:
        self._uow = uow
        self._service = service
        self._certificates = certificates
        self._ownership = ownership

    def set_mode(
        self, connection_id: str, mode: str, *, enforced_at: datetime | None = None, by_console: bool = False
    ) -> None:
        """Step to a mode; raises `EnforcementRefusedError` with all that is missing for `enforced`.

        `enforced_at` is when enforcement begins, after a notice of `NOTICE` unless said otherwise.
        `by_console` names the operator's console link as the way in when the IdP is down, in place of codes.
        """
        uow = self._uow
        connection = self._service.lock(connection_id)
        if enforced_at is not None and (mode != "enforced" or enforced_at < uow.now):
            raise UnprocessableError("enforced_at belongs to the mode enforced and lies in the future.")
        if mode == "enforced":
            if connection.mode != mode:
                self._refuse_unready(connection, by_console=by_console)
            enforced_at = enforced_at or connection.enforced_at or uow.now + NOTICE
        if (mode, enforced_at) == (connection.mode, connection.enforced_at):
            return
        values = {
            "row_id": connection_id,
            "new_mode": mode,
            "new_enforced_at": enforced_at,
            "moment": uow.now,
        }
        uow.execute(_SET_MODE, values)
        data: dict[str, Any] = {"before": connection.mode, "after": mode}
        if enforced_at is not None:
            data |= {"enforced_at": rfc3339(enforced_at), "break_glass": "console" if by_console else "codes"}
        uow.add(ConnectionModeChanged(connection_id, data))

    def missing(self, connection: Row, *, by_console: bool) -> list[str]:
        """One sentence for each thing that stands between a connection and enforcement."""
        uow = self._uow
        found = []
        if not self._ownership.has_verified():
            found.append("No domain is verified.")
        if not self._is_tested(connection):
            found.append(
                "No owner has signed in through this connection within 24 hours, as it is configured now."
            )
        found += self._missing_keys(connection)
        if not by_console and sum(map(self._owns, uow.execute(_WITH_CODES))) < BREAK_GLASS_OWNERS:
            found.append(
                "There is no way in when the identity provider is down: give two owners one-time codes, or "
                "send break_glass as console_link."
            )
        read_at = connection.lockout_read_at
        if read_at is None or read_at < uow.now - LIST_GOOD_FOR:
            found.append("The list of people who would be locked out has not been read within 24 hours.")
        return found

    def _missing_keys(self, connection: Row) -> list[str]:
        if connection.protocol == "oidc":
            is_readable = connection.metadata_error is None
            return [] if is_readable else ["What the identity provider publishes cannot be read any more."]
        trusted = self._certificates.of([connection.id])[connection.id]
        if any(row.expires_at > self._uow.now + CERTIFICATE_LEFT for row in trusted):
            return []
        return [f"No certificate is good for {CERTIFICATE_LEFT.days} days more."]

    def locked_out(self, connection_id: str, *, after: str = FIRST_ID, limit: int) -> Sequence[Row]:
        """Active people who have never signed in through the connection, a page in the order of ids.

        Reading from the beginning is noted, because enforcement asks for it.
        """
        uow = self._uow
        self._service.row(connection_id)
        values = {"connection_id": connection_id, "after": after, "now": uow.now}
        found = uow.execute(_OUTSIDE.limit(limit), values).all()
        if after == FIRST_ID:
            uow.execute(_READ, {"row_id": connection_id, "moment": uow.now})
            uow.add(LockoutListRead(connection_id))
        return found

    def note_sign_in(self, connection_id: str, configuration_hash: str, user_id: str) -> None:
        """Somebody came in through the connection as it was configured: for an owner, a passed test."""
        if self._is_owner(user_id):
            values = {
                "row_id": connection_id,
                "tested": configuration_hash,
                "moment": self._uow.now,
                "tester": user_id,
            }
            self._uow.execute(_NOTE_TEST, values)

    def _refuse_unready(self, connection: Row, *, by_console: bool) -> None:
        if connection.mode != "optional":
            raise EnforcementRefusedError(
                "Let the connection be optional first; enforced follows optional.", code="mode_step_refused"
            )
        missing = self.missing(connection, by_console=by_console)
        if missing:
            raise EnforcementRefusedError(" ".join(missing))

    def _is_tested(self, connection: Row) -> bool:
        return (
            connection.tested_hash == connection.configuration_hash
            and connection.tested_at > self._uow.now - TEST_GOOD_FOR
            and self._is_owner(connection.tested_by_user_id)
        )

    def _is_owner(self, user_id: str) -> bool:
        person = self._uow.execute(_PERSON, {"user_id": user_id}).first()
        return person is not None and self._owns(person)

    def _owns(self, person: Row) -> bool:
        return OWNER in principals_of.as_of(person, self._uow.now).permissions
