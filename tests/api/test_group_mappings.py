"""`/group_mappings`."""

from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def test_a_mapping_is_appended_listed_and_deleted(acme: Any) -> None:
    role, group = acme.role(), acme.group("eng", [acme.user("ada")])
    empty = acme.get("/group_mappings")
    assert empty.json["data"] == []
    made = acme.post("/group_mappings", {"group_id": group, "role_id": role["id"]})
    assert made.status_code == 201
    assert made.json == {
        "type": "group_mapping",
        "id": made.json["id"],
        "position": 1,
        "group_id": group,
        "role_id": role["id"],
        "seat_on": "provision",
        "effective_at": None,
        "expires_at": None,
        "group_display_name": "eng",
        "member_count": 1,
        "warnings": [],
    }
    assert made.json["id"].startswith("gmap_")
    listed = acme.get("/group_mappings")
    version = empty.json["version"] + 1
    assert listed.json == {
        "type": "group_mapping_list",
        "version": version,
        "data": [made.json],
        "has_more": False,
        "next_cursor": None,
    }
    assert listed.headers["ETag"] == f'"{version}"'
    gone = acme.call("DELETE", f"/group_mappings/{made.json['id']}")
    assert gone.json == {"type": "group_mapping_deleted", "id": made.json["id"]}
    assert acme.get("/group_mappings").json["data"] == []


def test_a_mapping_gives_seats_at_once_and_its_end_takes_them(acme: Any) -> None:
    user = acme.user("ada")
    mapping = acme.post(
        "/group_mappings", {"group_id": acme.group("eng", [user]), "role_id": acme.role()["id"]}
    ).json
    assert acme.get(f"/users/{user}").json["seat_state"] == "assigned"
    acme.call("DELETE", f"/group_mappings/{mapping['id']}")
    assert acme.get(f"/users/{user}").json["seat_state"] == "released"


@pytest.mark.parametrize("form", ["{}", '"{}"', 'W/"{}"', ' "{}" '])
def test_what_was_read_can_be_sent_back_in_another_order(acme: Any, form: str) -> None:
    role = acme.role()
    for name in ("a", "b", "c"):
        acme.post("/group_mappings", {"group_id": acme.group(name), "role_id": role["id"]})
    read = acme.get("/group_mappings").json
    read["data"].reverse()
    headers = {"If-Match": form.format(read["version"])}
    stored = acme.call("PUT", "/group_mappings", json=read, headers=headers)
    assert stored.status_code == 200
    assert [item["group_display_name"] for item in stored.json["data"]] == ["c", "b", "a"]
    assert [item["position"] for item in stored.json["data"]] == [1, 2, 3]
    assert [item["id"] for item in stored.json["data"]] == [item["id"] for item in read["data"]]
    assert stored.json["version"] == read["version"] + 1
    assert stored.headers["ETag"] == f'"{read["version"] + 1}"'
    assert acme.get("/group_mappings").json == stored.json


def test_a_stale_version_changes_nothing(acme: Any, problem: Problem) -> None:
    role = acme.role()
    acme.post("/group_mappings", {"group_id": acme.group("a"), "role_id": role["id"]})
    read = acme.get("/group_mappings").json
    headers = {"If-Match": str(read["version"] - 1)}
    problem(acme.call("PUT", "/group_mappings", json={"data": []}, headers=headers), 412, "mappings_moved")
    assert acme.get("/group_mappings").json == read


@pytest.mark.parametrize("value", ["*", "x", '"1", "2"', "", "1" * 11])
def test_if_match_must_be_one_version(acme: Any, problem: Problem, value: str) -> None:
    response = acme.call("PUT", "/group_mappings", json={"data": []}, headers={"If-Match": value})
    problem(response, 400, "invalid_request")


def test_a_replacement_without_if_match_is_refused(acme: Any, problem: Problem) -> None:
    problem(acme.call("PUT", "/group_mappings", json={"data": []}), 400, "if_match_required")


def test_a_pair_stands_once(acme: Any, problem: Problem) -> None:
    pair = {"group_id": acme.group("a"), "role_id": acme.role()["id"]}
    acme.post("/group_mappings", pair)
    problem(acme.post("/group_mappings", pair), 409, "mapping_exists")
    headers = {"If-Match": str(acme.get("/group_mappings").json["version"])}
    problem(
        acme.call("PUT", "/group_mappings", json={"data": [pair, pair]}, headers=headers),
        422,
        "mapping_exists",
    )


def test_a_group_deleted_in_the_idp_is_a_warning(acme: Any) -> None:
    from app.directory.groups import GroupService

    group = acme.group("a", [acme.user("ada")])
    acme.post("/group_mappings", {"group_id": group, "role_id": acme.role()["id"]})
    with acme.services() as services:
        groups = services.get(GroupService)
        groups.delete(groups.lock(group.removeprefix("group_")))
    mapping = acme.get("/group_mappings").json["data"][0]
    assert mapping["warnings"] == ["group_deleted"]
    assert mapping["group_display_name"] == "a"
    assert mapping["member_count"] == 0


def test_nothing_of_another_organization_can_be_mapped(acme: Any, globex: Any, problem: Problem) -> None:
    role, group = acme.role()["id"], acme.group("a")
    foreign_role, foreign_group = globex.role()["id"], globex.group("a")
    problem(
        acme.post("/group_mappings", {"group_id": foreign_group, "role_id": role}), 404, "group_not_found"
    )
    problem(acme.post("/group_mappings", {"group_id": group, "role_id": foreign_role}), 404, "role_not_found")
    theirs = globex.post("/group_mappings", {"group_id": foreign_group, "role_id": foreign_role}).json
    problem(acme.call("DELETE", f"/group_mappings/{theirs['id']}"), 404, "group_mapping_not_found")
    assert globex.get("/group_mappings").json["data"] == [theirs]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("group_id", UNKNOWN, 404),
        ("group_id", f"user_{UNKNOWN}", 404),
        ("group_id", 7, 400),
        ("group_id", None, 400),
        ("role_id", f"role_{UNKNOWN}", 404),
        ("role_id", [], 400),
        ("seat_on", "payday", 400),
        ("position", 1, 400),
    ],
)
def test_each_bad_field_is_refused(
    acme: Any, problem: Problem, field: str, value: object, status: int
) -> None:
    body = {"group_id": acme.group("a"), "role_id": acme.role()["id"], field: value}
    response = acme.post("/group_mappings", body)
    assert response.status_code == status
    if status == 400:
        assert problem(response, 400, "invalid_request")["detail"].startswith(field)
