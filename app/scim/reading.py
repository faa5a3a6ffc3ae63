"""Reads one resource or a page of them, for users and groups alike.

A page costs two statements at most, however many resources: what is related (a user's groups, a
group's members) is joined as ready JSON text by the same statement, and only when it will be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Label, Row, Select, Table, bindparam, func, select

from app.core.errors import NotFoundError, PreconditionFailedError
from app.core.ids import is_uuid
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.directory.profile import Stored
from app.scim.protocol.etag import matches
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_sql import Bindings, condition
from app.scim.protocol.messages import ListQuery
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import ResourceType
from app.scim.rendering import RELATED, Answer, render, render_list

_COLUMNS = ("id", "attributes", "version", "created_at", "last_modified_at")


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """How one table of resources is read; `related` is the column of what is joined at read."""

    noun: str
    bindings: Bindings
    table: Table
    columns: tuple[ColumnElement[Any], ...]
    related: Label[str]
    one: Select[Any]
    one_with_related: Select[Any]
    ids: Select[Any]
    count: Select[Any]

    @classmethod
    def of(
        cls,
        table: Table,
        noun: str,
        bindings: Bindings,
        related: Label[str],
        own: Sequence[ColumnElement[Any]] = (),
    ) -> "Shelf":
        """`own` are columns that only this kind of resource has."""
        living = (table.c.org_id == ORG_ID, table.c.deleted_at.is_(None))
        columns = (*(table.c[name] for name in _COLUMNS), *own)
        one = select(*columns).where(*living, table.c.id == bindparam("id"))
        return cls(
            noun=noun,
            bindings=bindings,
            table=table,
            columns=columns,
            related=related,
            one=one,
            one_with_related=one.add_columns(related),
            ids=select(table.c.id).where(*living).order_by(table.c.id),
            count=select(func.count()).select_from(table).where(*living),
        )

    def page(self, ids: Select[Any], *, joined: bool) -> Select[Any]:
        """The resources with these ids.

        The ids are chosen first, so what is related is looked up for the page alone and not for
        every row that OFFSET passes over.
        """
        table = self.table
        chosen = ids.subquery("chosen")
        page = (
            select(*self.columns)
            .select_from(table.join(chosen, chosen.c.id == table.c.id))
            .where(table.c.org_id == ORG_ID)
            .order_by(table.c.id)
        )
        return page.add_columns(self.related) if joined else page


class ResourceReader:
    def __init__(self, uow: UnitOfWork, shelf: Shelf, resource_type: ResourceType, urls: PublicUrls) -> None:
        self._uow = uow
        self._shelf = shelf
        self._base_url = urls.scim_base_url
        self._values = {"base_url": self._base_url}
        self.resource_type = resource_type
        self._related = RELATED[resource_type.name]

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
        joined = projection.wants(self._related)
        statement = self._shelf.one_with_related if joined else self._shelf.one
        row = self._uow.execute(statement, {"id": id_, **self._values}).first()
        if row is None:
            raise self._not_found(id_)
        return self.answer(row, projection, row.related if joined else None)

    def answer(self, stored: Stored | Row[Any], projection: Projection, related: str | None) -> Answer:
        """Shape what was read or just written."""
        shown = related if projection.wants(self._related) else None
        return render(stored, self.attributes(stored), self._base_url, projection, shown)

    def attributes(self, stored: Stored | Row[Any]) -> str:
        """The resource's own attributes as they are shown."""
        text: str = stored.attributes
        return text

    def search(self, query: ListQuery) -> str:
        """A ListResponse (RFC 7644 section 3.4.2)."""
        shelf = self._shelf
        projection = self.projection(query.attributes, query.excluded_attributes)
        joined = projection.wants(self._related)
        ids, count = shelf.ids, shelf.count
        if query.filter_text is not None:
            matching = condition(parse_filter(self.resource_type, query.filter_text), shelf.bindings)
            ids, count = ids.where(matching), count.where(matching)
        rows: Sequence[Row[Any]] = []
        if query.count:
            ids = ids.limit(query.count).offset(query.start_index - 1)
            rows = self._uow.execute(shelf.page(ids, joined=joined), self._values).all()
        # The count is asked for only when the page leaves it open.
        is_last = len(rows) < query.count and (bool(rows) or query.start_index == 1)
        total = (
            query.start_index - 1 + len(rows)
            if is_last
            else self._uow.execute(count, self._values).scalar_one()
        )
        bodies = [self.answer(row, projection, row.related if joined else None).body for row in rows]
        return render_list(bodies, total=total, start_index=query.start_index)

    def _not_found(self, id_: str) -> NotFoundError:
        noun = self._shelf.noun
        return NotFoundError(f"There is no {noun} with the id {id_[:80]!r}.", code=f"{noun}_not_found")
