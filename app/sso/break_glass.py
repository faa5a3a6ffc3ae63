"""The way in for owners when the identity provider is down: codes, each good once while sign-on is enforced.

Each code is looked up by its hash and spent by one conditional update. Its session lasts an hour; what it
may do there, the console decides by its kind.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, delete, func, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, ForbiddenError, NotFoundError
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import Randomness, hash_token, is_well_formed, new_token
from app.core.unit_of_work import UnitOfWork
from app.directory import principals as principals_of
from app.directory.models import principals
from app.sso.connection_events import BreakGlassCodesIssued, BreakGlassUsed
from app.sso.connections import effective_mode
from app.sso.enforcement import OWNER
from app.sso.models import break_glass_codes, connections
from app.sso.session_recognition import BREAK_GLASS
from app.sso.sessions import NewSession, SessionService

CODE = "breakglass"
LOOKUP = "break_glass_code"
CODES = 5
LIFETIME = timedelta(hours=1)

_INSERT = insert(break_glass_codes)
_INSERT_LOOKUP = insert(lookups)
_UNUSED = select(break_glass_codes.c.code_hash).where(
    break_glass_codes.c.org_id == ORG_ID,
    break_glass_codes.c.user_id == bindparam("user_id"),
    break_glass_codes.c.used_at.is_(None),
)
_DROP = delete(break_glass_codes).where(
    break_glass_codes.c.org_id == ORG_ID,
    break_glass_codes.c.user_id == bindparam("of_user_id"),
    break_glass_codes.c.used_at.is_(None),
)
_DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == LOOKUP, lookups.c.key_hash == bindparam("hash_"), lookups.c.org_id == ORG_ID
)
_FIND = select(lookups.c.org_id, lookups.c.object_id).where(
    lookups.c.kind == LOOKUP, lookups.c.key_hash == bindparam("key_hash")
)
_SPEND = (
    update(break_glass_codes)
    .where(
        break_glass_codes.c.org_id == ORG_ID,
        break_glass_codes.c.id == bindparam("row_id"),
        break_glass_codes.c.used_at.is_(None),
    )
    .values(used_at=bindparam("moment"))
    .returning(break_glass_codes.c.user_id)
)
# Held, so that whoever ends the person waits and then ends the session as well.
_OWNER = (
    select(*principals_of.COLUMNS)
    .where(principals.c.org_id == ORG_ID, principals.c.user_id == bindparam("user_id"))
    .with_for_update()
)
_ENFORCED = select(connections.c.mode, connections.c.enforced_at).where(
    connections.c.org_id == ORG_ID, connections.c.deleted_at.is_(None), connections.c.mode == "enforced"
)
_COUNTS = (
    select(break_glass_codes.c.user_id, func.count().label("unused"))
    .where(break_glass_codes.c.org_id == ORG_ID, break_glass_codes.c.used_at.is_(None))
    .group_by(break_glass_codes.c.user_id)
    .order_by(break_glass_codes.c.user_id)
)


class CodeRefusedError(ForbiddenError):
    """One sentence for every cause: whoever guesses learns nothing."""

    code = "break_glass_refused"

    def __init__(self) -> None:
        super().__init__("The code is not good now. Codes work once, and only while sign-on is enforced.")


class BreakGlass:
    def __init__(self, uow: UnitOfWork, randomness: Randomness, sessions: SessionService) -> None:
        self._uow = uow
        self._randomness = randomness
        self._sessions = sessions

    def issue(self, user_id: str) -> list[str]:
        """Fresh codes for an owner, shown this once; unused older ones are void."""
        uow = self._uow
        self._require_owner(user_id)
        for code_hash in uow.execute(_UNUSED, {"user_id": user_id}).scalars():
            uow.execute(_DROP_LOOKUP, {"hash_": code_hash})
        uow.execute(_DROP, {"of_user_id": user_id})
        codes = [new_token(CODE, self._randomness) for _ in range(CODES)]
        for code in codes:
            values = {"id": uow.ids.new(), "user_id": user_id, "code_hash": hash_token(code)}
            uow.execute(_INSERT, {**values, "created_at": uow.now})
            found = {"kind": LOOKUP, "key_hash": values["code_hash"], "object_id": values["id"]}
            uow.execute(_INSERT_LOOKUP, found)
        uow.add(BreakGlassCodesIssued(user_id, {"codes": CODES}))
        return codes

    def counts(self) -> Sequence[Row]:
        """How many unused codes each person has."""
        return self._uow.execute(_COUNTS).all()

    def redeem(self, code: str, *, user_agent: str | None, address: str | None) -> str:
        """The secret of a session of an hour; raises `CodeRefusedError`."""
        uow = self._uow
        found = None
        if is_well_formed(CODE, code):
            found = uow.execute_unscoped(_FIND, {"key_hash": hash_token(code)}).first()
        if found is None:
            raise CodeRefusedError
        uow.enter(found.org_id)
        if not any(effective_mode(row, uow.now) == "enforced" for row in uow.execute(_ENFORCED)):
            raise CodeRefusedError
        spent = uow.execute(_SPEND, {"row_id": found.object_id, "moment": uow.now}).first()
        owner = uow.execute(_OWNER, {"user_id": spent.user_id}).first() if spent is not None else None
        if spent is None or owner is None or not self._owns(owner):
            raise CodeRefusedError
        session_id, secret = self._sessions.begin(
            NewSession(
                kind=BREAK_GLASS,
                user_id=spent.user_id,
                principal_id=owner.id,
                authenticated_at=uow.now,
                ends_at=uow.now + LIFETIME,
                user_agent=user_agent,
                address=address,
            )
        )
        uow.add(BreakGlassUsed(spent.user_id, {"session_id": session_id}))
        return secret

    def _require_owner(self, user_id: str) -> None:
        owner = self._uow.execute(_OWNER, {"user_id": user_id}).first()
        if owner is None:
            raise NotFoundError(f"There is no user with the id {user_id!r}.", code="user_not_found")
        if not self._owns(owner):
            raise ConflictError(
                f"Codes are for active people with the permission {OWNER}.", code="not_an_owner"
            )

    def _owns(self, person: Row) -> bool:
        return bool(person.active) and OWNER in principals_of.as_of(person, self._uow.now).permissions
