"""Lists in pages: a signed cursor says after which item, and of which list, to go on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from app.api.tables import to_json
from app.core.cursors import Cursors
from app.core.ids import FIRST_ID
from app.web.context import service, state

Query = Mapping[str, Any]
T = TypeVar("T")

_PAGING = ("limit", "cursor")


def page_of(
    name: str,
    query: Query,
    fetch: Callable[[str, int], Sequence[T]],
    *,
    key: Callable[[T], str],
    show: Callable[[T], object],
) -> dict[str, Any]:
    """One page of the list `name`; `fetch(after, limit)` gives items in the order of `key`.

    One item more than asked for is fetched, and tells whether there is more.
    """
    limit: int = query["limit"]
    found = fetch(read_cursor(name, query, FIRST_ID), limit + 1)
    shown, has_more = found[:limit], len(found) > limit
    return {
        "data": [show(item) for item in shown],
        "has_more": has_more,
        "next_cursor": sign_cursor(name, query, key(shown[-1])) if has_more else None,
    }


def filters_of(query: Query) -> dict[str, Any]:
    return {name: value for name, value in query.items() if name not in _PAGING}


def read_cursor(name: str, query: Query, start: Any) -> Any:
    """What the cursor points after, or `start` without one; raises `InvalidCursorError`."""
    if query["cursor"] is None:
        return start
    return service(Cursors).read(query["cursor"], org_id=_org_id(), listing=_listing(name, query))


def sign_cursor(name: str, query: Query, after: Any) -> str:
    return service(Cursors).sign(org_id=_org_id(), listing=_listing(name, query), after=after)


def _listing(name: str, query: Query) -> str:
    # The filters are part of the list's name: a cursor cannot be carried to a wider list.
    filters = {key: str(value) for key, value in sorted(filters_of(query).items())}
    return f"{name}?{to_json(filters)}"


def _org_id() -> str:
    org_id = state().org_id
    if org_id is None:
        raise LookupError("A list was asked for before its organization was known.")
    return org_id
