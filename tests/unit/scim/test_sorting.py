"""sortBy to a path and to SQL, and names that only another type knows."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from app.scim.protocol.attribute_path import resolve
from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, USER
from app.scim.protocol.errors import InvalidPathError, InvalidValueError
from app.scim.protocol.filter_sql import Bindings, Column, Kind
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.sort_sql import Order
from app.scim.protocol.sorting import parse_sort
from tests.support.tolerances import auto

POSTGRESQL = sa.make_url("postgresql+psycopg://").get_dialect()()
TABLE = sa.Table(
    "people",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("active", sa.Boolean),
    sa.Column("search", sa.JSON),
)
BINDINGS = Bindings(TABLE.c.search, {"active": Column(TABLE.c.active, Kind.BOOLEAN)})
PEOPLE: Sequence[dict[str, Any]] = (
    {"active": True, "search": {"title": "b", "emails": [{"value": "z"}, {"value": "a", "primary": True}]}},
    {"active": None, "search": {}},
    {"active": False, "search": {"title": "a", "emails": [{"value": "m"}, {"value": "b", "primary": False}]}},
    {"active": False, "search": {"title": "b", "emails": [{"type": "work"}], "schemas": ["y", "a"]}},
    {"active": True, "search": {"title": "é", "emails": [{"value": "c"}], "schemas": ["x"]}},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USERNAME", "userName"),
        (f"{USER}:name.familyName", "name.familyName"),
        ("emails", "emails.value"),
        ("emails.type", "emails.type"),
        ("manager", f"{ENTERPRISE_USER}:manager.value"),
        ("department", f"{ENTERPRISE_USER}:department"),
        ("meta.created", "meta.created"),
        ("schemas", "schemas"),
    ],
)
def test_sort_by_names_an_attribute_or_its_value(user_type: ResourceType, text: str, expected: str) -> None:
    assert str(parse_sort(user_type, text, auto())) == expected


@pytest.mark.parametrize(
    "text", ["nosuch", "name", "meta", "addresses", "password", ENTERPRISE_USER, "", "a.b.c"]
)
def test_what_has_no_order_is_an_invalid_value(user_type: ResourceType, text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_sort(user_type, text, auto())


def ordered(user_type: ResourceType, text: str, *, descending: bool) -> list[list[int]]:
    """The ids in order, and then the rest behind each of them, as the keyset condition finds it."""
    engine = sa.create_engine("sqlite://")
    TABLE.create(engine)
    order = Order.of(parse_sort(user_type, text, auto()), descending, BINDINGS)
    key = order.expression.label("key")
    with engine.connect() as connection:
        connection.execute(sa.insert(TABLE), [{"id": i, **person} for i, person in enumerate(PEOPLE)])
        statement = sa.select(TABLE.c.id, key).order_by(order.by(order.expression), TABLE.c.id)
        rows = connection.execute(statement).all()
        found = [[row.id for row in rows]]
        for row in rows:
            rest = statement.where(order.beyond(row.key, TABLE.c.id > row.id))
            found.append([left.id for left in connection.execute(rest)])
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("text", "descending", "expected"),
    [
        ("title", False, [2, 0, 3, 4, 1]),
        ("title", True, [1, 4, 0, 3, 2]),
        ("emails", False, [0, 4, 2, 1, 3]),
        ("emails", True, [1, 3, 2, 4, 0]),
        ("emails.primary", False, [0, 1, 2, 3, 4]),
        ("emails.primary", True, [1, 2, 3, 4, 0]),
        ("schemas", False, [4, 3, 0, 1, 2]),
        ("active", False, [2, 3, 0, 4, 1]),
        ("active", True, [1, 0, 4, 2, 3]),
        ("nickName", False, [0, 1, 2, 3, 4]),
        ("nickName", True, [0, 1, 2, 3, 4]),
    ],
)
def test_a_page_begins_where_the_one_before_it_ended(
    user_type: ResourceType, text: str, descending: bool, expected: list[int]
) -> None:
    whole, *rests = ordered(user_type, text, descending=descending)
    assert whole == expected
    assert rests == [expected[place + 1 :] for place in range(len(expected))]


def test_text_is_ordered_by_code_point_on_postgresql(user_type: ResourceType) -> None:
    order = Order.of(parse_sort(user_type, "title", auto()), False, BINDINGS)
    for part in (order.by(order.expression), order.beyond("x", TABLE.c.id > 1)):
        assert 'COLLATE "C"' in str(part.compile(dialect=POSTGRESQL))


def test_what_another_type_knows_is_an_attribute_without_a_value(
    user_type: ResourceType, group_type: ResourceType
) -> None:
    own = resolve(user_type, "displayName", auto(), [group_type])
    assert own.keys == ("displayName",)
    assert resolve(user_type, "members.value", auto(), [group_type]).keys == (GROUP, "members", "value")
    assert resolve(user_type, f"{GROUP}:displayName", auto(), [group_type]).keys == (GROUP, "displayName")
    assert resolve(group_type, "department", auto(), [user_type]).keys == (ENTERPRISE_USER, "department")
    with pytest.raises(InvalidPathError, match="of User or Group"):
        resolve(user_type, "nosuch", auto(), [group_type])
