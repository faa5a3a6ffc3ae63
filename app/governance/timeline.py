"""One person's life on one line: what happened to them and what they did, newest first.

It reads the audit log and nothing else, so what it shows is what the feed shows, and a deleted person's
line stays. After a return in the IdP a person has another id: each id has its own line.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, not_, or_, select, union_all

from app.audit.models import audit_events
from app.core.connection import Row
from app.core.errors import NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import users

# The first word of an action says what it is about.
NOUNS: Mapping[str, tuple[str, ...]] = {
    "directory": ("user", "group"),
    "seat": ("seat", "entitlement"),
    "limit": ("spend_limit", "limit_increase"),
    "session": ("session", "login", "identity"),
    "spend": ("authorization", "reservation", "usage"),
}
# All else, and what the person did to others.
ADMINISTRATION = "administration"
KINDS = (*NOUNS, ADMINISTRATION)
# What people do for themselves is recorded with the thing as target and them as actor.
_BY_THEMSELVES = ("limit", "session", "spend")

_EXISTED = select(users.c.id).where(users.c.org_id == ORG_ID, users.c.id == bindparam("user_id"))
_ABOUT = and_(audit_events.c.target_type == "user", audit_events.c.target_id == bindparam("target"))
_BY = and_(
    audit_events.c.actor_type == "user",
    audit_events.c.actor_id == bindparam("actor"),
    or_(audit_events.c.target_type != "user", audit_events.c.target_id != bindparam("target")),
)


class TimelineService:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def page(self, user_id: str, *, before: int, limit: int, kind: str | None) -> Sequence[Row]:
        """Up to `limit` sequenced entries with a position below `before`, of one of `KINDS` or of all.

        Raises `NotFoundError` for whoever never was; the deleted are found.
        """
        if self._uow.execute(_EXISTED, {"user_id": user_id}).first() is None:
            raise NotFoundError(f"There is no user with the id {user_id!r}.", code="user_not_found")
        parts = [_part(_ABOUT, _of_kind(kind, NOUNS), limit)]
        if kind in (None, ADMINISTRATION, *_BY_THEMSELVES):
            parts.append(_part(_BY, _of_kind(kind, _BY_THEMSELVES), limit))
        found = union_all(*parts).subquery("found")
        statement = select(found).order_by(found.c.position.desc()).limit(limit)
        values = {"target": user_id, "actor": user_id, "before": before}
        return self._uow.execute(statement, values).all()


def kind_of(entry: Row, user_id: str) -> str:
    """Which of `KINDS` an entry on the line of this person is."""
    is_about = (entry.target_type, entry.target_id) == ("user", user_id)
    noun = entry.action.partition(".")[0]
    kinds = NOUNS if is_about else _BY_THEMSELVES
    return next((kind for kind in kinds if noun in NOUNS[kind]), ADMINISTRATION)


def _part(
    whose: ColumnElement[bool], of_kind: Sequence[ColumnElement[bool]], limit: int
) -> Select[tuple[Any, ...]]:
    """Each part is read by an index of its own, from its newest entry on."""
    part = (
        select(audit_events)
        .where(
            audit_events.c.org_id == ORG_ID,
            audit_events.c.position < bindparam("before"),
            whose,
            *of_kind,
        )
        .order_by(audit_events.c.position.desc())
        .limit(limit)
        .subquery()
    )
    return select(*part.c)


def _of_kind(kind: str | None, kinds: Collection[str]) -> Sequence[ColumnElement[bool]]:
    """`kinds` are those that are told by the noun; the rest is administration."""
    if kind is None:
        return ()
    return (_is_of([kind]) if kind in kinds else not_(_is_of(kinds)),)


def _is_of(kinds: Collection[str]) -> ColumnElement[bool]:
    nouns = [noun for kind in kinds for noun in NOUNS[kind]]
    return or_(*(audit_events.c.action.startswith(f"{noun}.", autoescape=True) for noun in nouns))
