"""Malformed requests by the hundred, the same in every run: each one must be refused."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.scim.protocol.constants import ENTERPRISE_USER, MEDIA_TYPE, PATCH_OP, SEARCH_REQUEST
from app.scim.protocol.registry import Attribute, Registry

REGISTRY = Registry.load()
USERS_LIMIT, GROUPS_LIMIT = 1_048_576, 8 * 1_048_576
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Malformed:
    """One request; `{user}` and `{group}` in the path stand for ids that exist."""

    method: str
    path: str
    body: Any = None
    content_type: str | None = MEDIA_TYPE
    headers: dict[str, str] = field(default_factory=dict)


WRITES = (
    ("POST", "/Users"),
    ("PUT", "/Users/{user}"),
    ("PATCH", "/Users/{user}"),
    ("POST", "/Groups"),
    ("PUT", "/Groups/{group}"),
    ("PATCH", "/Groups/{group}"),
    ("POST", "/Bulk"),
)
_NO_JSON: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"12",
    b"{'userName': 'a'}",
    b'{"userName": "a",}',
    b'{"userName": "a"} trailing',
    b'{"userName": "a", "userName": "b", "displayName": "c", "Operations": []}',
    b'{"userName": NaN, "displayName": NaN, "Operations": NaN}',
    b'{"userName": -Infinity}',
    b'{"userName": "\\ud800", "displayName": "\\udfff", "Operations": ["\\ud800"]}',
    b'{"userName": "a\\u0000b", "displayName": "a\\u0000b", "Operations": ["\\u0000"]}',
    b'{"\\u0000": 1, "userName": "a", "displayName": "a"}',
    b'{"userName": "\xff\xfe"}',
    b"\xef\xbb\xbf{}",
    b"\x00",
    b'{"userName": 1' + b"0" * 40 + b"}",
    b'{"userName": 1e999}',
    b'{"x":' * 40 + b"1" + b"}" * 40,
    b"[" * 100_000,
    b'{"userName": "a", "x": ' + b"[" * 33 + b"]" * 33 + b"}",
)


def no_json() -> Iterator[Malformed]:
    for method, path in WRITES:
        for body in _NO_JSON:
            yield Malformed(method, path, body)


def wrong_media_types() -> Iterator[Malformed]:
    for method, path in WRITES:
        for content_type in (
            None,
            "text/plain",
            "text/xml",
            "application/x-www-form-urlencoded",
            "nonsense",
            "",
        ):
            yield Malformed(method, path, b'{"userName": "a", "displayName": "a"}', content_type)


def oversize() -> Iterator[Malformed]:
    for method, path in WRITES:
        limit = GROUPS_LIMIT if path.startswith("/Groups") else USERS_LIMIT
        yield Malformed(method, path, b'{"displayName": "' + b"x" * limit + b'"}')


def _wrong_values(attribute: Attribute) -> Iterator[Any]:
    if attribute.name == "members":
        yield from (5, "nobody", [5], [[]], [{"value": 5}], [{"x": "y"}], [{"value": UNKNOWN}], [None])
    elif attribute.multi_valued:
        yield from (5, True, [5], [True], [[[1]]], [{"value": "x"}] * 101, [{"type": {}}, 1.5])
    elif attribute.is_complex:
        yield from (5, True, 1.5, [1, 2], ["a", "b"])
    elif attribute.type == "boolean":
        yield from ("maybe", 1, 0.5, {"a": 1}, [True])
    else:
        yield from (True, 1.5, {"a": 1}, ["a"], "x" * 20_000)


def _as_requests(endpoint: str, named: dict[str, str], name: str, value: Any) -> Iterator[Malformed]:
    item = endpoint + ("/{user}" if endpoint == "/Users" else "/{group}")
    body = {**named, name: value}
    yield Malformed("POST", endpoint, body)
    yield Malformed("PUT", item, body)
    operations = [
        {"op": "add", "path": "externalId", "value": "lost"},
        {"op": "replace", "path": name, "value": value},
    ]
    yield Malformed("PATCH", item, {"schemas": [PATCH_OP], "Operations": operations})
    operations = [{"op": "Add", "value": {"externalId": "lost", name: value}}]
    yield Malformed("PATCH", item, {"schemas": [PATCH_OP], "Operations": operations})


def wrong_types() -> Iterator[Malformed]:
    for resource_type in (REGISTRY.user, REGISTRY.group):
        name = "userName" if resource_type is REGISTRY.user else "displayName"
        attributes = [*resource_type.attributes, *(a for e in resource_type.extensions for a in e.attributes)]
        for attribute in attributes:
            if attribute.is_read_only or attribute.is_never_returned or attribute.name == "schemas":
                continue
            for value in _wrong_values(attribute):
                yield from _as_requests(resource_type.endpoint, {name: "lost"}, attribute.name, value)


def wrong_parts() -> Iterator[Malformed]:
    """Wrong types one level down, where an object is right and its part is not."""
    for attribute in (*REGISTRY.user.schema.attributes, *REGISTRY.user.extensions[0].attributes):
        if attribute.is_read_only:
            continue
        for part in attribute.sub_attributes:
            if part.is_read_only:
                continue
            wrong: Any = {"a": 1} if part.type != "boolean" else "perhaps"
            value = [{part.name: wrong}] if attribute.multi_valued else {part.name: wrong}
            yield from _as_requests("/Users", {"userName": "lost"}, attribute.name, value)


_GOOD_FILTERS = (
    'userName eq "a"',
    'emails[type eq "work" and value co "x"]',
    'not (title pr) and (active eq true or name.givenName sw "A")',
    f'{ENTERPRISE_USER}:department eq "Sales"',
    'meta.lastModified gt "2026-01-01T00:00:00Z"',
)
_SPOILS = (
    lambda text, _: text.replace('"', "", 1) if '"' in text else text + '"',
    lambda text, _: text + " and",
    lambda text, _: "or " + text,
    lambda text, _: text + ")",
    lambda text, _: "(" * 11 + text + ")" * 11,
    lambda text, _: " and ".join([text] * 51),
    lambda text, _: text.replace(" eq ", " equals ").replace(" pr", " present").replace(" gt ", " > "),
    lambda text, _: "nosuch" + text,
    lambda text, _: text + ' and password eq "x"',
    lambda text, _: text + ' and name eq "x"',
    lambda text, _: text + " and active gt true",
    lambda text, _: text + ' and meta.created eq "yesterday"',
    lambda text, _: text + ' and userName eq "\\ud800"',
    lambda text, _: text + ' and userName eq "\\q"',
    lambda text, _: text + ' and userName eq "a\x00b"',
    lambda text, _: text + ' and emails[phone[type eq "x"]]',
    lambda text, _: text + " and userName eq 1",
    lambda text, _: text + " and userName gt null",
    lambda text, _: text + ' and title eq "' + "x" * 2048 + '"',
    lambda text, rng: text + " " + "".join(rng.choice("[](){}@#%&;'\\") for _ in range(8)),
    lambda text, rng: text + " " + " ".join(rng.choice(["eq", "and", "or", "pr", '"']) for _ in range(6)),
)


def garbage_filters() -> Iterator[Malformed]:
    rng = random.Random(7644)
    for endpoint in ("/Users", "/Groups"):
        for text in ("", " ", "eq", '"a"', "true", "userName", "()", "[]", "\U0001f600", "userName eq eq"):
            yield Malformed("GET", endpoint, {"filter": text})
    for text in _GOOD_FILTERS:
        for spoil in _SPOILS:
            yield Malformed("GET", "/Users", {"filter": spoil(text, rng)})


def wrong_paging() -> Iterator[Malformed]:
    for endpoint in ("/Users", "/Groups"):
        for name in ("count", "startIndex"):
            for value in ("abc", "1.5", "1e3", "0x10", "9" * 30, "1;2", "null", "\u0661", "--1", "1\x00"):
                yield Malformed("GET", endpoint, {name: value})
        for name, value in (
            *(
                ("sortBy", text)
                for text in ("nosuch", "name", "meta", "password", "addresses", "a b", "\x00")
            ),
            *(("sortBy", text) for text in (ENTERPRISE_USER, 'emails[type eq "work"]', "members.$ref")),
            *(("sortOrder", text) for text in ("up", "asc", "descending,", "\x00")),
            *(("cursor", text) for text in ("x", "a.b", "\x00", "." * 5000, "e30.e30.e30")),
        ):
            yield Malformed("GET", endpoint, {name: value})
        yield Malformed("GET", endpoint, {"cursor": "", "startIndex": "1"})
        for count in ("abc", "1001", "1.5"):
            yield Malformed("GET", endpoint, {"cursor": "", "count": count})
        yield Malformed("GET", endpoint, {"attributes": "id", "excludedAttributes": "meta"})
        yield Malformed("GET", endpoint, {"attributes": "a," * 5000})


_SEARCHED: dict[str, Any] = {"schemas": [SEARCH_REQUEST]}
_WRONG_MEMBERS: dict[str, tuple[Any, ...]] = {
    "schemas": (None, [], "urn:other", [PATCH_OP], {"a": 1}, [[SEARCH_REQUEST]], [1], 5),
    "attributes": ("userName", [1], [None], {"a": 1}, 5, [["id"]], ["a"] * 5000),
    "excludedAttributes": ("userName", [True], {"a": 1}, 5, [{"a": 1}]),
    "filter": (5, True, [], {"a": 1}, "", " ", "nosuch pr", "userName eq", "x" * 2049),
    "sortBy": (5, True, ["userName"], {"a": 1}, "nosuch", "password"),
    "sortOrder": (5, True, ["ascending"], "upwards"),
    "startIndex": ("1", 1.5, True, [], {"a": 1}, 10**30),
    "count": ("1", 1.0, False, [1], {"a": 1}, 10**30),
    "cursor": (5, True, [""], {"a": 1}, "x", "a.b"),
}


def wrong_searches() -> Iterator[Malformed]:
    for path in ("/Users/.search", "/Groups/.search", "/.search"):
        for body in (*_NO_JSON, {}):
            yield Malformed("POST", path, body)
        both = {"attributes": ["id"], "excludedAttributes": ["meta"]}
        yield Malformed("POST", path, {**_SEARCHED, **both})
        for name, values in _WRONG_MEMBERS.items():
            for value in values:
                yield Malformed("POST", path, {**_SEARCHED, name: value})
        yield Malformed("POST", path, {**_SEARCHED, "count": 1, "COUNT": 1})
        yield Malformed("POST", path, {**_SEARCHED, "cursor": "", "startIndex": 1})
        yield Malformed("POST", path, {**_SEARCHED, "cursor": "", "count": 1001})


_GOOD = {"op": "replace", "path": "externalId", "value": "lost"}
_BAD_PATHS = (
    "nosuch",
    "emails[",
    "emails[]",
    "emails[type eq]",
    'emails[type eq "work"]]',
    'emails[type eq "work"].nosuch',
    'nosuch[type eq "work"].value',
    'name[givenName eq "a"]',
    'emails[emails[type eq "x"]]',
    "id",
    "meta.created",
    "groups",
    "a.b.c",
    "urn:nothing:at:all:x",
    f"{ENTERPRISE_USER}:nosuch",
    " ",
    "\U0001f600",
    "userName eq",
    "x" * 3000,
    "members[value pr]",
    'members[display eq "a"]',
    "members.display",
)
_BAD_OPERATIONS: tuple[Any, ...] = (
    [],
    {},
    None,
    "add",
    [[]],
    [None],
    [{}],
    [{"op": "move", "path": "title", "value": "x"}],
    [{"op": 1, "path": "title", "value": "x"}],
    [{"op": "add", "path": "title"}],
    [{"op": "remove"}],
    [{"op": "replace", "value": "x"}],
    [{"op": "replace", "value": [{"title": "x"}]}],
    [{"op": "replace", "path": 5, "value": "x"}],
    [{"op": "replace", "path": ["title"], "value": "x"}],
    [_GOOD, {"op": "replace", "value": {"id": UNKNOWN}}],
    [_GOOD] * 1001,
)


def garbage_patches() -> Iterator[Malformed]:
    for item in ("/Users/{user}", "/Groups/{group}"):
        for operations in _BAD_OPERATIONS:
            yield Malformed("PATCH", item, {"schemas": [PATCH_OP], "Operations": operations})
        yield Malformed("PATCH", item, {"schemas": ["urn:other"], "Operations": [_GOOD]})
        yield Malformed("PATCH", item, {"userName": "no envelope"})
        for path in _BAD_PATHS:
            for op in ("Replace", "remove") if path != " " else ("add",):
                operation = {"op": op, "path": path, "value": [{"value": 5}]}
                yield Malformed("PATCH", item, {"schemas": [PATCH_OP], "Operations": [_GOOD, operation]})


_ODD_IDS = (
    "x",
    "0",
    "-1",
    "%00",
    "%2e%2e",
    "%ff",
    "null",
    "{user}x",
    "'%20or%201=1",
    "y" * 3000,
    "%F0%9F%98%80",
)


def odd_ids() -> Iterator[Malformed]:
    body = {"userName": "lost", "displayName": "lost", "Operations": [_GOOD]}
    for endpoint in ("/Users", "/Groups"):
        for id_ in (*_ODD_IDS, UNKNOWN, UNKNOWN.upper()[:14] + "A" + UNKNOWN[15:], "{" + UNKNOWN + "}"):
            for method in ("GET", "PUT", "PATCH", "DELETE"):
                sent = None if method in ("GET", "DELETE") else json.dumps(body)
                yield Malformed(method, f"{endpoint}/{id_}", sent)


def wrong_routes() -> Iterator[Malformed]:
    for path in ("/users", "/Users/", "/Users/{user}/x", "/Nothing", "/Schemas/x"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            yield Malformed(method, path, None if method == "GET" else b"{}")
    for method in ("PUT", "PATCH", "DELETE"):
        for path in ("/Users", "/", "", "/.search", "/Bulk"):
            yield Malformed(method, path, b"{}")
    for path in ("/.search", "/Users/.search", "/Groups/.search", "/Schemas/.search"):
        yield Malformed("GET", path)
    yield Malformed("POST", "/Groups/{group}", b"{}")
