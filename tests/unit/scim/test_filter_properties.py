"""Properties of filters on random input: precedence, and SQL against memory."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scim2_models import EnterpriseUser, ScimFilter, User

from app.core.text import fold
from app.scim.protocol.constants import ENTERPRISE_USER
from app.scim.protocol.errors import InvalidFilterError
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_match import matches
from app.scim.protocol.filter_sql import Bindings, Column, Kind, condition
from app.scim.protocol.folding import instant, search_document
from app.scim.protocol.registry import Registry
from tests.support.tolerances import auto

USER_TYPE = Registry.load().user

# Wildcards of LIKE, quotes, both cases, a letter that folds to two, and one that can be composed.
TEXTS = st.text(alphabet="aAbB%_/\\\"'ßsé\u0301. ", max_size=4)
TYPES = st.sampled_from(["work", "Work", "home", ""])
TIMES = st.sampled_from(
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2025-12-31T23:00:00-01:00",
        "2026-06-01T12:00:00.123456Z",
    ]
)

_ELEMENTS = st.fixed_dictionaries({}, optional={"value": TEXTS, "type": TYPES, "primary": st.booleans()})

RESOURCES = st.fixed_dictionaries(
    {"userName": TEXTS, "schemas": st.lists(st.sampled_from(["urn:a", "urn:B"]), max_size=2)},
    optional={
        "externalId": TEXTS,
        "title": st.one_of(TEXTS, st.none()),
        "active": st.booleans(),
        "name": st.fixed_dictionaries({}, optional={"givenName": TEXTS, "familyName": TEXTS}),
        "emails": st.lists(_ELEMENTS, max_size=3),
        "roles": st.lists(_ELEMENTS, max_size=2),
        "meta": st.fixed_dictionaries({"created": TIMES}),
        ENTERPRISE_USER: st.fixed_dictionaries(
            {}, optional={"department": TEXTS, "manager": st.fixed_dictionaries({"value": TEXTS})}
        ),
    },
)

_TEXT_NAMES = [
    "userName",
    "externalId",
    "title",
    "name.givenName",
    "emails",
    "emails.type",
    "roles.value",
    "schemas",
    "department",
    f"{ENTERPRISE_USER}:manager",
]
_PRESENT_NAMES = [*_TEXT_NAMES, "name", "active", "meta.created", "emails.primary", ENTERPRISE_USER]
_OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
_EQUALITY = st.sampled_from(["eq", "ne"])
_ORDER = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])

Tree = tuple[Any, ...]


def _terms(texts: list[str], presents: list[str], booleans: list[str]) -> st.SearchStrategy[Tree]:
    quoted = TEXTS.map(json.dumps)
    truths = st.sampled_from(["true", "false", '"True"'])
    return st.one_of(
        st.builds("{} {} {}".format, st.sampled_from(texts), _OPERATORS, quoted),
        st.builds("{} pr".format, st.sampled_from(presents)),
        st.builds("{} {} {}".format, st.sampled_from(booleans), _EQUALITY, truths),
        st.builds("{} {} null".format, st.sampled_from(presents[:4]), _EQUALITY),
    ).map(lambda text: ("term", text))


def _combined(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    pairs = st.lists(children, min_size=2, max_size=3)
    return st.one_of(
        st.tuples(st.just("and"), pairs),
        st.tuples(st.just("or"), pairs),
        st.tuples(st.just("not"), children),
    )


_ELEMENT_TERMS = _terms(["value", "type"], ["value", "type", "value", "type", "primary"], ["primary"])
_ELEMENT_FILTERS = st.recursive(_ELEMENT_TERMS, _combined, max_leaves=3)
_TIME_TERMS = st.builds("meta.created {} {}".format, _ORDER, TIMES.map(json.dumps)).map(
    lambda text: ("term", text)
)
_VALUE_PATHS = st.tuples(st.just("path"), st.sampled_from(["emails", "roles"]), _ELEMENT_FILTERS)

TREES: st.SearchStrategy[Tree] = st.recursive(
    st.one_of(_terms(_TEXT_NAMES, _PRESENT_NAMES, ["active"]), _TIME_TERMS, _VALUE_PATHS),
    _combined,
    max_leaves=6,
)

_STRENGTH = {"or": 0, "and": 1}


def shown(tree: Tree, around: str = "or") -> str:
    """Print a tree with only the brackets that precedence needs."""
    kind = tree[0]
    if kind == "term":
        return str(tree[1])
    if kind == "not":
        return f"not ({shown(tree[1])})"
    if kind == "path":
        return f"{tree[1]}[{shown(tree[2])}]"
    text = f" {kind} ".join(shown(child, kind) for child in tree[1])
    return f"({text})" if _STRENGTH[kind] < _STRENGTH[around] else text


def bracketed(tree: Tree) -> str:
    """Print a tree with every bracket it can have."""
    kind = tree[0]
    if kind == "term":
        return f"({tree[1]})"
    if kind == "not":
        return f"(not ({bracketed(tree[1])}))"
    if kind == "path":
        return f"({tree[1]}[{bracketed(tree[2])}])"
    return "(" + f" {kind} ".join(bracketed(child) for child in tree[1]) + ")"


METADATA = sa.MetaData()
USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("user_name_key", sa.String),
    sa.Column("external_id", sa.String),
    sa.Column("active", sa.Boolean),
    sa.Column("created", sa.DateTime),
    sa.Column("search", sa.JSON),
)
DOCUMENT_ONLY = Bindings(USERS.c.search)
WITH_COLUMNS = Bindings(
    USERS.c.search,
    {
        "userName": Column(USERS.c.user_name_key),
        "externalId": Column(USERS.c.external_id),
        "active": Column(USERS.c.active, Kind.BOOLEAN),
        "meta.created": Column(sa.type_coerce(USERS.c.created, sa.DateTime), Kind.INSTANT),
    },
)


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def row(number: int, resource: dict[str, Any]) -> dict[str, Any]:
    created = instant(resource.get("meta", {}).get("created", ""))
    return {
        "number": number,
        "user_name_key": fold(resource["userName"]) or None,
        "external_id": resource.get("externalId") or None,
        "active": resource.get("active"),
        "created": created and created.replace(tzinfo=None),
        "search": search_document(USER_TYPE, resource),
    }


@settings(max_examples=200, deadline=None)
@given(tree=TREES, resources=st.lists(RESOURCES, min_size=1, max_size=8))
def test_sql_selects_exactly_what_matches_in_memory(
    connection: sa.Connection, tree: Tree, resources: list[dict[str, Any]]
) -> None:
    node = parse_filter(USER_TYPE, shown(tree), auto())
    rows = [row(number, resource) for number, resource in enumerate(resources)]
    expected = {entry["number"] for entry in rows if matches(node, entry["search"])}
    with connection.begin() as transaction:
        connection.execute(sa.insert(USERS), rows)
        for bindings in (DOCUMENT_ONLY, WITH_COLUMNS):
            where = condition(node, bindings)
            assert set(connection.scalars(sa.select(USERS.c.number).where(where))) == expected
            nulls = sa.select(sa.func.count()).select_from(USERS).where(where.is_(None))
            assert connection.scalar(nulls) == 0
        transaction.rollback()


@settings(max_examples=200, deadline=None)
@given(tree=TREES, resource=RESOURCES)
def test_needless_brackets_change_nothing(tree: Tree, resource: dict[str, Any]) -> None:
    document = search_document(USER_TYPE, resource)
    short = shown(tree)
    try:
        full = parse_filter(USER_TYPE, bracketed(tree), auto())
    except InvalidFilterError as error:
        assume("nests deeper" not in error.detail)
        raise
    assert matches(parse_filter(USER_TYPE, short, auto()), document) == matches(full, document)


# Only terms on which both agree by definition: scim2-models compares empty text and null its own way.
_ORACLE_TERMS = st.builds(
    '{} eq "{}"'.format, st.sampled_from(["userName", "title", "nickName"]), st.sampled_from("ab")
).map(lambda text: ("term", text))
_ORACLE_TREES: st.SearchStrategy[Tree] = st.recursive(
    _ORACLE_TERMS,
    lambda children: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(children, min_size=2, max_size=3)),
        st.tuples(st.just("not"), children),
    ),
    max_leaves=8,
)


@pytest.mark.scim("rfc/14")
@settings(max_examples=200, deadline=None)
@given(tree=_ORACLE_TREES, values=st.tuples(*[st.sampled_from("ab")] * 3))
def test_scim2_models_groups_filters_alike(tree: Tree, values: tuple[str, str, str]) -> None:
    text = shown(tree)
    names = dict(zip(("userName", "title", "nickName"), values, strict=True))
    model = User[EnterpriseUser](user_name=values[0], title=values[1], nick_name=values[2])
    ours = matches(parse_filter(USER_TYPE, text, auto()), search_document(USER_TYPE, names))
    assert ours == ScimFilter[User[EnterpriseUser]](text).match(model)
