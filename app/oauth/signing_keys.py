"""The keys that sign ID tokens and logout tokens, rolled over without a failed sign-in.

The latest key that has become active signs. It is published for a day before that, so that applications know
it by then, and afterwards for as long as what it signed may be checked. Nothing is switched: each state
follows from the time. Private halves lie sealed, each bound to its row. The keys are the issuer's, which is
one for all organizations.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from sqlalchemy import bindparam, delete, insert, select

from app.core.connection import Row
from app.core.sealing import Sealed, Sealer
from app.core.unit_of_work import UnitOfWork
from app.oauth.models import signing_keys

ALGORITHM = "RS256"
KEY_BITS = 2_048
# The type of ID tokens, which tells them from whatever else is signed.
PLAIN = "JWT"
# So long before it signs is a key published, for applications that keep what they read.
PUBLISHED_BEFORE = timedelta(days=1)
# So long after its successor does is it published still.
PUBLISHED_AFTER = timedelta(days=7)
# The worker makes the next key when the last one is this old.
SIGNS_FOR = timedelta(days=90)

_ALL = select(signing_keys).order_by(signing_keys.c.active_at.desc(), signing_keys.c.id.desc())
_INSERT = insert(signing_keys)
_DROP = delete(signing_keys).where(signing_keys.c.id == bindparam("row_id"))

# The opened keys of this process, by id: to read one takes a hundred times as long as to sign.
OpenedKeys = dict[str, RSAKey]


@dataclass(frozen=True, slots=True)
class KeyState:
    id: str
    state: str
    created_at: datetime
    active_at: datetime


class SigningKeys:
    def __init__(self, uow: UnitOfWork, sealer: Sealer, opened: OpenedKeys) -> None:
        self._uow = uow
        self._sealer = sealer
        self._opened = opened

    def ensure(self) -> None:
        """There is a key from now on; two that are made at the same moment do no harm."""
        if not self._rows():
            self._add(self._uow.now)

    def rotate(self, *, at_once: bool = False) -> None:
        """Publish the next key, which signs in a day or, where a key has leaked, `at_once`."""
        now = self._uow.now
        known = self._rows() if at_once else []
        self._add(now if at_once else now + PUBLISHED_BEFORE)
        # What they signed may not be believed any more.
        for row in known:
            self._uow.execute_unscoped(_DROP, {"row_id": row.id})

    def is_due(self) -> bool:
        """Whether the last key is old, or there is one that nobody needs to see any more."""
        keys = self.states()
        return bool(keys) and (self._is_old(keys[0]) or keys[-1].state == "expired")

    def turn(self) -> None:
        """Do what is due."""
        keys = self.states()
        for key in keys:
            if key.state == "expired":
                self._uow.execute_unscoped(_DROP, {"row_id": key.id})
        if keys and self._is_old(keys[0]):
            self.rotate()

    def _is_old(self, last: KeyState) -> bool:
        return last.active_at <= self._uow.now - SIGNS_FOR

    def states(self) -> list[KeyState]:
        """Every key, the latest first: `next`, `current`, `retired` or `expired`."""
        return [KeyState(row.id, state, row.created_at, row.active_at) for state, row in self._judged()]

    def published(self) -> list[Mapping[str, Any]]:
        """The public halves, the latest first."""
        return [row.public_jwk for state, row in self._judged() if state != "expired"]

    def _judged(self) -> Iterator[tuple[str, Row]]:
        now, rows = self._uow.now, self._rows()
        signer = _signer(rows, now) if rows else None
        successor: datetime | None = None
        for row in rows:
            if row.active_at > now and row is not signer:
                yield "next", row
                continue
            is_over = successor is not None and successor + PUBLISHED_AFTER <= now
            yield "current" if successor is None else "expired" if is_over else "retired", row
            successor = row.active_at

    def sign(self, claims: Mapping[str, Any], *, type_: str = PLAIN) -> str:
        row = _signer(self._rows(), self._uow.now)
        header = {"alg": ALGORITHM, "kid": row.id, "typ": type_}
        return jwt.encode(header, dict(claims), self._open(row), algorithms=[ALGORITHM])

    def verified(self, token: str) -> Mapping[str, Any] | None:
        """The claims of an ID token that one of these keys signed; its times are the caller's to judge."""
        keys = KeySet.import_key_set({"keys": [dict(jwk) for jwk in self.published()]})
        try:
            decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return None
        return decoded.claims if decoded.header.get("typ") == PLAIN else None

    def _add(self, active_at: datetime) -> None:
        uow = self._uow
        row_id = uow.ids.new()
        key = RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": ALGORITHM, "kid": row_id})
        sealed = self._sealer.seal(json.dumps(key.as_dict(private=True)), bound_to=row_id)
        values = {
            "id": row_id,
            "public_jwk": key.as_dict(private=False),
            "sealed_private_jwk": sealed.text,
            "sealing_key_id": sealed.key_id,
            "created_at": uow.now,
            "active_at": active_at,
        }
        uow.execute_unscoped(_INSERT, values)
        # No organization's log can tell of what is nobody's.
        structlog.get_logger().warning("signing_key.added", key_id=row_id, active_at=active_at.isoformat())

    def _rows(self) -> list[Row]:
        return self._uow.execute_unscoped(_ALL).all()

    def _open(self, row: Row) -> RSAKey:
        key = self._opened.get(row.id)
        if key is None:
            sealed = Sealed(row.sealed_private_jwk, row.sealing_key_id)
            jwk = json.loads(self._sealer.open(sealed, bound_to=row.id))
            key = self._opened[row.id] = RSAKey.import_key(jwk)
        return key


def _signer(rows: Sequence[Row], now: datetime) -> Row:
    """Of all keys, the latest first, the one that signs; there is one.

    By a clock that is behind, one that took over at once is not active yet; it is published all the same.
    """
    return next((row for row in rows if row.active_at <= now), rows[-1])
