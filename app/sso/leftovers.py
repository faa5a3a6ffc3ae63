"""Forgets what signing in left behind once it can serve nobody any more, some rows at a time."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Column, bindparam, delete, exists, or_, select

from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID, lookups
from app.core.unit_of_work import UnitOfWork
from app.sso.break_glass import LOOKUP as CODE_LOOKUP
from app.sso.models import break_glass_codes
from app.sso.models_sign_in import consumed_assertions, login_requests, login_traces, sessions
from app.sso.session_recognition import SESSION_LOOKUP
from app.sso.traces import KEPT

BATCH = 1_000

_DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == bindparam("kind_"), lookups.c.key_hash == bindparam("hash_"), lookups.c.org_id == ORG_ID
)


class _Leftover:
    """Rows of one table that are to go once `moment` is `kept` ago; `key` tells them apart."""

    def __init__(self, key: Column[Any], moment: Column[Any], kept: timedelta = timedelta(0)) -> None:
        table = key.table
        self.name, self.kept = f"before_{table.name}", kept
        mine = (table.c.org_id == ORG_ID, moment <= bindparam(self.name, type_=UtcDateTime()))
        old = select(key).where(*mine).order_by(moment)
        self.is_there = exists(old)
        self.forget = delete(key.table).where(*mine, key.in_(old.limit(BATCH)))


_SESSIONS = _Leftover(sessions.c.id, sessions.c.expires_at)
# The audit log knows who used a code.
_CODES = _Leftover(break_glass_codes.c.id, break_glass_codes.c.used_at)
# What a browser or a person holds is found by a look-up, which goes as well.
_FOUND = (
    (_SESSIONS, SESSION_LOOKUP, _SESSIONS.forget.returning(sessions.c.secret_hash)),
    (_CODES, CODE_LOOKUP, _CODES.forget.returning(break_glass_codes.c.code_hash)),
)
_PLAIN = (
    _Leftover(login_requests.c.id, login_requests.c.expires_at),
    _Leftover(consumed_assertions.c.assertion_hash, consumed_assertions.c.expires_at),
    _Leftover(login_traces.c.id, login_traces.c.occurred_at, KEPT),
)
_ALL = (_SESSIONS, _CODES, *_PLAIN)
_HAS_OLD = select(or_(*(leftover.is_there for leftover in _ALL)))


class Leftovers:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def has_old(self) -> bool:
        moments = {name: at for leftover in _ALL for name, at in self._before(leftover).items()}
        return bool(self._uow.execute(_HAS_OLD, moments).scalar_one())

    def purge(self) -> bool:
        """Forget a batch of each kind; answers whether there may be more."""
        uow = self._uow
        counts = [uow.execute(leftover.forget, self._before(leftover)).rowcount for leftover in _PLAIN]
        for leftover, kind, forget in _FOUND:
            over = uow.execute(forget, self._before(leftover)).scalars()
            if over:
                uow.execute_many(_DROP_LOOKUP, [{"kind_": kind, "hash_": hash_} for hash_ in over])
            counts.append(len(over))
        return max(counts) == BATCH

    def _before(self, leftover: _Leftover) -> dict[str, Any]:
        return {leftover.name: self._uow.now - leftover.kept}
