"""Who already has, or had, the name of somebody who is about to be written.

A living namesake refuses a create; a tombstone that still owns its principal hands it over.
"""

from sqlalchemy import and_, bindparam, select, union_all

from app.core.connection import Row
from app.core.errors import ConflictError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals, users
from app.directory.people import WITH_PRINCIPAL
from app.directory.profile import Profile

# Three parts, because a database finds each by its own index and none by an OR of them all.
_namesakes = select(
    users.c.id, users.c.principal_id, users.c.deleted_at, principals.c.blocked, principals.c.jit_signed_in_at
).select_from(WITH_PRINCIPAL)
_is_name = users.c.user_name_key == bindparam("key")
_is_heritable = and_(users.c.deleted_at.is_not(None), principals.c.user_id == users.c.id)
_NAMESAKES = union_all(
    _namesakes.where(users.c.org_id == ORG_ID, _is_name, users.c.deleted_at.is_(None)),
    _namesakes.where(users.c.org_id == ORG_ID, _is_name, _is_heritable),
    _namesakes.where(
        users.c.org_id == ORG_ID, users.c.external_id == bindparam("external_id"), _is_heritable
    ),
)
_LIVING_NAMESAKE = select(users.c.id).where(
    users.c.org_id == ORG_ID, users.c.user_name_key == bindparam("key"), users.c.deleted_at.is_(None)
)


def find(uow: UnitOfWork, profile: Profile) -> tuple[Row | None, Row | None]:
    """The living namesake, and of the tombstones that could be this person the one deleted last."""
    values = {"key": profile.user_name_key, "external_id": profile.external_id}
    rows = uow.execute(_NAMESAKES, values).all()
    living = next((row for row in rows if row.deleted_at is None), None)
    gone = [row for row in rows if row.deleted_at is not None]
    return living, max(gone, key=lambda row: row.deleted_at, default=None)


def refuse(uow: UnitOfWork, profile: Profile) -> None:
    """Raise `ConflictError` when a living person has the name."""
    if uow.execute(_LIVING_NAMESAKE, {"key": profile.user_name_key}).first() is not None:
        raise name_taken(profile)


def name_taken(profile: Profile) -> ConflictError:
    return ConflictError(
        f"A user with the userName {profile.user_name!r} exists already. "
        "Update or reactivate that user instead.",
        code="user_name_taken",
    )
