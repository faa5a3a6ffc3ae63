"""A query to the text of a ListResponse, by index or by cursor (RFC 7644 section 3.4.2, RFC 9865).

Knows how pages follow each other; what they are pages of is the `Listing`'s business.
"""

from collections.abc import Sequence
from typing import Protocol

from app.core.connection import Row
from app.scim.page_cursors import PageCursors, Position
from app.scim.protocol.list_query import ListQuery
from app.scim.rendering import render_list
from app.scim.selection import Window


class Listing(Protocol):
    """All that one query matches, in its order."""

    @property
    def name(self) -> str:
        """What is listed, as cursors are bound to it."""

    def rows(self, window: Window) -> Sequence[Row]:
        """One row for each resource of the page."""

    def bodies(self, rows: Sequence[Row]) -> list[str]:
        """The resources of these rows, ready to send."""

    def position(self, row: Row) -> Position:
        """Where the list goes on behind this row."""

    def total(self) -> int:
        """How many resources match, on all pages."""


def list_by_index(listing: Listing, query: ListQuery) -> str:
    """RFC 7644 section 3.4.2.4."""
    skipped = query.start_index - 1
    rows = listing.rows(Window(query.count, offset=skipped)) if query.count else []
    # The count is asked for only when the page leaves it open.
    is_last = len(rows) < query.count and (bool(rows) or not skipped)
    total = skipped + len(rows) if is_last else listing.total()
    return render_list(listing.bodies(rows), total=total, start_index=query.start_index)


def list_by_cursor(listing: Listing, query: ListQuery, cursors: PageCursors) -> str:
    """RFC 9865 section 2: a `nextCursor` on every page but the last; `count` 0 asks for no page at all.

    One row more than the page holds is read, and tells whether there is a next page.
    """
    after = cursors.read(listing.name, query)
    rows = listing.rows(Window(query.count + 1, after=after)) if query.count else []
    shown, has_more = rows[: query.count], len(rows) > query.count
    is_all = bool(query.count) and after is None and not has_more
    return render_list(
        listing.bodies(shown),
        total=len(shown) if is_all else listing.total(),
        next_cursor=cursors.sign(listing.name, query, listing.position(shown[-1])) if has_more else None,
    )
