"""What became of each attempt to sign in: kept for a while, found by address or reference number.

A trace of a refusal is written after its transaction was undone, so this must never depend on what the
attempt itself had stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, tuple_

from app.core.connection import Row
from app.core.database import Id, UtcDateTime
from app.core.errors import NotFoundError
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.sso.addresses import MAX_EMAIL_LENGTH
from app.sso.models_sign_in import login_traces

KEPT = timedelta(days=30)

_INSERT = insert(login_traces)
_PAGE = (
    select(login_traces)
    .where(login_traces.c.org_id == ORG_ID)
    .order_by(login_traces.c.occurred_at.desc(), login_traces.c.id.desc())
)
_BEFORE = tuple_(login_traces.c.occurred_at, login_traces.c.id) < tuple_(
    bindparam("before_time", type_=UtcDateTime()), bindparam("before_id", type_=Id)
)
_FILTERS = {
    name: login_traces.c[column] == bindparam(name)
    for name, column in {
        "connection_id": "connection_id",
        "email": "email_key",
        "reference": "reference",
        "outcome": "outcome",
        "reason": "reason",
    }.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt as its trace shows it; `email` is the address as it came, if one could be read."""

    connection_id: str
    outcome: str
    step: str
    reference: str
    reason: str | None = None
    email: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    expected: str | None = None
    received: str | None = None
    hint: str | None = None
    xml: str | None = None
    claims: str | None = None


class LoginTraces:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def add(self, attempt: Attempt) -> None:
        uow = self._uow
        texts = {name: getattr(attempt, name) for name in Attempt.__slots__ if name != "email"}
        # Whatever was sent: PostgreSQL stores no NUL.
        values = {name: text and text.replace("\x00", "\ufffd") for name, text in texts.items()}
        # What is longer is no address, and more than an index can hold.
        email_key = fold(attempt.email[:MAX_EMAIL_LENGTH]) if attempt.email else None
        own = {"id": uow.ids.new(), "occurred_at": uow.now, "email_key": email_key}
        uow.write(_INSERT, {**values, **own})

    def page(
        self, *, before: tuple[datetime, str] | None, limit: int, filters: Mapping[str, str]
    ) -> Sequence[Row]:
        """Up to `limit` traces, newest first; `before` is time and id of the last one seen."""
        statement = _PAGE.where(*(_FILTERS[name] for name in filters)).limit(limit)
        values: dict[str, Any] = dict(filters)
        if "email" in values:
            values["email"] = fold(values["email"])
        if before is not None:
            statement = statement.where(_BEFORE)
            values["before_time"], values["before_id"] = before
        return self._uow.execute(statement, values).all()

    def by_reference(self, reference: str) -> Row:
        """The trace with the number that a refused person was shown; raises `NotFoundError`."""
        found = self.page(before=None, limit=1, filters={"reference": reference})
        if not found:
            raise NotFoundError(
                f"There is no sign-in with the reference {reference[:80]!r} in the last 30 days."
            )
        return found[0]
