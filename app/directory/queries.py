"""Reads of people and groups that more than one part needs; keyset order, bounded pages."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, exists, select

from app.core.batches import batches
from app.core.connection import Row
from app.core.errors import NotFoundError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import groups, memberships, principals, users
from app.directory.principals import SEAT_STATE_NOW, as_of

_PEOPLE = (
    select(
        users.c.id,
        users.c.user_name,
        users.c.external_id,
        users.c.display_name,
        users.c.email,
        users.c.created_at,
        users.c.last_modified_at,
        principals.c.id.label("principal_id"),
        principals.c.active,
        principals.c.blocked,
        principals.c.epoch,
        principals.c.seat_state,
        principals.c.role_id,
        principals.c.surfaces,
        principals.c.models,
        principals.c.permissions,
        principals.c.lapses_at,
    )
    .select_from(
        users.join(
            principals,
            and_(principals.c.org_id == users.c.org_id, principals.c.id == users.c.principal_id),
        )
    )
    .where(users.c.org_id == ORG_ID, users.c.deleted_at.is_(None))
)
_PERSON = _PEOPLE.where(users.c.id == bindparam("id"))
_FILTERS = {
    "user_name": users.c.user_name_key == bindparam("user_name"),
    "email": users.c.email_key == bindparam("email"),
    "seat_state": bindparam("seat_state") == SEAT_STATE_NOW,
    "group_id": exists().where(
        memberships.c.org_id == ORG_ID,
        memberships.c.group_id == bindparam("group_id"),
        memberships.c.user_id == users.c.id,
    ),
}
_GROUPS = select(groups).where(groups.c.org_id == ORG_ID, groups.c.deleted_at.is_(None))
_GROUP = _GROUPS.where(groups.c.id == bindparam("id"))
_GROUP_BY_NAME = _GROUPS.where(groups.c.display_name_key == bindparam("key"))
_LIVING = tuple(
    select(table.c.id).where(
        table.c.org_id == ORG_ID, is_one_of(table.c.id, "ids"), table.c.deleted_at.is_(None)
    )
    for table in (users, groups)
)


class DirectoryQueries:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def person(self, user_id: str) -> Row:
        """A living user joined with their principal; raises `NotFoundError`."""
        row = self._uow.execute(_PERSON, {"id": user_id}).first()
        if row is None:
            raise NotFoundError(f"There is no user with the id {user_id!r}.", code="user_not_found")
        return as_of(row, self._uow.now)

    def person_by_user_name(self, user_name: str) -> Row:
        rows = self.people(after="", limit=1, filters={"user_name": user_name})
        if not rows:
            raise NotFoundError(f"There is no user with the userName {user_name!r}.", code="user_not_found")
        return rows[0]

    def people(self, *, after: str, limit: int, filters: Mapping[str, str]) -> Sequence[Row]:
        """Up to `limit` people with an id above `after`; names and addresses match folded."""
        values: dict[str, Any] = {
            name: fold(value) if name in ("user_name", "email") else value for name, value in filters.items()
        }
        statement = _PEOPLE.where(*(_FILTERS[name] for name in filters)).order_by(users.c.id).limit(limit)
        if after:
            statement = statement.where(users.c.id > bindparam("after"))
            values["after"] = after
        if "seat_state" in filters:
            values["now"] = self._uow.now
        return [as_of(row, self._uow.now) for row in self._uow.execute(statement, values)]

    def group(self, group_id: str) -> Row:
        row = self._uow.execute(_GROUP, {"id": group_id}).first()
        if row is None:
            raise NotFoundError(f"There is no group with the id {group_id!r}.", code="group_not_found")
        return row

    def group_by_display_name(self, display_name: str) -> Row:
        row = self._uow.execute(_GROUP_BY_NAME, {"key": fold(display_name)}).first()
        if row is None:
            raise NotFoundError(
                f"There is no group with the displayName {display_name!r}.", code="group_not_found"
            )
        return row

    def groups(self, *, after: str, limit: int) -> Sequence[Row]:
        statement = _GROUPS.order_by(groups.c.id).limit(limit)
        if after:
            statement = statement.where(groups.c.id > bindparam("after"))
        return self._uow.execute(statement, {"after": after} if after else {}).all()

    def living(self, ids: Collection[str]) -> set[str]:
        """Those of the ids that are a user's or a group's here."""
        found: set[str] = set()
        for batch in batches(sorted(ids)):
            for statement in _LIVING:
                found.update(self._uow.execute(statement, {"ids": list(batch)}).scalars())
        return found
