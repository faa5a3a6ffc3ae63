"""Cursors of SCIM lists (RFC 9865): where a page begins, for one bearer and one query only.

A cursor holds a place in the order of the list, so nothing is kept on the server for it. It must not
know statements; it is opaque text in the alphabet of RFC 3986 section 2.3.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.clock import rfc3339
from app.core.cursors import Cursors
from app.core.cursors import InvalidCursorError as ForeignCursorError
from app.core.ids import FIRST_ID, LAST_ID
from app.core.unit_of_work import UnitOfWork
from app.scim.protocol.constants import CURSOR_TIMEOUT_SECONDS
from app.scim.protocol.errors import ExpiredCursorError, InvalidCountError, InvalidCursorError
from app.scim.protocol.folding import instant
from app.scim.protocol.list_query import ListQuery


@dataclass(frozen=True, slots=True)
class Position:
    """The last resource of a page: its id, the value it was sorted by, and the rank of its type."""

    id: str
    key: Any = None
    rank: int = 0

    def id_within(self, rank: int) -> str:
        """The id behind which the resources of a type go on, where they share the key.

        Among equals the types come one after the other, and the resources of one type by id.
        """
        if rank == self.rank:
            return self.id
        return LAST_ID if rank < self.rank else FIRST_ID


class PageCursors:
    def __init__(self, uow: UnitOfWork, cursors: Cursors) -> None:
        self._uow = uow
        self._cursors = cursors

    def sign(self, listing: str, query: ListQuery, last: Position) -> str:
        expires_at = int(self._uow.now.timestamp()) + CURSOR_TIMEOUT_SECONDS
        after = [expires_at, query.count, last.rank, last.id, _to_json(last.key)]
        return self._cursors.sign(org_id=self._uow.org_id, listing=self._name(listing, query), after=after)

    def read(self, listing: str, query: ListQuery) -> Position | None:
        """Where the page begins, `None` for the beginning.

        Raises `InvalidCursorError`, `ExpiredCursorError`, `InvalidCountError` (RFC 9865 section 2.1).
        """
        if not query.cursor:
            return None
        try:
            after = self._cursors.read(
                query.cursor, org_id=self._uow.org_id, listing=self._name(listing, query)
            )
        except ForeignCursorError:
            raise InvalidCursorError(
                "The cursor was not given for this query. Repeat filter, sortBy, sortOrder and count as "
                "they were, with the same token, or start again with an empty cursor."
            ) from None
        expires_at, count, rank, id_, key = after
        if self._uow.now.timestamp() > expires_at:
            raise ExpiredCursorError(
                f"The cursor is older than {CURSOR_TIMEOUT_SECONDS} seconds; start again with an empty one."
            )
        if count != query.count:
            raise InvalidCountError(f"count was {count} on the first page and must stay so with its cursors.")
        return Position(id_, _from_json(key), rank)

    def _name(self, listing: str, query: ListQuery) -> str:
        """A digest of all that a cursor is bound to, so that it stays short whatever the filter."""
        bound = [listing, self._uow.caller.actor.id, query.filter_text, query.sort_by, query.descending]
        return "scim:" + hashlib.blake2b(json.dumps(bound).encode(), digest_size=16).hexdigest()


def _to_json(key: Any) -> Any:
    return {"instant": rfc3339(key)} if isinstance(key, datetime) else key


def _from_json(key: Any) -> Any:
    return instant(key["instant"]) if isinstance(key, dict) else key
