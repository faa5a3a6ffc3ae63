"""The principal: one row for each person, which deletion and return in the IdP do not touch.

Only the directory writes `active` and `blocked`, and only here; governance writes the entitlement. Each
change raises `epoch`, so that whoever holds an older one knows to look again.
"""

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
_SET_ACCESS = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, principals.c.id == bindparam("principal_id"))
    .values(active=bindparam("is_active"), blocked=bindparam("is_blocked"), epoch=principals.c.epoch + 1)
    .returning(principals)
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
        "epoch": 1,
        "surfaces": [],
        "models": [],
        "permissions": [],
        "denied_models": [],
    }
    uow.execute(_INSERT, values)
    return user_id


def set_access(uow: UnitOfWork, principal_id: str, *, active: bool, blocked: bool) -> Row:
    """Switch the person on or off; answers the whole row as it is now, locked by the change."""
    values = {"principal_id": principal_id, "is_active": active, "is_blocked": blocked}
    return uow.execute(_SET_ACCESS, values).one()
