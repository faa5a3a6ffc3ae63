"""Forgets codes, tokens and notes of sessions once they can serve nobody any more, some rows at a time."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Column, bindparam, delete, exists, or_, select

from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID, lookups
from app.core.unit_of_work import UnitOfWork
from app.oauth.models import access_tokens, application_sessions, authorization_codes
from app.oauth.redemption import LIFETIME, TOKEN_LOOKUP

BATCH = 1_000
# An application's own session may outlive ours; when its person is taken away, it is told for so long.
SESSIONS_KEPT = timedelta(days=30)

_DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == TOKEN_LOOKUP, lookups.c.key_hash == bindparam("hash_"), lookups.c.org_id == ORG_ID
)


class _Leftover:
    """Rows of one table that are to go once `moment` is `kept` ago; `key` tells them apart."""

    def __init__(self, key: Column[Any], moment: Column[Any], kept: timedelta) -> None:
        table = key.table
        self.name, self.kept = f"before_{table.name}", kept
        mine = (table.c.org_id == ORG_ID, moment <= bindparam(self.name, type_=UtcDateTime()))
        old = select(key).where(*mine).order_by(moment)
        self.is_there = exists(old)
        self.forget = delete(key.table).where(*mine, key.in_(old.limit(BATCH)))


# A code that comes again must still be known while what it gave may be good.
_CODES = _Leftover(authorization_codes.c.id, authorization_codes.c.expires_at, LIFETIME)
_TOKENS = _Leftover(access_tokens.c.id, access_tokens.c.expires_at, timedelta(0))
_SESSIONS = _Leftover(application_sessions.c.session_id, application_sessions.c.created_at, SESSIONS_KEPT)
_ALL = (_CODES, _TOKENS, _SESSIONS)
_FORGET_TOKENS = _TOKENS.forget.returning(access_tokens.c.token_hash)
_HAS_OLD = select(or_(*(leftover.is_there for leftover in _ALL)))


class OAuthLeftovers:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def has_old(self) -> bool:
        moments = {name: at for leftover in _ALL for name, at in self._before(leftover).items()}
        return bool(self._uow.execute(_HAS_OLD, moments).scalar_one())

    def purge(self) -> bool:
        """Forget a batch of each kind; answers whether there may be more."""
        uow = self._uow
        counts = [uow.execute(kind.forget, self._before(kind)).rowcount for kind in (_CODES, _SESSIONS)]
        hashes = uow.execute(_FORGET_TOKENS, self._before(_TOKENS)).scalars()
        if hashes:
            uow.execute_many(_DROP_LOOKUP, [{"hash_": hash_} for hash_ in hashes])
        return max(*counts, len(hashes)) >= BATCH

    def _before(self, leftover: _Leftover) -> dict[str, Any]:
        return {leftover.name: self._uow.now - leftover.kept}
