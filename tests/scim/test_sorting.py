"""sortBy and sortOrder over HTTP (RFC 7644 section 3.4.2.3), the same on every database."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask

from app.scim.protocol.constants import ENTERPRISE_USER, USER
from app.scim.protocol.folding import search_document
from app.scim.protocol.registry import Registry
from app.scim.protocol.sorting import parse_sort
from tests.scim.answers import listed, refused
from tests.support.cast import Organization, create_organization
from tests.support.fakes import FakeClock
from tests.support.tolerances import auto

REGISTRY = Registry.load()
# Both cases, letters that fold to two or compose, and two that UTF-16 would order the other way.
LETTERS = "aAbBzZ_ -1ßéÉe\u0301\uff5e\U0001f600"
PATHS = (
    *("userName", "USERNAME", f"{USER}:userName", "displayName", "externalId", "title", "active", "id"),
    *("name.familyName", "meta.created", "meta.lastModified", "meta.version", "meta.location"),
    *("meta.resourceType", "schemas", "emails", "emails.value", "emails.type", "emails.primary", "photos"),
    *("department", f"{ENTERPRISE_USER}:employeeNumber", "manager", f"{ENTERPRISE_USER}:manager.value"),
    *("groups", "groups.display", "groups.type", "nickName"),
)


def _text(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randint(1, 3)))


def _person(rng: random.Random, number: int) -> dict[str, Any]:
    emails: list[dict[str, Any]] = [
        {"value": _text(rng), "type": rng.choice(["work", "Home"])} for _ in range(rng.randint(1, 3))
    ]
    if rng.random() < 0.5:
        rng.choice(emails)["primary"] = True
    if rng.random() < 0.2:
        del emails[-1]["value"]
    attributes = {
        "displayName": _text(rng),
        "externalId": _text(rng),
        "title": rng.choice(["Lead", "lead", "LEAD"]),
        "active": rng.random() < 0.5,
        "name": {"familyName": _text(rng), "givenName": _text(rng)},
        "emails": emails,
        "photos": [{"value": f"https://example.com/{_text(rng)}"}],
        ENTERPRISE_USER: {"department": _text(rng), "manager": {"value": _text(rng)}},
    }
    kept = {name: value for name, value in attributes.items() if rng.random() < 0.7}
    return {"user_name": f"{_text(rng)}{number}", **kept}


@pytest.fixture(scope="module")
def crowd(app: Flask, shared_clock: FakeClock) -> Organization:
    """60 random people, some in groups, made at times that some of them share."""
    organization = create_organization(app)
    rng = random.Random(3423)
    people = []
    start = shared_clock.now()
    for number in range(60):
        shared_clock.fixed = start.replace(microsecond=number % 7)
        people.append(organization.scim.create_user(**_person(rng, number)))
    for name in ("beta", "Alpha", "ßeta"):
        organization.scim.create_group(name, rng.sample(people, k=12))
    shared_clock.reset()
    return organization


def key_of(path_text: str, resource: Mapping[str, Any]) -> Any:
    """What a resource is ordered by: folded, the primary or first value, the smallest of memberships."""
    path = parse_sort(REGISTRY.user, path_text, auto())
    value: Any = search_document(REGISTRY.user, resource)
    for key in path.keys:
        if isinstance(value, list) and path.attribute.name == "groups":
            return min((element[key] for element in value), default=None)
        if isinstance(value, list):
            value = next((element for element in value if element.get("primary")), value[0])
        value = (value or {}).get(key)
    return value[0] if isinstance(value, list) else value


def in_order(path: str, resources: list[dict[str, Any]], *, descending: bool) -> list[str]:
    by_id = sorted(resources, key=lambda resource: str(resource["id"]))
    there = [resource for resource in by_id if key_of(path, resource) is not None]
    absent = [resource for resource in by_id if key_of(path, resource) is None]
    keys = sorted({key_of(path, resource) for resource in there}, reverse=descending)
    ordered = [resource for key in keys for resource in there if key_of(path, resource) == key]
    return [str(resource["id"]) for resource in (absent + ordered if descending else ordered + absent)]


@pytest.mark.scim("rfc/44")
@pytest.mark.parametrize("path", PATHS)
def test_any_attribute_orders_a_list_and_every_kind_of_paging_keeps_the_order(
    crowd: Organization, path: str
) -> None:
    resources = listed(crowd.scim, "/Users", count=1000)["Resources"]
    for order in ("ascending", "Descending"):
        query: dict[str, Any] = {"sortBy": path, "sortOrder": order}
        expected = in_order(path, resources, descending=order == "Descending")
        answered = listed(crowd.scim, "/Users", **query)["Resources"]
        assert [resource["id"] for resource in answered] == expected
        by_index = [
            listed(crowd.scim, "/Users", **query, startIndex=start, count=17) for start in (1, 18, 35, 52)
        ]
        assert [resource["id"] for page in by_index for resource in page["Resources"]] == expected
        assert cursor_walk(crowd, {**query, "count": 7}) == expected


def cursor_walk(organization: Organization, query: dict[str, Any]) -> list[str]:
    """The ids of all pages, one after the other."""
    ids: list[str] = []
    cursor = ""
    while True:
        page = organization.scim.get("/Users", query_string={**query, "cursor": cursor}).get_json()
        ids += [resource["id"] for resource in page["Resources"]]
        if "nextCursor" not in page:
            return ids
        cursor = page["nextCursor"]


@pytest.mark.scim("rfc/44")
def test_a_sorted_list_is_filtered_and_counted_as_an_unsorted_one(crowd: Organization) -> None:
    query = {"filter": "active eq true", "count": 5}
    plain = listed(crowd.scim, "/Users", **query)
    ordered = listed(crowd.scim, "/Users", **query, sortBy="name.familyName")
    assert ordered["totalResults"] == plain["totalResults"]
    assert all(resource["active"] for resource in ordered["Resources"])


@pytest.mark.scim("rfc/44")
def test_without_sort_order_a_list_ascends_and_without_sort_by_the_order_means_nothing(
    crowd: Organization,
) -> None:
    ascending = listed(crowd.scim, "/Users", sortBy="userName", sortOrder="ascending")
    assert listed(crowd.scim, "/Users", sortBy="userName") == ascending
    assert listed(crowd.scim, "/Users", sortOrder="descending") == listed(crowd.scim, "/Users")


@pytest.mark.scim("rfc/44")
def test_case_decides_only_where_the_attribute_is_case_exact(acme: Organization) -> None:
    for name, external_id in (("b", "b"), ("A", "B"), ("C", "a")):
        acme.scim.create_user(name, externalId=external_id)
    by_name = listed(acme.scim, "/Users", sortBy="userName")["Resources"]
    assert [resource["userName"] for resource in by_name] == ["A", "b", "C"]
    by_external_id = listed(acme.scim, "/Users", sortBy="externalId")["Resources"]
    assert [resource["externalId"] for resource in by_external_id] == ["B", "a", "b"]


@pytest.mark.scim("rfc/44")
def test_groups_are_ordered_by_name_and_by_their_smallest_member(acme: Organization) -> None:
    first, second = acme.scim.create_user(), acme.scim.create_user()
    groups = [acme.scim.create_group(f"{name} group", ids) for name, ids in (("c", [second]), ("b", []))]
    groups.append(acme.scim.create_group("A group", [second, first]))

    def order(**query: str) -> list[int]:
        return [groups.index(group["id"]) for group in listed(acme.scim, "/Groups", **query)["Resources"]]

    assert order(sortBy="displayName") == [2, 1, 0]
    assert order(sortBy="members") == [2, 0, 1]
    assert order(sortBy="members.value", sortOrder="descending") == [1, 0, 2]
    assert order(sortBy="members.type") == [0, 2, 1]


def test_very_long_values_can_be_paged_by(acme: Organization) -> None:
    for number in range(3):
        acme.scim.create_user(
            photos=[{"value": f"https://example.com/{number}" + "x" * 16_000}], title="é" * 1000
        )
    for path in ("photos", "title"):
        walked = cursor_walk(acme, {"sortBy": path, "count": 1})
        assert walked == [person["id"] for person in listed(acme.scim, "/Users")["Resources"]]
        page = acme.scim.get("/Users", query_string={"sortBy": path, "count": 1, "cursor": ""}).get_json()
        assert len(page["nextCursor"]) < 5000


@pytest.mark.parametrize(
    ("sort_by", "reason"),
    [
        ("nosuch", "not an attribute of User"),
        ("name.nosuch", "not an attribute of User"),
        ("members", "not an attribute of User"),
        ("name", "Name one of its sub-attributes"),
        ("addresses", "Name one of its sub-attributes"),
        (ENTERPRISE_USER, "Name one of its sub-attributes"),
        ("password", "never returned"),
        ("groups.$ref", "Use one of: groups.value, groups.display, groups.type"),
    ],
)
def test_what_has_no_order_is_refused_and_never_ignored(
    acme: Organization, sort_by: str, reason: str
) -> None:
    response = acme.scim.get("/Users", query_string={"sortBy": sort_by})
    assert reason in refused(response, 400, "invalidValue")


def test_another_sort_order_than_the_two_is_refused(acme: Organization) -> None:
    response = acme.scim.get("/Users", query_string={"sortBy": "userName", "sortOrder": "up"})
    assert "ascending or descending" in refused(response, 400, "invalidValue")
