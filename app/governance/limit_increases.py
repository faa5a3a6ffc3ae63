"""Wishes for a higher limit: asked for, approved into a limit of the person's own, or denied.

Each is resolved once, by conditional update; two administrators cannot both have the last word.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.queries import DirectoryQueries
from app.governance.events import LimitIncreaseApproved, LimitIncreaseDenied, LimitIncreaseRequested
from app.governance.limits import LimitService, Scope
from app.governance.models import limit_increases

_LIST = select(limit_increases).where(
    limit_increases.c.org_id == ORG_ID, limit_increases.c.id > bindparam("after")
)
_BY_ID = select(limit_increases).where(
    limit_increases.c.org_id == ORG_ID, limit_increases.c.id == bindparam("id")
)
_LOCK = _BY_ID.with_for_update()
_FILTERS = {name: limit_increases.c[name] == bindparam(name) for name in ("state", "user_id", "window")}
_PENDING = select(limit_increases.c.id).where(
    limit_increases.c.org_id == ORG_ID,
    limit_increases.c.user_id == bindparam("user_id"),
    limit_increases.c.window == bindparam("window"),
    limit_increases.c.state == "pending",
)
_INSERT = insert(limit_increases)
_RESOLVE = (
    update(limit_increases)
    .where(limit_increases.c.org_id == ORG_ID, limit_increases.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        granted_nanousd=bindparam("granted"),
        expires_at=bindparam("ends_at"),
        resolved_at=bindparam("moment"),
        resolved_by_type=bindparam("by_type"),
        resolved_by_id=bindparam("by_id"),
        resolution=bindparam("words"),
    )
)


class LimitIncreaseService:
    def __init__(self, uow: UnitOfWork, directory: DirectoryQueries, limits: LimitService) -> None:
        self._uow = uow
        self._directory = directory
        self._limits = limits

    def request(self, user_id: str, window: str, amount_nanousd: int, reason: str | None) -> Row:
        """Ask for a living person; raises `ConflictError` while the same wish is undecided."""
        uow = self._uow
        person = self._directory.person(user_id)
        if uow.execute(_PENDING, {"user_id": person.id, "window": window}).first() is not None:
            raise ConflictError(
                "A request for this person and window is undecided; approve or deny that one first.",
                code="increase_pending",
            )
        increase_id = uow.ids.new()
        values = {
            "id": increase_id,
            "user_id": person.id,
            "window": window,
            "amount_nanousd": amount_nanousd,
            "reason": reason,
            "state": "pending",
            "requested_at": uow.now,
            "requested_by_type": uow.caller.actor.type,
            "requested_by_id": uow.caller.actor.id,
        }
        uow.execute(_INSERT, values)
        data = {"id": increase_id, "window": window, "amount_nanousd": amount_nanousd, "reason": reason}
        uow.add(LimitIncreaseRequested("user", person.id, data))
        return self.get(increase_id)

    def get(self, increase_id: str) -> Row:
        return self._found(self._uow.execute(_BY_ID, {"id": increase_id}).first(), increase_id)

    def page(self, *, after: str, limit: int, filters: Mapping[str, str]) -> Sequence[Row]:
        """Up to `limit` requests with an id above `after`, the oldest first."""
        statement = (
            _LIST.where(*(_FILTERS[name] for name in filters)).order_by(limit_increases.c.id).limit(limit)
        )
        return self._uow.execute(statement, {**filters, "after": after}).all()

    def approve(
        self, increase_id: str, *, amount_nanousd: int | None, expires_at: datetime | None, note: str | None
    ) -> Row:
        """Give the person a limit of their own: what was asked for or `amount_nanousd`, until the expiry."""
        increase = self._lock(increase_id)
        granted = increase.amount_nanousd if amount_nanousd is None else amount_nanousd
        self._limits.set(Scope("user", increase.user_id), increase.window, granted, expires_at=expires_at)
        self._resolve(increase, "approved", granted=granted, expires_at=expires_at, note=note)
        data = {
            **_said(increase, note),
            "granted_nanousd": granted,
            "expires_at": None if expires_at is None else rfc3339(expires_at),
        }
        self._uow.add(LimitIncreaseApproved("user", increase.user_id, data))
        return self.get(increase_id)

    def deny(self, increase_id: str, *, note: str | None) -> Row:
        increase = self._lock(increase_id)
        self._resolve(increase, "denied", granted=None, expires_at=None, note=note)
        self._uow.add(LimitIncreaseDenied("user", increase.user_id, _said(increase, note)))
        return self.get(increase_id)

    def _lock(self, increase_id: str) -> Row:
        increase = self._found(self._uow.execute(_LOCK, {"id": increase_id}).first(), increase_id)
        if increase.state != "pending":
            raise ConflictError(f"The request is {increase.state} already.", code="increase_resolved")
        return increase

    def _resolve(
        self,
        increase: Row,
        state: str,
        *,
        granted: int | None,
        expires_at: datetime | None,
        note: str | None,
    ) -> None:
        uow = self._uow
        values = {
            "row_id": increase.id,
            "new_state": state,
            "granted": granted,
            "ends_at": expires_at,
            "moment": uow.now,
            "by_type": uow.caller.actor.type,
            "by_id": uow.caller.actor.id,
            "words": note,
        }
        uow.execute(_RESOLVE, values)

    @staticmethod
    def _found(row: Row | None, increase_id: str) -> Row:
        if row is None:
            raise NotFoundError(
                f"There is no limit increase with the id {increase_id!r}.", code="limit_increase_not_found"
            )
        return row


def _said(increase: Row, note: str | None) -> dict[str, Any]:
    return {
        "id": increase.id,
        "window": increase.window,
        "amount_nanousd": increase.amount_nanousd,
        "note": note,
    }
