"""Every order that the mappings ever had: who stored it and when. Nothing here is ever changed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.errors import NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.governance.models import group_mapping_versions
from app.governance.resolver import GroupMapping

_INSERT = insert(group_mapping_versions)
_mine = group_mapping_versions.c.org_id == ORG_ID
_ONE = select(group_mapping_versions).where(_mine, group_mapping_versions.c.version == bindparam("version"))
_NEWEST = (
    select(group_mapping_versions)
    .where(_mine, group_mapping_versions.c.version < bindparam("below"))
    .order_by(group_mapping_versions.c.version.desc())
    .limit(bindparam("count"))
)


class MappingVersions:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def keep(self, version: int, order: Sequence[GroupMapping]) -> None:
        uow = self._uow
        values = {
            "version": version,
            "id": uow.ids.new(),
            "mappings": [mapping_dict(mapping) for mapping in order],
            "actor_type": uow.caller.actor.type,
            "actor_id": uow.caller.actor.id,
            "created_at": uow.now,
        }
        uow.write(_INSERT, values)

    def get(self, version: int) -> Row:
        row = self._uow.execute(_ONE, {"version": version}).first()
        if row is None:
            raise NotFoundError(
                f"The mappings never had a version {version}.", code="group_mapping_version_not_found"
            )
        return row

    def page(self, *, below: int, limit: int) -> Sequence[Row]:
        """Up to `limit` versions below one, newest first."""
        return self._uow.execute(_NEWEST, {"below": below, "count": limit}).all()


def mapping_dict(mapping: GroupMapping) -> dict[str, Any]:
    """A mapping as it is stored in versions and in the audit log, ids bare, times as RFC 3339."""
    return {
        "id": mapping.id,
        "position": mapping.position,
        "group_id": mapping.group_id,
        "role_id": mapping.role_id,
        "seat_on": mapping.seat_on,
        "effective_at": None if mapping.effective_at is None else rfc3339(mapping.effective_at),
        "expires_at": None if mapping.expires_at is None else rfc3339(mapping.expires_at),
    }
