"""Reads one resource or a page of them, for users and groups alike.

A page costs two statements at most, however many resources: what is related (a user's groups, a
group's members) is joined as ready JSON text by the same statement, and only when it will be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Label, Row, Select, Table, bindparam, func, select

from app.core.errors import NotFoundError, PreconditionFailedError
from app.core.ids import is_uuid
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.scim.protocol.etag import matches
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_sql import Bindings, condition
from app.scim.protocol.messages import ListQuery
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import ResourceType
from app.scim.rendering import Answer, render, render_list

_COLUMNS = ("id", "attributes", "version", "created_at", "last_modified_at")


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """The statements that read one table of resources; `related` names the joined attribute."""

    noun: str
    related: str
    bindings: Bindings
    rows: Select[Any]
    rows_with_related: Select[Any]
    one: Select[Any]
    one_with_related: Select[Any]
    count: Select[Any]

    @classmethod
    def of(cls, table: Table, noun: str, bindings: Bindings, related: Label[str]) -> "Shelf":
        living = (table.c.org_id == ORG_ID, table.c.deleted_at.is_(None))
        rows = select(*(table.c[name] for name in _COLUMNS)).where(*living).order_by(table.c.id)
        rows_with_related = rows.add_columns(related)
        this = table.c.id == bindparam("id")
        return cls(
            noun=noun,
            related=related.name,
            bindings=bindings,
            rows=rows,
            rows_with_related=rows_with_related,
            one=rows.where(this),
            one_with_related=rows_with_related.where(this),
            count=select(func.count()).select_from(table).where(*living),
        )


class ResourceReader:
    def __init__(self, uow: UnitOfWork, shelf: Shelf, resource_type: ResourceType, urls: PublicUrls) -> None:
        self._uow = uow
        self._shelf = shelf
        self._base_url = urls.scim_base_url
        self._values = {"base_url": self._base_url}
        self.resource_type = resource_type

    def projection(self, attributes: str | None, excluded: str | None) -> Projection:
        return Projection.parse(self.resource_type, attributes, excluded)

    def require_id(self, id_: str) -> None:
        """What is no UUID is nobody's id: 404, as for a foreign one."""
        if not is_uuid(id_):
            raise self._not_found(id_)

    def require_version(self, version: int, if_match: str | None) -> None:
        """RFC 7644 section 3.14: a client that names a version changes that version or nothing."""
        if if_match is not None and not matches(if_match, version):
            raise PreconditionFailedError(
                f"The {self._shelf.noun} has changed since the version in If-Match; read it again."
            )

    def get(self, id_: str, projection: Projection) -> Answer:
        self.require_id(id_)
        joined = projection.wants(self._shelf.related)
        statement = self._shelf.one_with_related if joined else self._shelf.one
        row = self._uow.execute(statement, {"id": id_, **self._values}).first()
        if row is None:
            raise self._not_found(id_)
        return render(row, self._base_url, projection)

    def search(self, query: ListQuery) -> str:
        """A ListResponse (RFC 7644 section 3.4.2)."""
        shelf = self._shelf
        projection = self.projection(query.attributes, query.excluded_attributes)
        joined = projection.wants(shelf.related)
        page = shelf.rows_with_related if joined else shelf.rows
        count = shelf.count
        if query.filter_text is not None:
            matching = condition(parse_filter(self.resource_type, query.filter_text), shelf.bindings)
            page, count = page.where(matching), count.where(matching)
        rows = self._page(page, query)
        # The count is asked for only when the page leaves it open.
        is_last = len(rows) < query.count and (bool(rows) or query.start_index == 1)
        total = (
            query.start_index - 1 + len(rows)
            if is_last
            else self._uow.execute(count, self._values).scalar_one()
        )
        bodies = [render(row, self._base_url, projection).body for row in rows]
        return render_list(bodies, total=total, start_index=query.start_index)

    def _page(self, page: Select[Any], query: ListQuery) -> Sequence[Row[Any]]:
        if query.count == 0:
            return []
        return self._uow.execute(page.limit(query.count).offset(query.start_index - 1), self._values).all()

    def _not_found(self, id_: str) -> NotFoundError:
        noun = self._shelf.noun
        return NotFoundError(f"There is no {noun} with the id {id_[:80]!r}.", code=f"{noun}_not_found")
