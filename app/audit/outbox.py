"""Work promised by a commit: put down in its transaction, done at least once afterwards.

A message is leased by a conditional update before its handler runs, so a killed worker's message
comes back when the lease ends; a handler can therefore be asked twice for the same thing. One that
fails is tried again later and later, then the message is set aside as dead; `/metrics` counts those,
and nothing behind them waits.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.audit.models import outbox_messages
from app.core.batches import batches
from app.core.connection import Row
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID, everywhere
from app.core.unit_of_work import UnitOfWork

LEASE = timedelta(seconds=60)
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 300, 1_800, 7_200, 18_000))
CLAIM = 50

_INSERT = insert(outbox_messages)
_due = (
    select(outbox_messages.c.id)
    .where(
        outbox_messages.c.org_id == ORG_ID,
        outbox_messages.c.state == "pending",
        outbox_messages.c.available_at <= bindparam("moment"),
    )
    .order_by(outbox_messages.c.available_at, outbox_messages.c.id)
    .limit(CLAIM)
)
_HAS_DUE = _due.limit(1)
_HAS_DUE_EVERYWHERE = everywhere(_HAS_DUE)
_CLAIM = (
    update(outbox_messages)
    .where(
        outbox_messages.c.org_id == ORG_ID,
        outbox_messages.c.id.in_(_due.with_for_update(skip_locked=True)),
    )
    .values(
        lease_id=bindparam("lease"),
        available_at=bindparam("lease_ends_at"),
        attempts=outbox_messages.c.attempts + 1,
    )
    .returning(outbox_messages)
)
_mine = (outbox_messages.c.org_id == ORG_ID, outbox_messages.c.lease_id == bindparam("lease"))
_DONE = delete(outbox_messages).where(*_mine, is_one_of(outbox_messages.c.id, "ids"))
_FAILED = (
    update(outbox_messages)
    .where(*_mine, outbox_messages.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        available_at=bindparam("retry_at"),
        last_error=bindparam("error"),
        lease_id=None,
    )
)


class Outbox:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def put(self, kind: str, payload: Mapping[str, Any]) -> None:
        self.put_all(kind, [payload])

    def put_all(self, kind: str, payloads: Sequence[Mapping[str, Any]]) -> None:
        uow = self._uow
        shared = {
            "kind": kind,
            "state": "pending",
            "created_at": uow.now,
            "available_at": uow.now,
            "attempts": 0,
        }
        for batch in batches(payloads):
            uow.execute_many(
                _INSERT, [{**shared, "id": uow.ids.new(), "payload": dict(payload)} for payload in batch]
            )

    def has_work(self) -> bool:
        return self._uow.execute(_HAS_DUE, {"moment": self._uow.now}).first() is not None

    def organizations_with_work(self) -> list[str]:
        return self._uow.execute_unscoped(_HAS_DUE_EVERYWHERE, {"moment": self._uow.now}).scalars()

    def claim(self) -> Sequence[Row]:
        """Lease the messages that are due; nobody else gets them until the lease ends."""
        uow = self._uow
        values = {"moment": uow.now, "lease": uow.ids.new(), "lease_ends_at": uow.now + LEASE}
        return sorted(uow.execute(_CLAIM, values).all(), key=lambda row: str(row.id))

    def done(self, messages: Sequence[Row]) -> None:
        """Forget delivered messages of one claim; one that was leased to another meanwhile stays."""
        if messages:
            values = {"ids": [message.id for message in messages], "lease": messages[0].lease_id}
            self._uow.execute(_DONE, values)

    def failed(self, message: Row, error: str) -> bool:
        """Put the message off, or aside once it has been tried often enough; answers whether aside."""
        uow = self._uow
        is_dead: bool = message.attempts > len(RETRY_DELAYS)
        delay = timedelta(0) if is_dead else RETRY_DELAYS[message.attempts - 1]
        values = {
            "row_id": message.id,
            "lease": message.lease_id,
            "new_state": "dead" if is_dead else "pending",
            "retry_at": uow.now + delay,
            "error": error[:1_000],
        }
        uow.execute(_FAILED, values)
        return is_dead
