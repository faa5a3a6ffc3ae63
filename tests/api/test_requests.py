"""What holds for every request: bodies, queries, pages, problems."""

from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
def test_a_body_of_another_type_is_415(acme: Any, problem: Problem, media_type: str) -> None:
    response = acme.call("POST", "/roles", data='{"name":"r"}', content_type=media_type)
    problem(response, 415, "unsupported_media_type")


def test_a_charset_does_not_matter(acme: Any) -> None:
    response = acme.call(
        "POST", "/roles", data='{"name":"Prüfer"}'.encode(), content_type="application/json; charset=utf-8"
    )
    assert response.json["name"] == "Prüfer"
    assert response.content_type == "application/json"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"name":"a","name":"b"}',
        b'{"name":NaN}',
        b'{"name":"\\u0000"}',
        b'{"name":"\xff"}',
        b"[" * 99,
    ],
)
def test_what_is_no_strict_json_is_400(acme: Any, problem: Problem, data: bytes) -> None:
    problem(acme.call("POST", "/roles", data=data, content_type="application/json"), 400, "invalid_json")


@pytest.mark.parametrize("data", ["[]", "null", '"name"', "7"])
def test_a_body_is_an_object(acme: Any, problem: Problem, data: str) -> None:
    response = acme.call("POST", "/roles", data=data, content_type="application/json")
    problem(response, 400, "invalid_request")


def test_a_body_over_the_cap_is_413(acme: Any, problem: Problem) -> None:
    data = '{"name":"' + "x" * 1_100_000 + '"}'
    response = acme.call("POST", "/roles", data=data, content_type="application/json")
    problem(response, 413, "payload_too_large")


def test_every_fault_is_named_at_once(acme: Any, problem: Problem) -> None:
    body = {"surfaces": ["fax"], "seat": 1, "colour": "red"}
    detail = problem(acme.post("/roles", body), 400, "invalid_request")["detail"]
    for field in ("name:", "surfaces[0]:", "seat:", "colour:"):
        assert field in detail


@pytest.mark.parametrize(
    "path", ["/users", "/groups", "/roles", "/seats", "/scim_tokens", "/api_keys", "/audit/events"]
)
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "", "1e2"])
def test_a_limit_is_1_to_1000(acme: Any, problem: Problem, path: str, limit: str) -> None:
    assert problem(acme.get(f"{path}?limit={limit}"), 400, "invalid_request")["detail"].startswith("limit")


def test_lists_have_20_items_unless_asked_and_1000_at_most(acme: Any) -> None:
    for number in range(21):
        acme.role(f"r{number}")
    first = acme.get("/roles").json
    assert (len(first["data"]), first["has_more"]) == (20, True)
    rest = acme.get(f"/roles?limit=1000&cursor={first['next_cursor']}").json
    assert (len(rest["data"]), rest["has_more"], rest["next_cursor"]) == (6, False, None)
    assert len({role["id"] for role in first["data"] + rest["data"]}) == 26


def test_unknown_parameters_are_refused_everywhere(acme: Any, problem: Problem) -> None:
    for path in ("/users?page=2", "/organization?x=1", "/roles?sort=name", "/seat_pool?limit=1"):
        problem(acme.get(path), 400, "invalid_request")


def test_a_cursor_is_good_for_its_own_list_only(acme: Any, globex: Any, problem: Problem) -> None:
    for name in ("a", "b", "c"):
        acme.user(name)
        globex.user(name)
    cursor = acme.get("/users?limit=1").json["next_cursor"]
    assert acme.get(f"/users?limit=2&cursor={cursor}").status_code == 200
    problem(acme.get(f"/users?cursor={cursor}&email=a@example.com"), 400, "invalid_cursor")
    problem(acme.get(f"/roles?cursor={cursor}"), 400, "invalid_cursor")
    problem(globex.get(f"/users?cursor={cursor}"), 400, "invalid_cursor")


def test_a_changed_or_invented_cursor_is_refused(acme: Any, problem: Problem) -> None:
    for name in ("a", "b"):
        acme.user(name)
    cursor = acme.get("/users?limit=1").json["next_cursor"]
    swapped = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for bad in (swapped, cursor[:-1], "", "x", "WzEsMl0", "é"):
        problem(acme.get(f"/users?cursor={bad}"), 400, "invalid_cursor")
    problem(acme.get(f"/users?cursor={'x' * 1001}"), 400, "invalid_request")


def test_an_unknown_path_is_404_and_a_wrong_method_405_with_allow(acme: Any, problem: Problem) -> None:
    problem(acme.get("/unicorns"), 404, "not_found")
    response = acme.call("DELETE", "/roles")
    problem(response, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_the_callers_request_id_comes_back(acme: Any) -> None:
    response = acme.get("/users/x", headers={"X-Request-Id": "my-request-1"})
    assert response.json["request_id"] == response.headers["X-Request-Id"] == "my-request-1"
