"""The principal: one row for each person, which deletion and return in the IdP do not touch.

Only the directory writes `active` and `blocked`, and only here; governance writes the entitlement. Each
change raises `epoch`, so that whoever holds an older one knows to look again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, update

from app.core.connection import Row
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
    suspension: dict[str, Any] | None
    held: bool


COLUMNS = [principals.c[name] for name in Principal._fields]
_OWN = Principal._fields[2:]
# The same beside a user's columns, which hold both ids already.
LABELLED = [principals.c[name].label(f"principal_{name}") for name in _OWN]
_STORE = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, principals.c.id == bindparam("row_id"))
    .values(epoch=principals.c.epoch + 1, **{name: bindparam(f"new_{name}") for name in _OWN})
)


def take(uow: UnitOfWork, user_id: str, tombstone: Row | None, *, active: bool) -> str:
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
    }
    uow.write(_INSERT, values)
    return user_id


def set_access(uow: UnitOfWork, user: Row, *, active: bool, blocked: bool) -> Principal:
    """Switch the person of a locked user on or off; answers the principal as it is then."""
    own = (getattr(user, f"principal_{name}") for name in _OWN)
    principal = Principal(user.principal_id, user.id, *own)._replace(active=active, blocked=blocked)
    store(uow, [principal])
    return principal


def store(uow: UnitOfWork, people: Sequence[Principal]) -> None:
    """Write whole rows of locked principals; what is stored last in a transaction holds."""
    rows = [
        {"row_id": principal.id, **{f"new_{name}": getattr(principal, name) for name in _OWN}}
        for principal in people
    ]
    if len(rows) == 1:
        uow.write(_STORE, rows[0], key=(_STORE, people[0].id))
    else:
        uow.execute_many(_STORE, rows)
