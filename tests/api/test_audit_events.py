"""`/audit/events`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]
AUDIT = ["audit:read"]


def read(office: Any, query: str = "") -> Any:
    return office.get(f"/audit/events{query}", scopes=AUDIT)


def test_the_feed_is_ascending_without_gaps_and_up_to_date(acme: Any) -> None:
    user = acme.user("ada")
    acme.key(*AUDIT)
    answer = read(acme, "?limit=1000").json
    events = answer["data"]
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    created = next(event for event in events if event["action"] == "user.created")
    assert created == {
        "type": "audit_event",
        "id": created["id"],
        "position": created["position"],
        "action": "user.created",
        "actor": {"type": "operator", "id": "cli"},
        "target": {"type": "user", "id": user},
        "occurred_at": created["occurred_at"],
        "request_id": "test",
        "data": {"user_name": "ada@example.com", "active": True},
    }
    assert created["id"].startswith("evt_")


def test_a_reader_polls_on_with_the_cursor_of_the_last_page(acme: Any) -> None:
    acme.key(*AUDIT)
    acme.key("admin")
    page = read(acme, "?limit=1000").json
    assert page["has_more"] is False
    for _ in range(2):
        page = read(acme, f"?cursor={page['next_cursor']}").json
        assert (page["data"], page["has_more"]) == ([], False)
    acme.post("/roles", {"name": "new"}, headers={"X-Request-Id": "request-of-mine"})
    page = read(acme, f"?cursor={page['next_cursor']}").json
    event = page["data"][0]
    assert (event["action"], event["request_id"], event["actor"]["type"]) == (
        "role.created",
        "request-of-mine",
        "api_key",
    )
    assert event["target"]["type"] == "role"


def test_pages_together_are_the_whole_log(acme: Any) -> None:
    acme.key(*AUDIT)
    whole = read(acme, "?limit=1000").json["data"]
    seen, cursor = [], ""
    while True:
        page = read(acme, f"?limit=2{cursor}").json
        seen += page["data"]
        cursor = f"&cursor={page['next_cursor']}"
        if not page["has_more"]:
            break
    assert seen == whole


def test_json_lines_carry_the_cursor_in_a_header(acme: Any) -> None:
    acme.user("ada")
    acme.key(*AUDIT)
    as_json = read(acme, "?limit=2").json
    lines = acme.get("/audit/events?limit=2", scopes=AUDIT, headers={"Accept": "application/x-ndjson"})
    assert lines.content_type == "application/x-ndjson"
    assert [json.loads(line) for line in lines.get_data(as_text=True).splitlines()] == as_json["data"]
    assert lines.headers["X-Next-Cursor"] == as_json["next_cursor"]


def test_each_filter_narrows_the_log(acme: Any) -> None:
    ada = acme.user("ada")
    acme.user("bob")
    acme.key(*AUDIT)
    acme.role()
    events = read(acme, "?limit=1000").json["data"]

    def positions(query: str) -> list[int]:
        return [event["position"] for event in read(acme, f"?limit=1000&{query}").json["data"]]

    def where(key: str, value: str) -> list[int]:
        return [event["position"] for event in events if event[key]["id"] == value]

    key_id = next(event["actor"]["id"] for event in events if event["actor"]["type"] == "api_key")
    assert positions(f"actor_id={key_id}") == where("actor", key_id)
    assert positions("actor_id=cli") == where("actor", "cli")
    assert positions(f"target_id={ada}") == where("target", ada)
    assert len(positions("action=user.created")) == 2
    split = events[3]["occurred_at"]
    assert positions(f"starting_at={split}") == [e["position"] for e in events if e["occurred_at"] >= split]
    assert positions(f"ending_at={split}") == [e["position"] for e in events if e["occurred_at"] < split]
    assert positions("starting_at=2020-01-01T00:00:00Z&action=none.such") == []


def test_what_an_event_names_has_the_id_that_rest_gives(acme: Any) -> None:
    acme.post("/scim_tokens", {"name": "okta"})
    acme.call("PUT", "/seat_pool", json={"quantity": 5})
    targets = {
        event["action"]: event["target"]
        for event in read(acme, "?limit=1000&starting_at=2020-01-01T00:00:00Z").json["data"]
    }
    assert targets["seat_pool.changed"] == {"type": "organization", "id": f"org_{acme.org_id}"}
    events = read(acme, "?limit=1000&action=credential.created").json["data"]
    kinds = {(event["target"]["type"], event["target"]["id"].partition("_")[0]) for event in events}
    assert kinds == {("scim_token", "scimtok"), ("api_key", "apikey")}


def test_a_cursor_is_bound_to_its_filters_and_organization(acme: Any, globex: Any, problem: Problem) -> None:
    cursor = read(acme, "?action=user.created").json["next_cursor"]
    problem(read(acme, f"?cursor={cursor}"), 400, "invalid_cursor")
    problem(read(acme, f"?action=user.deleted&cursor={cursor}"), 400, "invalid_cursor")
    problem(read(globex, f"?action=user.created&cursor={cursor}"), 400, "invalid_cursor")


def test_the_log_of_another_organization_is_not_seen(acme: Any, globex: Any) -> None:
    user = globex.user("ada")
    read(globex)
    assert read(acme, f"?target_id={user}").json["data"] == []
    assert all(event["target"]["id"] != user for event in read(acme, "?limit=1000").json["data"])


@pytest.mark.parametrize(
    "query",
    [
        "starting_at=yesterday",
        "starting_at=2026-01-01T00:00:00",
        "ending_at=0001-01-01T00:00:00%2B23:59",
        "action=",
        "position=3",
    ],
)
def test_a_bad_filter_is_named(acme: Any, problem: Problem, query: str) -> None:
    detail = problem(read(acme, f"?{query}"), 400, "invalid_request")["detail"]
    assert detail.startswith(query.partition("=")[0])


@pytest.mark.parametrize(
    "query", ["target_id=7", "actor_id=00000000-0000-7000-8000-000000000000", "target_id=cat_1"]
)
def test_what_is_no_id_is_not_found(acme: Any, problem: Problem, query: str) -> None:
    problem(read(acme, f"?{query}"), 404, "not_found")
