"""Lists of users, of groups, and of both at once (RFC 7644 sections 3.4.2 and 3.4.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, select, union_all

from app.core.connection import Row
from app.core.unit_of_work import UnitOfWork
from app.scim.listing import Listing, list_by_cursor, list_by_index
from app.scim.look_up import LookUp
from app.scim.milestones import Milestones
from app.scim.page_cursors import PageCursors, Position
from app.scim.protocol.list_query import ListQuery
from app.scim.reading import ResourceReader
from app.scim.selection import Window


class SearchService:
    """`readers` stand in the order in which a search over all types lists them."""

    def __init__(
        self,
        uow: UnitOfWork,
        cursors: PageCursors,
        readers: Sequence[ResourceReader],
        milestones: Milestones,
    ) -> None:
        self._uow = uow
        self._milestones = milestones
        self._cursors = cursors
        self._readers = readers

    def within(self, reader: ResourceReader, query: ListQuery) -> str:
        """A ListResponse over one type; raises `ScimError` for what cannot be answered exactly."""
        return self._answer(LookUp.of(reader, query) or _OneType(reader, query, self._milestones), query)

    def everywhere(self, query: ListQuery) -> str:
        """A ListResponse over all types (RFC 7644 section 3.4.2.1)."""
        return self._answer(_AllTypes(self._uow, self._readers, query), query)

    def _answer(self, listing: Listing, query: ListQuery) -> str:
        if query.cursor is None:
            return list_by_index(listing, query)
        return list_by_cursor(listing, query, self._cursors)


def _in_order(rows: Sequence[Row], found: Mapping[str, str]) -> list[str]:
    """What was deleted since its id was chosen is not there any more."""
    return [found[row.id] for row in rows if row.id in found]


class _OneType:
    """Three statements at most: the ids, the resources with these, the total."""

    def __init__(self, reader: ResourceReader, query: ListQuery, milestones: Milestones) -> None:
        self.name = reader.resource_type.name
        self._reader = reader
        self._projection = reader.projection(query.attributes, query.excluded_attributes)
        self._selection = reader.select(query)
        self._milestones = milestones
        self._is_everybody = query.filter_text is None and query.sort_by is None
        self._known = milestones.of(reader.shelf) if self._is_everybody else None

    def rows(self, window: Window) -> Sequence[Row]:
        if not self._is_everybody:
            return self._reader.ids(self._selection, window)
        near = window if self._known is None else self._known.within(window)
        return [] if near is None else self._reader.ids_of_everybody(near)

    def bodies(self, rows: Sequence[Row]) -> list[str]:
        return _in_order(rows, self._reader.bodies_by_id([row.id for row in rows], self._projection))

    def position(self, row: Row) -> Position:
        return Position(row.id, None if self._selection.order is None else row.sort_key)

    def total(self) -> int:
        if self._known is not None:
            return self._known.total
        total = self._reader.total(self._selection)
        if self._is_everybody:
            self._milestones.counted(self._reader.shelf, total)
        return total


class _AllTypes:
    """One statement chooses ids among all types, then each type with some of them reads these.

    Four statements at most, with two types: the ids, the resources of each, the total.
    """

    name = "all"

    def __init__(self, uow: UnitOfWork, readers: Sequence[ResourceReader], query: ListQuery) -> None:
        self._uow = uow
        self._readers = readers
        self._projections = [
            reader.projection(query.attributes, query.excluded_attributes) for reader in readers
        ]
        types = [reader.resource_type for reader in readers]
        self._selections = [
            reader.select(query, [other for other in types if other is not reader.resource_type])
            for reader in readers
        ]
        self._order = self._selections[0].order

    def rows(self, window: Window) -> Sequence[Row]:
        # Each type contributes as many as the page can need of it, by its own index.
        reach = Window(window.limit + window.offset, after=window.after)
        parts = [
            self._ranked(selection.within(reach, rank), rank)
            for rank, selection in enumerate(self._selections)
        ]
        found = union_all(*parts).subquery("found")
        statement = select(found).limit(window.limit)
        if self._order is not None:
            statement = statement.order_by(self._order.by(found.c.sort_key))
        statement = statement.order_by(found.c.rank, found.c.id)
        if window.offset:
            statement = statement.offset(window.offset)
        return self._uow.execute(statement, self._readers[0].values).all()

    def _ranked(self, ids: Select[Any], rank: int) -> Select[Any]:
        chosen = ids.subquery(f"chosen_{rank}")
        return select(literal(rank).label("rank"), *chosen.c)

    def bodies(self, rows: Sequence[Row]) -> list[str]:
        found: dict[str, str] = {}
        for rank, (reader, projection) in enumerate(zip(self._readers, self._projections, strict=True)):
            ids = [row.id for row in rows if row.rank == rank]
            found.update(reader.bodies_by_id(ids, projection))
        return _in_order(rows, found)

    def position(self, row: Row) -> Position:
        return Position(row.id, None if self._order is None else row.sort_key, row.rank)

    def total(self) -> int:
        counts = [selection.count.scalar_subquery() for selection in self._selections]
        total: ColumnElement[int] = counts[0]
        for count in counts[1:]:
            total = total + count
        return int(self._uow.execute(select(total), self._readers[0].values).scalar_one())
