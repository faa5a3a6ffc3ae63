"""`/users`."""

from collections.abc import Callable
from typing import Any

import pytest

from app.directory.users import UserService

Problem = Callable[..., dict[str, Any]]


def test_a_person_is_shown_with_what_they_have(acme: Any) -> None:
    user = acme.user("ada", externalId="okta-1")
    shown = acme.get(f"/users/{user}", scopes=["directory:read"]).json
    assert shown == {
        "type": "user",
        "id": user,
        "user_name": "ada@example.com",
        "external_id": "okta-1",
        "display_name": "ada",
        "email": "ada@example.com",
        "active": True,
        "seat_state": None,
        "role_id": None,
        "surfaces": [],
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
    }
    role = acme.role(surfaces=["chat"])["id"]
    acme.post("/group_mappings", {"group_id": acme.group("eng", [user]), "role_id": role})
    seated = acme.get(f"/users/{user}").json
    assert (seated["seat_state"], seated["role_id"], seated["surfaces"]) == ("assigned", role, ["chat"])


def test_people_are_found_by_each_filter_and_all_together(acme: Any) -> None:
    ada, bob = acme.user("ada"), acme.user("bob")
    group = acme.group("eng", [ada])
    acme.post("/group_mappings", {"group_id": group, "role_id": acme.role()["id"]})

    def found(query: str) -> list[str]:
        return [user["id"] for user in acme.get(f"/users{query}").json["data"]]

    assert found("") == [ada, bob]
    assert found("?user_name=ADA@example.com") == [ada]
    assert found("?email=Bob@Example.com") == [bob]
    assert found(f"?group_id={group}") == [ada]
    assert found("?seat_state=assigned") == [ada]
    assert found("?seat_state=released") == []
    assert found(f"?group_id={group}&seat_state=assigned&email=ada@example.com") == [ada]
    assert found(f"?group_id={group}&user_name=bob@example.com") == []


@pytest.mark.parametrize(
    "query", ["seat_state=lost", "active=true", "user_name=a&user_name=b", "user_name=%00", "limit=x"]
)
def test_a_bad_query_is_refused(acme: Any, problem: Problem, query: str) -> None:
    problem(acme.get(f"/users?{query}"), 400, "invalid_request")


def test_people_of_another_organization_are_not_there(acme: Any, globex: Any, problem: Problem) -> None:
    user, group = globex.user("ada"), globex.group("eng")
    for path in ("", "/explain"):
        problem(acme.get(f"/users/{user}{path}"), 404, "user_not_found")
    for path in ("/deactivate", "/reactivate"):
        problem(acme.post(f"/users/{user}{path}"), 404, "user_not_found")
    problem(acme.get(f"/users?group_id={group}"), 404, "group_not_found")
    assert acme.get("/users").json["data"] == []
    assert globex.get(f"/users/{user}").json["active"] is True


@pytest.mark.parametrize("id_", ["x", "user_", "user_1", "00000000-0000-7000-8000-000000000000", "%00", "é"])
def test_what_is_no_id_is_not_found(acme: Any, problem: Problem, id_: str) -> None:
    problem(acme.get(f"/users/{id_}"), 404, "not_found")


def test_the_bare_id_of_scim_is_not_taken(acme: Any, problem: Problem) -> None:
    problem(acme.get(f"/users/{acme.user('ada').removeprefix('user_')}"), 404, "not_found")


def test_deactivating_releases_the_seat_in_the_same_answer(acme: Any) -> None:
    user = acme.user("ada")
    acme.post("/group_mappings", {"group_id": acme.group("eng", [user]), "role_id": acme.role()["id"]})
    off = acme.post(f"/users/{user}/deactivate")
    assert off.status_code == 200
    assert (off.json["active"], off.json["seat_state"], off.json["surfaces"]) == (False, "released", [])
    assert acme.get(f"/users/{user}").json == off.json
    again = acme.post(f"/users/{user}/deactivate", {}).json
    assert again["active"] is False

    on = acme.post(f"/users/{user}/reactivate")
    assert (on.json["active"], on.json["seat_state"]) == (True, "assigned")


def test_the_block_of_an_administrator_outlasts_the_idp(acme: Any) -> None:
    user = acme.user("ada")
    acme.post(f"/users/{user}/deactivate")
    with acme.services() as services:
        people = services.get(UserService)
        row = people.lock(user.removeprefix("user_"))
        people.update(row, {"userName": "ada@example.com"}, idp_active=True, changed=frozenset({"active"}))
    assert acme.get(f"/users/{user}").json["active"] is False


def test_who_is_off_in_the_idp_comes_back_only_there(acme: Any, problem: Problem) -> None:
    user = acme.user("ada")
    with acme.services() as services:
        people = services.get(UserService)
        row = people.lock(user.removeprefix("user_"))
        people.update(row, {"userName": "ada@example.com"}, idp_active=False, changed=frozenset({"active"}))
    problem(acme.post(f"/users/{user}/reactivate"), 409, "inactive_in_idp")


def test_a_body_for_deactivate_has_no_fields(acme: Any, problem: Problem) -> None:
    user = acme.user("ada")
    detail = problem(acme.post(f"/users/{user}/deactivate", {"why": 1}), 400, "invalid_request")["detail"]
    assert detail.startswith("why")
