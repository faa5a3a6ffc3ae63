"""`/groups`."""

from collections.abc import Callable
from typing import Any

Problem = Callable[..., dict[str, Any]]


def test_groups_are_listed_and_shown(acme: Any) -> None:
    group = acme.group("eng", [acme.user("ada"), acme.user("bob")])
    shown = acme.get(f"/groups/{group}", scopes=["directory:read"]).json
    assert shown == {
        "type": "group",
        "id": group,
        "display_name": "eng",
        "external_id": None,
        "member_count": 2,
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
    }
    assert acme.get("/groups").json == {"data": [shown], "has_more": False, "next_cursor": None}


def test_members_are_people_in_pages(acme: Any) -> None:
    people = [acme.user(name) for name in ("a", "b", "c")]
    group = acme.group("eng", people)
    acme.user("outsider")
    first = acme.get(f"/groups/{group}/members?limit=2").json
    assert [user["id"] for user in first["data"]] == people[:2]
    assert first["data"][0] == acme.get(f"/users/{people[0]}").json
    rest = acme.get(f"/groups/{group}/members?limit=2&cursor={first['next_cursor']}").json
    assert [user["id"] for user in rest["data"]] == people[2:]
    assert (rest["has_more"], rest["next_cursor"]) == (False, None)


def test_a_cursor_of_one_group_does_not_open_another(acme: Any, problem: Problem) -> None:
    group, other = acme.group("a", [acme.user("x"), acme.user("y")]), acme.group("b")
    cursor = acme.get(f"/groups/{group}/members?limit=1").json["next_cursor"]
    problem(acme.get(f"/groups/{other}/members?cursor={cursor}"), 400, "invalid_cursor")


def test_groups_of_another_organization_are_not_there(acme: Any, globex: Any, problem: Problem) -> None:
    group = globex.group("eng")
    problem(acme.get(f"/groups/{group}"), 404, "group_not_found")
    problem(acme.get(f"/groups/{group}/members"), 404, "group_not_found")
    problem(acme.get("/groups/eng"), 404, "not_found")
    assert acme.get("/groups").json["data"] == []


def test_groups_are_changed_in_the_idp_only(acme: Any) -> None:
    response = acme.post("/groups", {"display_name": "eng"})
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
