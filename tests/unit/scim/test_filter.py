"""Filters: what parses, how it groups, which documents match (RFC 7644 section 3.4.2.2)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, USER
from app.scim.protocol.errors import InvalidFilterError
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_match import matches
from app.scim.protocol.folding import search_document
from app.scim.protocol.nodes import And, Compare, Not, Or, Present, ValuePath
from app.scim.protocol.registry import ResourceType
from tests.support.tolerances import auto

ANNA: dict[str, Any] = {
    "schemas": [USER, ENTERPRISE_USER],
    "id": "0197c0de-0000-7000-8000-000000000001",
    "externalId": "Ext-1",
    "userName": "Anna@Example.com",
    "name": {"givenName": "Anna", "familyName": "Émile"},
    "title": "",
    "active": True,
    "emails": [
        {"value": "anna@work.example", "type": "work", "primary": True},
        {"value": "anna@home.example", "type": "home"},
    ],
    "roles": [],
    "password": "secret",
    "meta": {"resourceType": "User", "lastModified": "2026-03-01T10:00:00.123456Z"},
    ENTERPRISE_USER: {"department": "Sales", "manager": {"value": "M-1"}},
}


def hits(user_type: ResourceType, text: str, resource: dict[str, Any] = ANNA) -> bool:
    return matches(parse_filter(user_type, text, auto()), search_document(user_type, resource))


@pytest.mark.scim("rfc/1", "rfc/38", "rfc/39", "rfc/40")
@pytest.mark.parametrize(
    "text",
    [
        'userName eq "anna@example.com"',
        'USERNAME Eq "ANNA@EXAMPLE.COM"',
        f'{USER}:userName eq "anna@example.com"',
        f'{USER.upper()}:username eq "anna@example.com"',
        'externalId eq "Ext-1"',
        'not (externalId eq "ext-1")',
        'id eq "0197c0de-0000-7000-8000-000000000001"',
        'name.familyName eq "e\\u0301MILE"',
        'name.familyName sw "É"',
        'userName co "@EXAMPLE" and userName ew ".COM"',
        'userName gt "ann" and userName lt "annb"',
        "active eq true",
        'active eq "True"',
        "active ne false",
        'emails eq "ANNA@work.example"',
        'emails.value eq "anna@home.example"',
        'emails co "home"',
        'emails[type eq "work" and primary eq true]',
        'emails[type eq "Work"].value eq "anna@work.example"',
        'emails[primary eq "True"].value sw "anna@work"',
        'emails[type eq "work"] pr',
        'emails.type ne "other"',
        'emails[not (type eq "work")]',
        "emails pr and name pr and not (roles pr)",
        'roles ne "admin"',
        "not (title pr)",
        "title eq null",
        "userName ne null",
        'nickName ne "x"',
        f'schemas eq "{ENTERPRISE_USER}"',
        f'schemas ne "{ENTERPRISE_USER}:none"',
        f'{ENTERPRISE_USER}:department eq "sales"',
        'department eq "sales"',
        f"{ENTERPRISE_USER} pr",
        f'{ENTERPRISE_USER}:manager eq "M-1"',
        'meta.lastModified gt "2026-03-01T11:00:00+02:00"',
        'meta.resourceType eq "User"',
    ],
)
def test_filter_selects_anna(user_type: ResourceType, text: str) -> None:
    assert hits(user_type, text)


@pytest.mark.scim("rfc/16", "rfc/39", "rfc/40")
@pytest.mark.parametrize(
    "text",
    [
        'externalId eq "EXT-1"',
        'emails[type eq "home" and primary eq true]',
        'emails[type eq "home"].value eq "anna@work.example"',
        'emails ne "anna@home.example"',
        'emails.type ne "home"',
        "title pr",
        'title ne null or title sw ""',
        'nickName eq "x"',
        'nickName lt "x"',
        f'schemas eq "{ENTERPRISE_USER}:none"',
        "active eq false",
        'manager eq "m-1"',
        'userName co "%"',
        'userName co "_"',
        'meta.lastModified ge "2026-03-01T10:00:00.123457Z"',
    ],
)
def test_filter_does_not_select_anna(user_type: ResourceType, text: str) -> None:
    assert not hits(user_type, text)


@pytest.mark.scim("rfc/2", "rfc/17", "rfc/28")
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq anna",
        'userName regex "x"',
        'userName eq "x" and',
        'userName eq "x" garbage',
        '(userName eq "x"',
        'userName eq "x',
        "not userName pr",
        'nosuch eq "x"',
        'userName eq "x" or nosuch eq "y"',
        'name.nosuch eq "x"',
        'userName.value eq "x"',
        'urn:example:other:User:userName eq "x"',
        'password eq "x"',
        "password pr",
        'name eq "x"',
        'addresses eq "x"',
        'emails[nosuch eq "x"]',
        'emails[type[a eq "b"]]',
        'emails[type eq "a"][type eq "b"]',
        'userName[value eq "x"]',
        'name[givenName eq "x"]',
        "active gt true",
        "active co true",
        'active eq "yes"',
        "active eq 1",
        'x509Certificates.value gt "x"',
        "userName eq 1",
        "userName eq true",
        "userName gt null",
        'meta.created eq "yesterday"',
        'meta.created eq "2026-02-30T00:00:00Z"',
        'meta.created co "2026"',
        'userName eq "\x00"',
        r'userName eq "\u0000"',
        r'userName eq "\ud800"',
        r'userName eq "\x"',
        'userName eq "\ud800"',
        'userName eq "a\nb"',
        "userName eq 1e999",
    ],
)
def test_a_filter_that_cannot_be_answered_exactly_is_invalid(user_type: ResourceType, text: str) -> None:
    with pytest.raises(InvalidFilterError) as caught:
        parse_filter(user_type, text, auto())
    assert caught.value.scim_type == "invalidFilter"
    assert caught.value.status == 400


@pytest.mark.scim("rfc/14")
def test_and_binds_before_or(user_type: ResourceType) -> None:
    node = parse_filter(user_type, "title pr or nickName pr and userType pr or active eq true", auto())
    assert isinstance(node, Or)
    assert [type(term) for term in node.nodes] == [Present, And, Compare]


@pytest.mark.scim("rfc/14")
def test_brackets_bind_before_and(user_type: ResourceType) -> None:
    node = parse_filter(user_type, "(title pr or nickName pr) and not (userType pr or locale pr)", auto())
    assert isinstance(node, And)
    assert [type(term) for term in node.nodes] == [Or, Not]


@pytest.mark.scim("rfc/14")
def test_precedence_holds_inside_value_paths(user_type: ResourceType) -> None:
    node = parse_filter(user_type, 'emails[type eq "a" or type eq "b" and primary eq true]', auto())
    assert isinstance(node, ValuePath)
    assert isinstance(node.node, Or)


def test_text_booleans_are_booleans_for_boolean_attributes(user_type: ResourceType) -> None:
    node = parse_filter(user_type, 'active eq "TRUE"', auto())
    assert isinstance(node, Compare)
    assert node.value is True


@pytest.mark.scim("rfc/41")
def test_json_escapes_are_decoded(user_type: ResourceType) -> None:
    node = parse_filter(user_type, r'externalId eq "a\"b\\\u00e9\ud83d\ude00"', auto())
    assert isinstance(node, Compare)
    assert node.value == 'a"b\\é😀'


def test_bare_manager_means_its_value(user_type: ResourceType) -> None:
    assert hits(user_type, 'id eq "0197c0de-0000-7000-8000-000000000001" and manager eq "M-1"')
    assert hits(user_type, 'manager ne "m-2"')
    assert not hits(user_type, "manager eq null")


@pytest.mark.scim("rfc/18", "entra/delta-reads")
def test_entra_delta_reads_compare_instants(user_type: ResourceType) -> None:
    text = (
        'active eq true and (META.lastmodified ge "0001-01-03T00:00:00.0000000Z" '
        'and meta.lastModified le "2026-03-01T10:00:00.1234569Z")'
    )
    assert hits(user_type, text)
    node = parse_filter(user_type, 'meta.lastModified ge "2026-01-31T12:00:00.1234567+02:00"', auto())
    assert isinstance(node, Compare)
    assert node.value == datetime(2026, 1, 31, 10, 0, 0, 123456, UTC)


@pytest.mark.parametrize(
    "text", ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "20000-01-01T00:00:00Z"]
)
def test_times_outside_the_calendar_are_clamped(user_type: ResourceType, text: str) -> None:
    operator = "lt" if text.startswith("2") else "gt"
    assert hits(user_type, f'meta.lastModified {operator} "{text}"')


@pytest.mark.scim("aws/provisioning")
def test_members_of_a_group_can_be_tested_by_id(group_type: ResourceType) -> None:
    for text in ('members eq "u"', 'members.value eq "u"', 'members[value eq "u"]'):
        node = parse_filter(group_type, text, auto())
        assert isinstance(node, ValuePath)
        assert str(node.path) == "members"


def test_a_long_filter_is_refused_before_it_is_read(user_type: ResourceType) -> None:
    fitting = 'userName eq "' + "x" * (2048 - len('userName eq ""')) + '"'
    parse_filter(user_type, fitting, auto())
    with pytest.raises(InvalidFilterError, match="2049 characters"):
        parse_filter(user_type, fitting.replace('"x', '"xx'), auto())


def test_a_deep_filter_is_refused(user_type: ResourceType) -> None:
    parse_filter(user_type, "(" * 10 + "title pr" + ")" * 10, auto())
    with pytest.raises(InvalidFilterError, match="nests deeper than 10"):
        parse_filter(user_type, "(" * 11 + "title pr" + ")" * 11, auto())


def test_a_filter_of_many_terms_is_refused(user_type: ResourceType) -> None:
    parse_filter(user_type, " and ".join(['title eq "or"'] * 50), auto())
    with pytest.raises(InvalidFilterError, match="51 terms"):
        parse_filter(user_type, " or ".join(["title pr"] * 51), auto())


def test_operators_inside_text_are_text(user_type: ResourceType) -> None:
    node = parse_filter(user_type, " or ".join(['title eq "eq"'] * 50), auto())
    assert isinstance(node, Or)
    assert len(node.nodes) == 50
