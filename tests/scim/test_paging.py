"""Pages by cursor (RFC 9865) beside pages by index, which stay the default."""

import re
from typing import Any

import pytest

from tests.scim.answers import listed, ok, refused
from tests.support.cast import Organization, ScimClient, json_of
from tests.support.fakes import FakeClock

UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")


def page(client: ScimClient, endpoint: str = "/Users", cursor: str = "", **query: Any) -> dict[str, Any]:
    """A ListResponse paged by cursor, whose numbers agree with each other."""
    body = ok(client.get(endpoint, query_string={"cursor": cursor, **query}))
    assert "startIndex" not in body
    assert body["itemsPerPage"] == len(body["Resources"]) <= body["totalResults"]
    assert UNRESERVED.fullmatch(body.get("nextCursor", "none"))
    return body


def ids(body: dict[str, Any]) -> list[str]:
    return [resource["id"] for resource in body["Resources"]]


def walk(client: ScimClient, endpoint: str = "/Users", **query: Any) -> list[list[str]]:
    """The ids of each page, first to last."""
    pages = []
    body = page(client, endpoint, **query)
    while True:
        pages.append(ids(body))
        if "nextCursor" not in body:
            return pages
        body = page(client, endpoint, body["nextCursor"], **query)


def hire(acme: Organization, count: int) -> list[str]:
    return [acme.scim.create_user(f"p{number}@example.com") for number in range(count)]


@pytest.mark.scim("rfc/59")
def test_an_empty_cursor_starts_and_the_last_page_has_no_next_cursor(acme: Organization) -> None:
    people = hire(acme, 5)
    assert walk(acme.scim, count=2) == [people[:2], people[2:4], people[4:]]
    assert walk(acme.scim, count=3) == [people[:3], people[3:]]
    assert walk(acme.scim, count=5) == [people]
    assert walk(acme.scim) == [people]


def test_every_page_tells_how_many_match(acme: Organization) -> None:
    hire(acme, 5)
    body = page(acme.scim, count=2, filter='userName ne "p0@example.com"')
    assert body["totalResults"] == 4
    assert (
        page(acme.scim, cursor=body["nextCursor"], count=2, filter='userName ne "p0@example.com"')[
            "totalResults"
        ]
        == 4
    )


@pytest.mark.scim("rfc/59")
def test_nobody_is_a_page_without_a_next_cursor(acme: Organization) -> None:
    body = page(acme.scim, filter='userName eq "nobody"')
    assert (body["totalResults"], body["Resources"], "nextCursor" in body) == (0, [], False)


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_of_nothing_gives_the_total_alone(acme: Organization, count: int) -> None:
    hire(acme, 2)
    body = page(acme.scim, count=count)
    assert (body["totalResults"], body["Resources"], "nextCursor" in body) == (2, [], False)


@pytest.mark.scim("rfc/61")
def test_pages_by_index_stay_the_default_and_carry_no_cursor(acme: Organization) -> None:
    hire(acme, 3)
    body = listed(acme.scim, "/Users", count=2)
    assert body["startIndex"] == 1
    assert "nextCursor" not in body


@pytest.mark.scim("rfc/59")
def test_who_comes_or_goes_between_pages_moves_nobody_else(acme: Organization) -> None:
    first, second, third, fourth = hire(acme, 4)
    body = page(acme.scim, count=2)
    for user_id in (first, second):
        assert acme.scim.delete(f"/Users/{user_id}").status_code == 204
    newcomer = acme.scim.create_user("new@example.com")
    body = page(acme.scim, cursor=body["nextCursor"], count=2)
    assert ids(body) == [third, fourth]
    assert ids(page(acme.scim, cursor=body["nextCursor"], count=2)) == [newcomer]


def test_a_sorted_walk_goes_on_behind_somebody_who_was_renamed_meanwhile(acme: Organization) -> None:
    anna, bert, carl = (acme.scim.create_user(name) for name in ("anna", "bert", "carl"))
    query: dict[str, Any] = {"sortBy": "userName", "count": 2}
    body = page(acme.scim, **query)
    assert ids(body) == [anna, bert]
    renamed = {"op": "replace", "path": "userName", "value": "aaron"}
    assert acme.scim.patch_operations(f"/Users/{bert}", renamed).status_code == 200
    assert ids(page(acme.scim, cursor=body["nextCursor"], **query)) == [carl]


def test_a_cursor_may_be_used_again(acme: Organization, clock: FakeClock) -> None:
    hire(acme, 3)
    # The next cursor carries when it expires, so equal answers are of one moment.
    clock.fixed = clock.now()
    cursor = page(acme.scim, count=1)["nextCursor"]
    assert page(acme.scim, cursor=cursor, count=1) == page(acme.scim, cursor=cursor, count=1)


