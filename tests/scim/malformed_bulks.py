"""Malformed bulk requests and operations, the same in every run: each one must be refused."""

from collections.abc import Iterator
from typing import Any

from app.scim.protocol.constants import PATCH_OP
from tests.scim.malformed import UNKNOWN, Malformed

_CHANGE = {"op": "replace", "path": "externalId", "value": "lost"}
_GOOD = {"method": "PATCH", "path": "/Users/{user}", "data": {"Operations": [_CHANGE]}}
_NEW = {"method": "POST", "path": "/Users", "bulkId": "new", "data": {"userName": "lost"}}
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x" * 2000,
    [],
    ["POST"],
    {},
    {"a": 1},
    "\U0001f600",
)


def unclear_bulks() -> Iterator[Malformed]:
    """Bulk requests that are refused as a whole; each names a change that must not happen."""
    odd_operations: tuple[Any, ...] = (None, {}, [], 5, "PATCH", True, _GOOD)
    for operations in odd_operations:
        yield Malformed("POST", "/Bulk", {"Operations": operations})
    odd_counts: tuple[Any, ...] = (True, -1, 1.5, "", "1", [], {}, -(10**20))
    for count in odd_counts:
        yield Malformed("POST", "/Bulk", {"failOnErrors": count, "Operations": [_NEW]})
    for schemas in ("urn:other", [PATCH_OP], [5], 5, {"a": 1}):
        yield Malformed("POST", "/Bulk", {"schemas": schemas, "Operations": [_NEW]})
    for other in ({**_GOOD, "bulkId": "new"}, _NEW, {"bulkId": "new"}):
        yield Malformed("POST", "/Bulk", {"Operations": [_NEW, other]})


def broken_operations() -> Iterator[Any]:
    """Operations of a bulk request, each of which must be refused alone."""
    yield from (None, True, 0, 1.5, "POST", [], [_NEW], {})
    for name in ("method", "path", "bulkId", "data"):
        for value in _ODD_VALUES:
            if (name, value) != ("bulkId", "\U0001f600"):
                yield {**_NEW, name: value}
        yield {key: value for key, value in _NEW.items() if key != name}
    for version in (True, 1.5, 7, ["1"], {"a": 1}, 'W/"99"', "nonsense"):
        yield {**_GOOD, "version": version}
    for method in ("GET", "HEAD", "OPTIONS", "PURGE", "post ", "P\u00d6ST", "\x00"):
        yield {**_GOOD, "method": method}
    for path in (
        "/",
        "Users/",
        "/Users/{user}/x",
        "/users/{user}",
        "//Users",
        "/Users?x=1",
        "/../Users",
        "/Me",
    ):
        yield {**_GOOD, "path": path}
    for path in (
        "/Bulk",
        "/.search",
        "/Schemas",
        "/ServiceProviderConfig",
        "/Users/.search",
        "http://x/Users",
    ):
        yield {**_NEW, "path": path}
    for id_ in ("x", UNKNOWN, "bulkId:", "bulkId:nobody", "bulkId:new", "%00", "\u202e", "'; DROP"):
        yield {**_GOOD, "path": f"/Groups/{id_}"}
    for reference in ("bulkId:", "bulkId:nobody", "bulkId:bulkId:new"):
        yield {**_NEW, "data": {"userName": reference}}
        yield {**_NEW, "data": {"userName": "lost", "manager": {"value": reference}}}
        yield {**_NEW, "data": {"userName": "lost", "unknown": [{"deep": [reference]}]}}
