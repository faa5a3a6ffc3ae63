"""The principal: one row for each person, which deletion and return in the IdP do not touch.

Only the directory writes `active` and `blocked`, and only here; governance writes the entitlement. Each
change raises `epoch`, so that whoever holds an older one knows to look again.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, case, insert, update

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals

_INSERT = insert(principals)
_INHERIT = (
    update(principals)
    .where(
        principals.c.org_id == ORG_ID,
        principals.c.id == bindparam("principal_id"),
        principals.c.user_id == bindparam("tombstone_id"),
    )
    .values(
        user_id=bindparam("new_user_id"),
        active=bindparam("is_active"),
        # The seat is not inherited: the returned person never had one.
        seat_state=None,
        jit_signed_in_at=None,
        lapses_at=None,
        epoch=principals.c.epoch + 1,
    )
)


class Principal(NamedTuple):
    """A principal's row, as the transaction that holds it would have it."""

    id: str
    user_id: str
    active: bool
    blocked: bool
    seat_state: str | None
    role_id: str | None
    surfaces: list[str]
    models: list[str] | None
    denied_models: list[str]
    permissions: list[str]
    jit_signed_in_at: datetime | None
    suspension: dict[str, Any] | None
    held: bool
    lapses_at: datetime | None


COLUMNS = [principals.c[name] for name in Principal._fields]
_OWN = Principal._fields[2:]
# The same beside a user's columns, which hold both ids already.
LABELLED = [principals.c[name].label(f"principal_{name}") for name in _OWN]
_NEW: dict[str, BindParameter[Any]] = {name: bindparam(f"new_{name}") for name in _OWN}
_STORE = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, principals.c.id == bindparam("row_id"))
    .values(epoch=principals.c.epoch + 1, **_NEW)
)
_STORE_ALIKE = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.id, "row_ids"))
    .values(epoch=principals.c.epoch + 1, **_NEW)
)

# The seat state as it holds at `:now`: a seat whose rights have lapsed is released, whoever says so first.
SEAT_STATE_NOW: ColumnElement[str | None] = case(
    (
        and_(
            principals.c.lapses_at <= bindparam("now", type_=UtcDateTime),
            principals.c.seat_state.is_not(None),
        ),
        "released",
    ),
    else_=principals.c.seat_state,
)


def as_of(row: Row, now: datetime) -> Row:
    """A row with the entitlement of a principal, as it holds at this moment: what has lapsed is gone."""
    if row.lapses_at is None or now < row.lapses_at:
        return row
    state = None if row.seat_state is None else "released"
    return row._replace(seat_state=state, role_id=None, surfaces=[], models=[], permissions=[])


def take(
    uow: UnitOfWork, user_id: str, tombstone: Row | None, *, active: bool, by_sign_in: bool = False
) -> str:
    """The id of the principal for a new user: the tombstone's, if it still owns one, else a fresh one."""
    if tombstone is not None:
        values = {
            "principal_id": tombstone.principal_id,
            "tombstone_id": tombstone.id,
            "new_user_id": user_id,
            "is_active": active,
        }
        if uow.execute(_INHERIT, values).rowcount == 1:
            return str(tombstone.principal_id)
    values = {
        "id": user_id,
        "user_id": user_id,
        "active": active,
        "blocked": False,
        "held": False,
        "epoch": 1,
        "surfaces": [],
        "models": [],
        "permissions": [],
        "denied_models": [],
        "jit_signed_in_at": uow.now if by_sign_in else None,
    }
    uow.write(_INSERT, values)
    return user_id


def of_user(user: Row) -> Principal:
    """The principal of a locked user."""
    return Principal(user.principal_id, user.id, *(getattr(user, f"principal_{name}") for name in _OWN))


def set_access(uow: UnitOfWork, user: Row, **changes: Any) -> Principal:
    """Change what the directory writes of a locked user's person; answers the principal as it is then."""
    principal = of_user(user)._replace(**changes)
    store(uow, [principal])
    return principal


def store(uow: UnitOfWork, people: Sequence[Principal]) -> None:
    """Write whole rows of locked principals; what is stored last in a transaction holds.

    People who end alike, as most do after a change of policy, are one statement.
    """
    if len(people) == 1:
        uow.write(_STORE, {"row_id": people[0].id, **_values(people[0])}, key=(_STORE, people[0].id))
        return
    alike: dict[str, list[Principal]] = {}
    for principal in people:
        alike.setdefault(json.dumps(principal[2:], default=str), []).append(principal)
    alone = [same[0] for same in alike.values() if len(same) == 1]
    if alone:
        uow.execute_many(_STORE, [{"row_id": principal.id, **_values(principal)} for principal in alone])
    for same in alike.values():
        if len(same) > 1:
            row_ids = sorted(principal.id for principal in same)
            uow.execute(_STORE_ALIKE, {"row_ids": row_ids, **_values(same[0])})


def latest(uow: UnitOfWork, principal_id: str) -> Mapping[str, Any] | None:
    """What this transaction has last written of one person, by column; null when it wrote nothing.

    So an answer can say what holds after a change without reading it back.
    """
    row = uow.latest((_STORE, principal_id))
    return None if row is None else {name.removeprefix("new_"): value for name, value in row.items()}


def _values(principal: Principal) -> dict[str, Any]:
    return {f"new_{name}": getattr(principal, name) for name in _OWN}
