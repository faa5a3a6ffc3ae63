"""Which resources of one type a query asks for and in which order, as statements.

Only ids are chosen here. Knows neither cursors' text nor what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select

from app.scim.page_cursors import Position
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_sql import condition
from app.scim.protocol.list_query import ListQuery
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.sort_sql import Order
from app.scim.protocol.sorting import parse_sort
from app.scim.protocol.tolerances import Tolerances
from app.scim.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Window:
    """A page's place: so many resources behind an index, or behind the last one of the page before."""

    limit: int
    offset: int = 0
    after: Position | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """`ids` has the column `id`, and `sort_key` where an order was asked for; `count` counts them all."""

    shelf: Shelf
    ids: Select[Any]
    count: Select[Any]
    order: Order | None

    @classmethod
    def of(
        cls,
        shelf: Shelf,
        resource_type: ResourceType,
        query: ListQuery,
        tolerances: Tolerances,
        beside: Sequence[ResourceType] = (),
    ) -> "Selection":
        """Raises `InvalidFilterError` and, for sortBy, `InvalidValueError`."""
        ids, count, order = shelf.ids, shelf.count, None
        if query.filter_text is not None:
            matching = condition(
                parse_filter(resource_type, query.filter_text, tolerances, beside), shelf.bindings
            )
            ids, count = ids.where(matching), count.where(matching)
        if query.sort_by is not None:
            path = parse_sort(resource_type, query.sort_by, tolerances, beside)
            order = Order.of(path, query.descending, shelf.bindings)
            key = order.expression
            ids = ids.add_columns(key.label("sort_key"))
            ids = ids.order_by(None).order_by(order.by(key), shelf.table.c.id)
        return cls(shelf, ids, count, order)

    def within(self, window: Window, rank: int = 0) -> Select[Any]:
        """The ids of one page; `rank` is the place of this type where several are listed."""
        ids = self.ids
        if window.after is not None:
            tie = self.shelf.table.c.id > window.after.id_within(rank)
            ids = ids.where(tie if self.order is None else self.order.beyond(window.after.key, tie))
        ids = ids.limit(window.limit)
        return ids.offset(window.offset) if window.offset else ids
