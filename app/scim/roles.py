"""Roles as Okta discovers entitlements: a list to read, never to write.

Okta's guide "Build a SCIM 2.0 server with entitlements": of each resource type whose schema is its own
Role it calls the endpoint and takes `id`, `displayName` and `type`. Must not know what a role gives.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Text, bindparam, cast, func, literal, select

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.database import Json
from app.core.errors import NotFoundError
from app.core.ids import is_uuid
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.directory.models import roles
from app.scim.listing import list_by_cursor, list_by_index
from app.scim.page_cursors import PageCursors, Position
from app.scim.protocol.constants import ROLE
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_sql import Bindings, Column, Kind, condition
from app.scim.protocol.list_query import ListQuery
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.sort_sql import Order
from app.scim.protocol.sorting import parse_sort
from app.scim.protocol.tolerances import Tolerances
from app.scim.selection import Window

TYPE = "Role"

_ROLES = select(roles.c.id, roles.c.name, roles.c.created_at).where(roles.c.org_id == ORG_ID)
_ONE = _ROLES.where(roles.c.id == bindparam("id"))
_COUNT = select(func.count()).select_from(roles).where(roles.c.org_id == ORG_ID)
_BINDINGS = Bindings(
    # There is nothing of a role that has no column.
    document=literal({}, Json),
    columns={
        "id": Column(roles.c.id, Kind.UUID),
        "displayName": Column(roles.c.name_key),
        "type": Column(literal(fold(TYPE))),
        "schemas": Column(literal(fold(ROLE))),
        "meta.resourceType": Column(literal(TYPE)),
        "meta.location": Column(bindparam("base_url", type_=Text()) + "/Roles/" + cast(roles.c.id, Text)),
        "meta.created": Column(roles.c.created_at, Kind.INSTANT),
    },
)


class RoleResources:
    def __init__(
        self,
        uow: UnitOfWork,
        cursors: PageCursors,
        resource_type: ResourceType,
        urls: PublicUrls,
        tolerances: Tolerances,
    ) -> None:
        self._uow = uow
        self._cursors = cursors
        self._type = resource_type
        self._base_url = urls.scim_base_url
        self._tolerances = tolerances

    def get(self, role_id: str, attributes: str | None, excluded: str | None) -> str:
        row = self._uow.execute(_ONE, {"id": role_id}).first() if is_uuid(role_id) else None
        if row is None:
            raise NotFoundError(f"There is no role with the id {role_id[:80]!r}.", code="role_not_found")
        projection = Projection.parse(self._type, attributes, excluded, self._tolerances)
        return _body(row, self._base_url, projection)

    def list(self, query: ListQuery) -> str:
        """A ListResponse; filters, orders and pages as those of people and groups do."""
        listing = _Listing(self._uow, self._type, self._base_url, query, self._tolerances)
        if query.cursor is None:
            return list_by_index(listing, query)
        return list_by_cursor(listing, query, self._cursors)


class _Listing:
    name = TYPE

    def __init__(
        self,
        uow: UnitOfWork,
        resource_type: ResourceType,
        base_url: str,
        query: ListQuery,
        tolerances: Tolerances,
    ) -> None:
        self._uow = uow
        self._values = {"base_url": base_url}
        self._base_url = base_url
        self._projection = Projection.parse(
            resource_type, query.attributes, query.excluded_attributes, tolerances
        )
        self._roles, self._count, self._order = _ROLES, _COUNT, None
        if query.filter_text is not None:
            matching = condition(parse_filter(resource_type, query.filter_text, tolerances), _BINDINGS)
            self._roles, self._count = _ROLES.where(matching), _COUNT.where(matching)
        if query.sort_by is not None:
            path = parse_sort(resource_type, query.sort_by, tolerances)
            self._order = Order.of(path, query.descending, _BINDINGS)

    def rows(self, window: Window) -> Sequence[Row]:
        statement, order = self._roles, self._order
        if order is not None:
            key = order.expression
            statement = statement.add_columns(key.label("sort_key")).order_by(order.by(key))
        if window.after is not None:
            tie = roles.c.id > window.after.id
            statement = statement.where(tie if order is None else order.beyond(window.after.key, tie))
        statement = statement.order_by(roles.c.id).limit(window.limit).offset(window.offset)
        return self._uow.execute(statement, self._values).all()

    def bodies(self, rows: Sequence[Row]) -> list[str]:
        return [_body(row, self._base_url, self._projection) for row in rows]

    def position(self, row: Row) -> Position:
        return Position(row.id, None if self._order is None else row.sort_key)

    def total(self) -> int:
        return int(self._uow.execute(self._count, self._values).scalar_one())


def _body(row: Row, base_url: str, projection: Projection) -> str:
    document: dict[str, Any] = {
        "schemas": [ROLE],
        "id": row.id,
        "displayName": row.name,
        "type": TYPE,
        "meta": {
            "resourceType": TYPE,
            "created": rfc3339(row.created_at),
            "location": f"{base_url}/Roles/{row.id}",
        },
    }
    return json.dumps(projection.apply(document), ensure_ascii=False)
