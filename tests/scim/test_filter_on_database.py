"""Filters over HTTP find what the evaluator in memory accepts (RFC 7644 section 3.4.2.2)."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scim.protocol.constants import ENTERPRISE_USER
from app.scim.protocol.filter import parse_filter
from app.scim.protocol.filter_match import matches
from app.scim.protocol.folding import search_document
from app.scim.protocol.registry import Registry
from tests.scim.answers import found, listed, refused, user
from tests.support.cast import Organization, create_organization
from tests.support.fakes import FakeClock
from tests.support.tolerances import auto

REGISTRY = Registry.load()
TYPES = {"/Users": REGISTRY.user, "/Groups": REGISTRY.group}
# Wildcards of LIKE, quotes, both cases, letters that fold to two, and one that can be composed.
LETTERS = "aAbB%_/\\\"'ßsSéÉe\u0301İi. "
DOCUMENTS = 200
START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = (
    "2026-01-01T00:01:00Z",
    "2026-01-01T01:02:00.000001+01:00",
    "2026-01-01T00:03:00.0000019Z",
    "0001-01-01T00:00:00.0000000Z",
    "9999-12-31T23:59:59Z",
)


def _document(rng: random.Random, number: int) -> dict[str, Any]:
    def text() -> str:
        return "".join(rng.choices(LETTERS, k=rng.randint(0, 3)))

    def values() -> list[dict[str, Any]]:
        return [
            {"value": text() or "x", "type": rng.choice(["work", "Work", "home", ""])}
            for _ in range(rng.randint(0, 3))
        ]

    document: dict[str, Any] = {
        "userName": f"{text()}{number}",
        "externalId": text(),
        "title": text(),
        "active": rng.random() < 0.7,
        "name": {"givenName": text(), "familyName": text()},
        "emails": values(),
        "roles": values(),
        ENTERPRISE_USER: {"department": text(), "manager": {"value": text()}},
    }
    if document["emails"] and rng.random() < 0.5:
        document["emails"][0]["primary"] = rng.random() < 0.5
    return {name: value for name, value in document.items() if name == "userName" or rng.random() < 0.7}


@dataclass(frozen=True, repr=False)
class Library:
    """`documents` holds what the evaluator sees of each resource, by endpoint and id."""

    organization: Organization
    resources: Mapping[str, Sequence[dict[str, Any]]]
    documents: Mapping[str, Mapping[str, dict[str, Any]]]

    def check(self, endpoint: str, text: str) -> None:
        node = parse_filter(TYPES[endpoint], text, auto())
        accepted = [id_ for id_, document in self.documents[endpoint].items() if matches(node, document)]
        query = {"filter": text, "attributes": "id", "count": 1000}
        answered = listed(self.organization.scim, endpoint, **query)
        assert [resource["id"] for resource in answered["Resources"]] == accepted
        assert answered["totalResults"] == len(accepted)


@pytest.fixture(scope="module")
def library(app: Flask, shared_clock: FakeClock) -> Library:
    """200 random people in 12 random groups, made over HTTP at times of their own."""
    organization = create_organization(app)
    scim, rng = organization.scim, random.Random(42)
    people = []
    for number in range(DOCUMENTS):
        shared_clock.fixed = START + timedelta(minutes=number % 7, microseconds=number % 3)
        people.append(scim.create_user(**_named(_document(rng, number))))
    for number in range(12):
        name = "".join(rng.choices(LETTERS, k=2)) + str(number)
        scim.create_group(name, rng.sample(people, k=rng.choice([0, 1, 5])))
    shared_clock.reset()
    resources = {path: listed(scim, path, count=1000)["Resources"] for path in TYPES}
    documents = {
        path: {resource["id"]: search_document(TYPES[path], resource) for resource in resources[path]}
        for path in TYPES
    }
    return Library(organization, resources, documents)


def _named(document: dict[str, Any]) -> dict[str, Any]:
    return {"user_name": document["userName"], **{k: v for k, v in document.items() if k != "userName"}}


_TEXTS = st.text(alphabet=LETTERS, max_size=3).map(json.dumps)
_OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
_NAMES = st.sampled_from(
    [
        *("userName", "externalId", "title", "name.givenName", "emails", "emails.type", "roles.value"),
        *("schemas", "department", f"{ENTERPRISE_USER}:manager", "groups.display", "id", "groups.value"),
    ]
)
_PRESENT = st.sampled_from(
    [
        "title",
        "name",
        "emails",
        "emails.primary",
        "groups",
        ENTERPRISE_USER,
        "manager",
        "active",
        "meta.created",
    ]
)
_INSIDE = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(["value", "type"]), _OPERATORS, _TEXTS),
    st.sampled_from(
        ["primary eq true", "primary ne true", 'primary eq "False"', "type pr", "not (primary pr)"]
    ),
)
_EQUALITY = st.sampled_from(["eq", "ne"])
_ORDER = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
_MOMENTS = st.sampled_from(["created", "lastModified"])
_JOINT = st.sampled_from(["and", "or"])
_LISTS = st.sampled_from(["emails", "roles"])
_TERMS = st.one_of(
    st.builds("{} {} {}".format, _NAMES, _OPERATORS, _TEXTS),
    st.builds("{} pr".format, _PRESENT),
    st.builds("active {} {}".format, _EQUALITY, st.sampled_from(["true", "false", '"True"'])),
    st.builds("meta.{} {} {}".format, _MOMENTS, _ORDER, st.sampled_from(TIMES).map(json.dumps)),
    st.builds("{}[{} {} {}]".format, _LISTS, _INSIDE, _JOINT, _INSIDE),
    st.builds("{}[not ({})]".format, _LISTS, _INSIDE),
    st.builds("{}[{}].value {} {}".format, _LISTS, _INSIDE, _OPERATORS, _TEXTS),
)
_RUNS = st.one_of(
    _TERMS, st.builds("not ({})".format, _TERMS), st.builds("{} {} {}".format, _TERMS, _JOINT, _TERMS)
)
FILTERS = st.one_of(
    _RUNS, st.builds("not ({})".format, _RUNS), st.builds("({}) {} {}".format, _RUNS, _JOINT, _RUNS)
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(text=FILTERS)
def test_random_filters_find_what_the_evaluator_accepts(library: Library, text: str) -> None:
    library.check("/Users", text)


@pytest.mark.parametrize("operator", ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
def test_groups_are_found_by_every_operator(library: Library, operator: str) -> None:
    person = library.resources["/Users"][0]["id"]
    sample = library.resources["/Groups"][3]
    for name, value in (
        ("displayName", sample["displayName"][:2]),
        ("displayName", sample["displayName"].upper()),
        ("id", sample["id"]),
        ("members", person),
        ("members.value", person[:9]),
        ("members.type", "USER"),
        ("schemas", "urn:ietf:params:scim:schemas:core:2.0:Group"),
    ):
        text = f"{name} {operator} {json.dumps(value)}"
        for condition in (text, f"not ({text})", f"members pr and {text}"):
            library.check("/Groups", condition)


@pytest.mark.parametrize(
    "condition",
    [
        'meta.resourceType eq "User"',
        'meta.resourceType eq "Group"',
        "meta pr",
        "meta.location pr",
        'meta.location co "/scim/v2/Users/"',
        'meta.version eq "W/\\"1\\""',
        "groups pr",
        'groups[type eq "direct"]',
        'groups.type eq "indirect"',
        "schemas pr",
        f'schemas eq "{ENTERPRISE_USER}"',
        "id pr",
    ],
)
def test_attributes_that_the_service_itself_sets_can_be_filtered(library: Library, condition: str) -> None:
    library.check("/Users", condition)


@pytest.mark.scim("rfc/41")
@pytest.mark.parametrize(
    ("stored", "condition", "is_found"),
    [
        ("100%", 'title co "%"', True),
        ("100", 'title co "%"', False),
        ("a_b", 'title sw "a_"', True),
        ("axb", 'title sw "a_"', False),
        ("a\\b", 'title ew "\\\\b"', True),
        ("axb", 'title co "\\\\"', False),
        ('say "hi"', 'title eq "say \\"HI\\""', True),
        ("Straße", 'title eq "STRASSE"', True),
        ("STRASSE", 'title sw "straß"', True),
        ("İstanbul", 'title eq "i\u0307STANBUL"', True),
        ("İstanbul", 'title eq "istanbul"', False),
        ("É", 'title eq "e\u0301"', True),
        ("E\u0301", 'title co "é"', True),
        ("x", 'title eq "\\u0058"', True),
        ("x", 'nickName ne "y"', True),
        ("x", 'not (nickName eq "y")', True),
        ("x", 'title ne "X"', False),
        ("x", "nickName eq null", True),
        ("x", 'title eq "x" or title eq "y" and title eq "z"', True),
        ("x", '(title eq "x" or title eq "y") and title eq "z"', False),
        ("x", 'TITLE EQ "x" And Not (NickName Pr)', True),
    ],
)
def test_traps_of_text(acme: Organization, stored: str, condition: str, is_found: bool) -> None:
    user_id = acme.scim.create_user(title=stored)
    assert found(acme.scim, "/Users", condition) == ([user_id] if is_found else [])


@pytest.mark.parametrize("endpoint", ["/Users", "/Groups"])
@pytest.mark.parametrize("value", ["x", "", "01890000-0000-7000-8000-00000000000", "{own upper}"])
def test_an_id_that_is_no_uuid_is_nobody_s(acme: Organization, endpoint: str, value: str) -> None:
    own = acme.scim.create_user() if endpoint == "/Users" else acme.scim.create_group()
    text = value.replace("{own upper}", own.upper())
    for condition in (f'id eq "{text}"', f'not (id ne "{text}")', f'not (not (id eq "{text}"))'):
        assert found(acme.scim, endpoint, condition) == []
    for condition in (f'id ne "{text}"', f'not (id eq "{text}")', f'id eq "{text}" or id eq "{own}"'):
        assert found(acme.scim, endpoint, condition) == [own]


@pytest.mark.scim("rfc/16", "rfc/23")
def test_external_ids_differ_in_case_on_every_operator(acme: Organization) -> None:
    user_id = acme.scim.create_user(externalId="Ab%C")
    for condition, is_found in (
        *(('eq "Ab%C"', True), ('eq "ab%c"', False), ('ne "ab%c"', True), ('sw "Ab"', True)),
        *(('sw "ab"', False), ('co "b%"', True), ('co "B%"', False), ('ew "C"', True), ('ew "c"', False)),
    ):
        expected = [user_id] if is_found else []
        assert found(acme.scim, "/Users", f"externalId {condition}") == expected


@pytest.mark.scim("rfc/15")
def test_terms_in_brackets_hold_for_one_and_the_same_email(acme: Organization) -> None:
    emails = [{"type": "work", "value": "a@example.com"}, {"type": "home", "value": "b@example.com"}]
    user_id = acme.scim.create_user(emails=emails)
    for condition, is_found in (
        ('emails[type eq "work" and value eq "a@example.com"]', True),
        ('emails[type eq "work" and value eq "b@example.com"]', False),
        ('emails[type eq "WORK"].value eq "B@example.com"', False),
        ('emails.type eq "work" and emails.value eq "b@example.com"', True),
        ('emails eq "B@EXAMPLE.COM"', True),
        ('emails ne "b@example.com"', False),
        ('emails[not (type eq "work")]', True),
    ):
        assert found(acme.scim, "/Users", condition) == ([user_id] if is_found else [])


@pytest.mark.scim("aws/provisioning", "rfc/38")
def test_people_are_found_by_group_and_groups_by_member(acme: Organization) -> None:
    anna, bob = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group("Groß_Kunden", [anna])
    acme.scim.create_group("Others", [anna, bob])
    for name, value in (("groups", group_id), ("groups.value", group_id), ("groups.display", "GROSS_kunden")):
        assert found(acme.scim, "/Users", f'{name} eq "{value}"') == [anna]
        assert found(acme.scim, "/Users", f'not ({name} eq "{value}")') == [bob]
    assert found(acme.scim, "/Users", f'groups[value eq "{group_id}" and display eq "Others"]') == []
    for text in ("members", "members.value"):
        assert found(acme.scim, "/Groups", f'{text} eq "{anna}" and id eq "{group_id}"') == [group_id]
        assert found(acme.scim, "/Groups", f'{text} eq "nobody"') == []
    refused(acme.scim.get("/Groups?filter=members.display+pr"), 400, "invalidFilter")


@pytest.mark.scim("rfc/18")
def test_last_modified_is_compared_as_an_instant(acme: Organization, clock: FakeClock) -> None:
    first = acme.scim.create_user()
    clock.advance(hours=1)
    second = acme.scim.create_user()
    moment = user(acme.scim, first)["meta"]["lastModified"]
    assert found(acme.scim, "/Users", f'meta.lastModified gt "{moment}"') == [second]
    shifted = datetime.fromisoformat(moment) + timedelta(hours=2)
    elsewhere = f"{shifted.replace(tzinfo=None).isoformat()}+02:00"
    assert found(acme.scim, "/Users", f'meta.lastModified ge "{elsewhere}"') == [first, second]
    assert found(acme.scim, "/Users", f'meta.lastModified eq "{elsewhere}"') == [first]