@pytest.mark.scim("rfc/60")
@pytest.mark.parametrize(
    "change",
    [
        {"filter": 'userName sw "p"'},
        {"filter": "active eq true or active eq false"},
        {"filter": None},
        {"sortBy": "displayName"},
        {"sortBy": None},
        {"sortOrder": "descending"},
    ],
)
def test_a_cursor_serves_no_other_query(acme: Organization, change: dict[str, str | None]) -> None:
    hire(acme, 3)
    query: dict[str, Any] = {"filter": "active eq true", "sortBy": "userName", "count": 1}
    cursor = page(acme.scim, **query)["nextCursor"]
    changed = {key: value for key, value in {**query, **change}.items() if value is not None}
    refused(acme.scim.get("/Users", query_string={**changed, "cursor": cursor}), 400, "invalidCursor")


@pytest.mark.scim("rfc/60")
def test_a_cursor_serves_no_other_endpoint(acme: Organization) -> None:
    hire(acme, 3)
    cursor = page(acme.scim, count=1)["nextCursor"]
    for endpoint in ("/Groups", "/"):
        response = acme.scim.get(endpoint, query_string={"cursor": cursor, "count": 1})
        refused(response, 400, "invalidCursor")


@pytest.mark.scim("rfc/62")
def test_a_cursor_serves_no_other_token_and_no_other_organization(
    acme: Organization, globex: Organization
) -> None:
    hire(acme, 3)
    cursor = page(acme.scim, count=1)["nextCursor"]
    token = json_of(acme.api.post("/scim_tokens", {"name": "second"}))["token"]
    colleague = ScimClient(acme.app, token, acme.scim.root, acme.scim.content_type)
    assert ids(page(colleague, count=1)) == ids(page(acme.scim, count=1))
    for client in (colleague, globex.scim):
        refused(client.get("/Users", query_string={"cursor": cursor, "count": 1}), 400, "invalidCursor")


@pytest.mark.scim("rfc/62")
def test_a_cursor_that_was_touched_is_refused(acme: Organization) -> None:
    hire(acme, 3)
    cursor = page(acme.scim, count=1)["nextCursor"]
    api_cursor = json_of(acme.api.get("/users?limit=1"))["next_cursor"]
    for touched in (cursor[:-1], cursor[1:], cursor + "A", cursor.swapcase(), api_cursor, "x"):
        response = acme.scim.get("/Users", query_string={"cursor": touched, "count": 1})
        assert "empty cursor" in refused(response, 400, "invalidCursor")


@pytest.mark.scim("rfc/60")
def test_another_count_is_refused_as_an_invalid_count(acme: Organization) -> None:
    hire(acme, 3)
    cursor = page(acme.scim, count=1)["nextCursor"]
    response = acme.scim.get("/Users", query_string={"cursor": cursor, "count": 2})
    assert "count was 1" in refused(response, 400, "invalidCount")


@pytest.mark.scim("rfc/60")
@pytest.mark.parametrize("count", ["1001", "abc", "1.5"])
def test_a_count_that_no_page_can_have_is_refused(acme: Organization, count: str) -> None:
    response = acme.scim.get("/Users", query_string={"cursor": "", "count": count})
    refused(response, 400, "invalidCount")


@pytest.mark.scim("rfc/60", "rfc/61")
def test_a_cursor_is_good_for_as_long_as_the_config_says(acme: Organization, clock: FakeClock) -> None:
    hire(acme, 2)
    timeout = ok(acme.scim.get("/ServiceProviderConfig"))["pagination"]["cursorTimeout"]
    clock.fixed = clock.now()
    cursor = page(acme.scim, count=1)["nextCursor"]
    begun = clock.fixed.timestamp()
    clock.fixed = clock.fixed.fromtimestamp(int(begun) + timeout, clock.fixed.tzinfo)
    assert page(acme.scim, cursor=cursor, count=1)["itemsPerPage"] == 1
    clock.fixed = clock.fixed.fromtimestamp(begun + timeout + 1, clock.fixed.tzinfo)
    response = acme.scim.get("/Users", query_string={"cursor": cursor, "count": 1})
    refused(response, 400, "expiredCursor")


@pytest.mark.scim("rfc/60")
def test_an_index_and_a_cursor_exclude_each_other(acme: Organization) -> None:
    response = acme.scim.get("/Users", query_string={"cursor": "", "startIndex": 1})
    assert "exclude each other" in refused(response, 400, "invalidValue")


@pytest.mark.scim("rfc/62")
def test_a_cursor_needs_a_token_like_everything(acme: Organization) -> None:
    hire(acme, 2)
    cursor = page(acme.scim, count=1)["nextCursor"]
    stranger = ScimClient(acme.app, None, acme.scim.root, acme.scim.content_type)
    refused(stranger.get("/Users", query_string={"cursor": cursor, "count": 1}), 401)


def test_groups_are_paged_by_cursor_too_and_leave_members_out_when_asked(acme: Organization) -> None:
    person = acme.scim.create_user()
    groups = [acme.scim.create_group(members=[person]) for _ in range(3)]
    assert walk(acme.scim, "/Groups", count=2) == [groups[:2], groups[2:]]
    body = page(acme.scim, "/Groups", count=2, excludedAttributes="members")
    assert all("members" not in resource for resource in body["Resources"])
