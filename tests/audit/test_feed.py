"""P8: each change has one audit entry; the feed is ordered and without gaps."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.directory.users import UserService
from app.scim.protocol.constants import USER
from tests.support.cast import Organization, in_organization, json_of


def feed(acme: Organization) -> list[dict[str, Any]]:
    """The whole feed, page by page."""
    entries: list[dict[str, Any]] = []
    cursor = ""
    while True:
        query = {"limit": 7, "cursor": cursor} if cursor else {"limit": 7}
        page = json_of(acme.api.get("/audit/events", query_string=query))
        entries += page["data"]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            return entries


def test_what_was_just_done_is_in_the_feed(acme: Organization) -> None:
    user_id = acme.scim.create_user()
    last = feed(acme)[-1]
    assert (last["action"], last["target"]["id"]) == ("user.created", f"user_{user_id}")


def test_an_entry_names_who_asked_and_under_which_request(acme: Organization) -> None:
    response = acme.scim.post("/Users", {"userName": "traced@example.com"})
    last = feed(acme)[-1]
    assert last["actor"]["type"] == "scim_token"
    assert last["request_id"] == response.headers["X-Request-Id"]


def test_positions_have_no_gap_under_parallel_writers_and_readers(acme: Organization) -> None:
    def write(number: int) -> int:
        if number % 3 == 0:
            return acme.api.get("/audit/events").status_code
        return acme.scim.post("/Users", {"userName": f"parallel{number}@example.com"}).status_code

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(write, range(60))) == {200, 201}
    entries = feed(acme)
    assert [entry["position"] for entry in entries] == list(range(1, len(entries) + 1))
    assert sum(entry["action"] == "user.created" for entry in entries) == 40


def test_nothing_appears_behind_a_readers_cursor(acme: Organization) -> None:
    """On PostgreSQL an entry can commit after a later one was read; it still gets a later position."""
    if acme.container.database.is_sqlite:
        # One writer at a time: the case cannot arise, and the plain order is what there is to show.
        acme.scim.create_user()
        seen = feed(acme)
        acme.scim.create_user()
    else:
        with in_organization(acme.app, acme.id) as slow:
            slow.get(UserService).create({"schemas": [USER], "userName": "slow@example.com"}, active=True)
            slow.settle()
            acme.scim.create_user()
            seen = feed(acme)
            slow.commit()
    after = feed(acme)
    assert after[: len(seen)] == seen
    assert len(after) == len(seen) + 1


def test_a_refused_request_leaves_no_entry(acme: Organization) -> None:
    before = feed(acme)
    assert acme.scim.post("/Users", {"userName": ""}).status_code == 400
    assert acme.scim.post("/Users", {"userName": "x", "active": "perhaps"}).status_code == 400
    assert feed(acme) == before


def test_a_change_that_changes_nothing_leaves_no_entry(acme: Organization) -> None:
    user_id = acme.scim.create_user("same@example.com", displayName="Same")
    before = feed(acme)
    operation = {"op": "replace", "path": "displayName", "value": "Same"}
    acme.scim.patch_operations(f"/Users/{user_id}", operation)
    acme.scim.put(f"/Users/{user_id}", {"userName": "same@example.com", "displayName": "Same"})
    assert feed(acme) == before
