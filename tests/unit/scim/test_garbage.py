"""Garbage filters, paths and bodies: always our own 400, never anything else."""

from contextlib import suppress
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.scim.protocol.errors import ScimError
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.folding import search_document
from app.scim.protocol.normalize import normalize
from app.scim.protocol.patch import apply, parse_operations
from app.scim.protocol.path import parse_patch_path
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import Registry
from tests.support.tolerances import auto

REGISTRY = Registry.load()

_WORDS = ["userName", "emails", "members", "name.givenName", "urn:a:b:", "type", "schemas", "id", "$ref"]
_SIGNS = ["[", "]", "(", ")", ".", ".value", "eq", "ne", "pr", "and", "or", "not", "true", "null"]
_ODDITIES = ['"x"', '"\\"', "1", "-1.5", ":", "\x00", "é", "\ud800"]
_PIECES = st.sampled_from([*_WORDS, *_SIGNS, *_ODDITIES])
_GARBAGE = st.one_of(
    st.lists(_PIECES, max_size=12).map(" ".join), st.lists(_PIECES, max_size=8).map("".join), st.text()
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), _GARBAGE),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(_GARBAGE, children, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    [
        "userName",
        "name",
        "emails",
        "active",
        "manager",
        "roles",
        "members",
        "id",
        "schemas",
        "password",
        "nosuch",
    ]
)
_PATHS = st.one_of(
    _GARBAGE,
    _NAMES,
    st.builds("{}.{}".format, _NAMES, st.sampled_from(["value", "type", "givenName", "primary", "$ref"])),
    st.builds(
        '{}[{} {} "x"].{}'.format, _NAMES, _NAMES, st.sampled_from(["eq", "ne", "or"]), st.just("value")
    ),
    st.builds('{}[type eq "{}"]'.format, _NAMES, st.sampled_from(["work", "home"])),
)
_OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "remove", "move"])},
    optional={
        "path": st.one_of(_PATHS, st.none()),
        "value": st.one_of(_JSON, st.dictionaries(_PATHS, _JSON, max_size=3)),
    },
)


@settings(max_examples=500, deadline=None)
@given(text=_GARBAGE)
@example(text="emails[" * 60)
@example(text="not " * 400)
def test_garbage_filters_and_paths_raise_only_our_errors(text: str) -> None:
    for resource_type in REGISTRY.resource_types:
        for read in (parse_filter, parse_patch_path):
            # Anything else than our own errors fails the test.
            with suppress(ScimError):
                read(resource_type, text, auto())
        Projection.parse(resource_type, text, None, auto()).apply({"id": "1"})


@settings(max_examples=500, deadline=None)
@given(operations=st.lists(_OPERATIONS, min_size=1, max_size=4), body=_JSON)
def test_garbage_bodies_raise_only_our_errors(operations: list[dict[str, Any]], body: Any) -> None:
    before: dict[str, Any] = {"userName": "a", "displayName": "a", "emails": [{"value": "a", "type": "work"}]}
    for resource_type in REGISTRY.resource_types:
        known = normalize(resource_type, before, auto())
        for attempt in ({"Operations": operations}, body):
            try:
                patched = apply(
                    resource_type, parse_operations(attempt, auto()), known, auto(), resource_id="1"
                )
            except ScimError:
                continue
            # What PATCH lets through is a resource that a PUT would store unchanged.
            assert normalize(resource_type, patched.attributes, auto()) == patched.attributes
        with suppress(ScimError):
            search_document(resource_type, normalize(resource_type, body, auto()))
