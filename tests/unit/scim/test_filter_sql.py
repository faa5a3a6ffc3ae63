"""Filters in SQL where values live in columns and in other tables."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.scim.protocol.constants import ENTERPRISE_USER
from app.scim.protocol.errors import InvalidFilterError
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_sql import Bindings, Column, Kind, Relation, condition
from app.scim.protocol.registry import ResourceType
from tests.support.tolerances import auto

A = "0197c0de-0000-7000-8000-00000000000a"
B = "0197c0de-0000-7000-8000-00000000000b"
POSTGRESQL = sa.make_url("postgresql+psycopg://").get_dialect()()
METADATA = sa.MetaData()
GROUPS = sa.Table(
    "groups",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("external_id", sa.String),
    sa.Column("search", sa.JSON),
)
MEMBERSHIPS = sa.Table(
    "memberships",
    METADATA,
    sa.Column("group_id", sa.String(36)),
    sa.Column("user_id", sa.String(36)),
    sa.Column("display", sa.String),
)
BINDINGS = Bindings(
    GROUPS.c.search,
    {"id": Column(GROUPS.c.id, Kind.UUID), "externalId": Column(GROUPS.c.external_id)},
    {
        "members": Relation(
            {
                "value": Column(MEMBERSHIPS.c.user_id, Kind.UUID),
                "display": Column(MEMBERSHIPS.c.display),
                "type": Column(sa.literal("user")),
            },
            lambda terms: sa.exists().where(MEMBERSHIPS.c.group_id == GROUPS.c.id, terms),
            lambda value: (
                sa.select(sa.func.min(value)).where(MEMBERSHIPS.c.group_id == GROUPS.c.id).scalar_subquery()
            ),
        )
    },
)


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as opened:
        groups = [{"id": A, "external_id": "X%y", "search": {"displayName": "team"}}, {"id": B, "search": {}}]
        opened.execute(sa.insert(GROUPS), [{"external_id": None, **group} for group in groups])
        members = [
            {"group_id": A, "user_id": A, "display": "anna"},
            {"group_id": A, "user_id": B, "display": "bert"},
        ]
        opened.execute(sa.insert(MEMBERSHIPS), members)
        yield opened
    engine.dispose()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'id eq "{A}"', "a"),
        (f'id ne "{A}"', "b"),
        (f'id eq "{A.upper()}"', ""),
        ('id eq "not a uuid"', ""),
        ('id ne "not a uuid"', "ab"),
        ('not (id eq "not a uuid")', "ab"),
        ('id sw "0197c0de" and id gt "0197c0de-0000-7000-8000-00000000000a"', "b"),
        (f'members eq "{A}"', "a"),
        (f'members.value eq "{A}" and members eq "{B}"', "a"),
        (f'members[value eq "{A}" and display eq "Anna"]', "a"),
        (f'members[value eq "{A}" and display eq "Bert"]', ""),
        ('members[type eq "User" and not (display sw "a")]', "a"),
        (f'members ne "{A}"', "b"),
        ('members eq "nobody"', ""),
        ("members pr", "a"),
        ("not (members pr)", "b"),
        (f'id eq "{A}" and members eq "{B}"', "a"),
        ('externalId co "%"', "a"),
        ('externalId co "x"', ""),
        ('externalId sw "X" and externalId ew "y"', "a"),
        ('externalId ew "Y" or externalId sw "x" or externalId ew "XX%y"', ""),
        ('externalId co ""', "a"),
        ("externalId pr", "a"),
        ("externalId eq null", "b"),
        ('displayName co "EA"', "a"),
        ('displayName co "_"', ""),
        ('displayName ne "team"', "b"),
    ],
)
def test_conditions_select(
    connection: sa.Connection, group_type: ResourceType, text: str, expected: str
) -> None:
    where = condition(parse_filter(group_type, text, auto()), BINDINGS)
    found = connection.scalars(sa.select(GROUPS.c.id).where(where).order_by(GROUPS.c.id))
    assert "".join(key[-1] for key in found) == expected


def test_a_part_that_no_column_holds_cannot_be_filtered_by(group_type: ResourceType) -> None:
    for text in ('members.$ref eq "x"', 'members[value eq "a" or not ($ref pr)]'):
        with pytest.raises(InvalidFilterError, match=r"members\.\$ref cannot be filtered by"):
            condition(parse_filter(group_type, text, auto()), BINDINGS)


def test_an_object_is_present_when_a_column_of_it_is(user_type: ResourceType) -> None:
    table = sa.table("t", sa.column("search", sa.JSON), sa.column("created"), sa.column("manager_id"))
    columns = {
        "meta.created": Column(table.c.created, Kind.INSTANT),
        f"{ENTERPRISE_USER}:manager.value": Column(table.c.manager_id, Kind.UUID),
    }
    for text, name in (
        ("meta pr", "created"),
        (ENTERPRISE_USER + " pr", "manager_id"),
        ("manager pr", "manager_id"),
    ):
        where = condition(parse_filter(user_type, text, auto()), Bindings(table.c.search, columns))
        assert f"t.{name} IS NOT NULL" in str(where)


def test_text_of_the_client_travels_as_parameters_only(user_type: ResourceType) -> None:
    evil = "x'); DROP TABLE users; --"
    text = f'title co "{evil}" or emails[value eq "{evil}" and type sw "{evil}"] or schemas ew "{evil}"'
    for dialect in (POSTGRESQL, sa.create_engine("sqlite://").dialect):
        statement = condition(parse_filter(user_type, text, auto()), Bindings(GROUPS.c.search)).compile(
            dialect=dialect
        )
        assert "drop" not in str(statement).lower()


def test_postgresql_orders_text_by_code_point_and_reads_jsonb(user_type: ResourceType) -> None:
    text = 'title gt "a" and emails[type eq "work"] and schemas eq "urn:x"'
    statement = str(
        condition(parse_filter(user_type, text, auto()), Bindings(GROUPS.c.search)).compile(
            dialect=POSTGRESQL
        )
    )
    assert 'COLLATE "C"' in statement
    assert "jsonb_array_elements(" in statement
    assert "jsonb_array_elements_text(" in statement
    assert "json_each" not in statement
