"""The same POST twice is done once: answers by `Idempotency-Key`, stored in the request's transaction.

A claim is inserted before the work begins. Of two parallel requests with one key the later insert
fails, its transaction is repeated, and the second look finds the finished answer. A refusal rolls its
claim back with everything else, so only success is remembered.

An answer may hold a secret that Usher itself stores only as a hash. Bodies are therefore encrypted
under a key that only the bearer of the very same secret can compute again: the database alone gives
nothing away.
"""

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, delete, insert, select, update

from app.api.models import MAX_KEY_LENGTH, idempotency_keys
from app.core.errors import BadRequestError, ConflictError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork

KEPT = timedelta(hours=24)

_mine = (
    idempotency_keys.c.org_id == ORG_ID,
    idempotency_keys.c.bearer_id == bindparam("owner_id"),
    idempotency_keys.c.key == bindparam("wanted_key"),
)
_FIND = select(idempotency_keys).where(*_mine)
_CLAIM = insert(idempotency_keys)
_COMPLETE = update(idempotency_keys).where(*_mine).values(status=bindparam("made"), body=bindparam("sealed"))
_OLD = (idempotency_keys.c.org_id == ORG_ID, idempotency_keys.c.created_at < bindparam("before"))
_HAS_OLD = select(idempotency_keys.c.key).where(*_OLD).limit(1)
_PURGE = delete(idempotency_keys).where(*_OLD)


class InvalidIdempotencyKeyError(BadRequestError):
    code = "invalid_idempotency_key"


class IdempotencyMismatchError(ConflictError):
    code = "idempotency_mismatch"


@dataclass(frozen=True, slots=True)
class Claim:
    """One request that wants to be done once; `token` is the secret that it came with."""

    bearer_id: str
    token: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    body: str


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Equal for equal requests; the lengths keep one part from passing for another's end."""
    head = f"{method} {len(path)} {path} "
    return hashlib.sha256(head.encode() + body).hexdigest()


class IdempotencyStore:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def begin(self, claim: Claim) -> StoredAnswer | None:
        """The answer given before, or null and the key is this request's.

        Raises `IdempotencyMismatchError` when the key came with another request, and the database's
        `IntegrityError` when another transaction took it at this moment.
        """
        uow = self._uow
        if not 1 <= len(claim.key) <= MAX_KEY_LENGTH:
            raise InvalidIdempotencyKeyError(
                f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters; a UUID is a good one."
            )
        names = {"owner_id": claim.bearer_id, "wanted_key": claim.key}
        row = uow.execute(_FIND, names).first()
        if row is None:
            uow.execute(_CLAIM, self._row(claim))
            return None
        if row.fingerprint != claim.fingerprint:
            raise IdempotencyMismatchError(
                "This Idempotency-Key came with another request before. Use a new key for a new request."
            )
        return StoredAnswer(row.status, _unseal(row.body, claim.token))

    def finish(self, claim: Claim, answer: StoredAnswer) -> None:
        """Remember the answer; it counts once the transaction commits.

        Raises as `begin` does when the transaction paused, which gave the claim up, and another has taken
        the key meanwhile.
        """
        uow = self._uow
        sealed = _seal(answer.body, claim.token, uow.ids.new())
        names = {"owner_id": claim.bearer_id, "wanted_key": claim.key}
        done = uow.execute(_COMPLETE, {**names, "made": answer.status, "sealed": sealed})
        if done.rowcount == 0:
            uow.execute(_CLAIM, {**self._row(claim), "status": answer.status, "body": sealed})

    def _row(self, claim: Claim) -> dict[str, object]:
        return {
            "bearer_id": claim.bearer_id,
            "key": claim.key,
            "fingerprint": claim.fingerprint,
            "created_at": self._uow.now,
        }

    def has_old(self) -> bool:
        return self._uow.execute(_HAS_OLD, {"before": self._uow.now - KEPT}).first() is not None

    def purge(self) -> None:
        """Forget what is older than `KEPT`, all at once; a repeated request is then a new one."""
        self._uow.execute(_PURGE, {"before": self._uow.now - KEPT})


def _seal(text: str, token: str, nonce: str) -> str:
    sealed = AESGCM(_key(token)).encrypt(nonce.encode(), text.encode(), None)
    return f"{nonce}.{b64encode(sealed).decode()}"


def _unseal(stored: str, token: str) -> str:
    nonce, _, sealed = stored.partition(".")
    return AESGCM(_key(token)).decrypt(nonce.encode(), b64decode(sealed), None).decode()


def _key(token: str) -> bytes:
    # The token has 192 random bits, so one hash makes a key of it; the prefix keeps it apart from
    # the hash under which the token itself is looked up.
    return hashlib.sha256(f"usher-idempotency {token}".encode()).digest()
