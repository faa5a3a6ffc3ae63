"""Reads one resource or a page of them, for users and groups alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select

from app.core.connection import Result, Row
from app.core.errors import NotFoundError, PreconditionFailedError
from app.core.ids import FIRST_ID, is_uuid
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.directory.profile import Stored
from app.scim.protocol.etag import matches
from app.scim.protocol.list_query import ListQuery
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.tolerances import Tolerances
from app.scim.rendering import RELATED, Answer, render
from app.scim.selection import Selection, Window
from app.scim.shelf import Shelf


class ResourceReader:
    def __init__(
        self,
        uow: UnitOfWork,
        shelf: Shelf,
        resource_type: ResourceType,
        urls: PublicUrls,
        tolerances: Tolerances,
    ) -> None:
        self._uow = uow
        self.tolerances = tolerances
        self.shelf = shelf
        self._base_url = urls.scim_base_url
        self.values = {"base_url": self._base_url, "now": uow.now}
        self.resource_type = resource_type
        self._related = RELATED[resource_type.name]

    def projection(self, attributes: str | None, excluded: str | None) -> Projection:
        return Projection.parse(self.resource_type, attributes, excluded, self.tolerances)

    def require_id(self, id_: str) -> None:
        """What is no UUID is nobody's id: 404, as for a foreign one."""
        if not is_uuid(id_):
            raise self._not_found(id_)

    def require_version(self, version: int, if_match: str | None) -> None:
        """RFC 7644 section 3.14: a client that names a version changes that version or nothing."""
        if if_match is not None and not matches(if_match, version, self.tolerances):
            raise PreconditionFailedError(
                f"The {self.shelf.noun} has changed since the version in If-Match; read it again."
            )

    def require_match(self, id_: str, if_match: str | None) -> int:
        """The version of a resource; 404 without one, 412 when it is not the client's version."""
        self.require_id(id_)
        row = self._uow.execute(self.shelf.one, {"id": id_}).first()
        if row is None:
            raise self._not_found(id_)
        self.require_version(row.version, if_match)
        version: int = row.version
        return version

    def get(self, id_: str, projection: Projection) -> Answer:
        self.require_id(id_)
        joined = self.joins(projection)
        statement = self.shelf.one_with_related if joined else self.shelf.one
        row = self._uow.execute(statement, {"id": id_, **self.values}).first()
        if row is None:
            raise self._not_found(id_)
        return self.answer(row, projection, self.related([row])[0] if joined else None)

    def related(self, rows: Sequence[Row]) -> list[str]:
        """What is joined to each of these rows, as the text of a JSON list."""
        return [row.related for row in rows]

    def answer(self, stored: Stored | Row, projection: Projection, related: str | None) -> Answer:
        """Shape what was read or just written; `related` is what `related` gave, if it is to be shown."""
        return render(stored, self.attributes(stored), self._base_url, projection, related)

    def attributes(self, stored: Stored | Row) -> str:
        """The resource's own attributes as they are shown."""
        text: str = stored.attributes
        return text

    def select(self, query: ListQuery, beside: Sequence[ResourceType] = ()) -> Selection:
        """What the query matches here, see `Selection.of`."""
        return Selection.of(self.shelf, self.resource_type, query, self.tolerances, beside)

    def joins(self, projection: Projection) -> bool:
        """Whether what is related will be shown."""
        return projection.wants(self._related)

    def execute(self, statement: Select[Any], values: Mapping[str, Any]) -> Result:
        return self._uow.execute(statement, values)

    def ids(self, selection: Selection, window: Window) -> Sequence[Row]:
        """The ids of one page, with their `sort_key` where an order was asked for."""
        return self._uow.execute(selection.within(window), self.values).all()

    def ids_of_everybody(self, window: Window) -> Sequence[Row]:
        after_id = FIRST_ID if window.after is None else window.after.id
        values = {"after_id": after_id, "page_limit": window.limit, "page_offset": window.offset}
        return self._uow.execute(self.shelf.everybody, values).all()

    def total(self, selection: Selection) -> int:
        return int(self._uow.execute(selection.count, self.values).scalar_one())

    def bodies(self, rows: Sequence[Row], projection: Projection) -> list[str]:
        joined = self.joins(projection)
        related: Sequence[str | None] = self.related(rows) if joined else [None] * len(rows)
        return [self.answer(row, projection, text).body for row, text in zip(rows, related, strict=True)]

    def bodies_by_id(self, ids: Sequence[str], projection: Projection) -> dict[str, str]:
        """The resources with these ids that are still there, ready to send."""
        if not ids:
            return {}
        statement = self.shelf.some_with_related if self.joins(projection) else self.shelf.some
        rows = self._uow.execute(statement, {"ids": list(ids), **self.values}).all()
        return dict(zip((row.id for row in rows), self.bodies(rows, projection), strict=True))

    def _not_found(self, id_: str) -> NotFoundError:
        noun = self.shelf.noun
        return NotFoundError(f"There is no {noun} with the id {id_[:80]!r}.", code=f"{noun}_not_found")
