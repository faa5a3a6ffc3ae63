"""`/seats` and `/seat_pool`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.fakes import FakeClock

Problem = Callable[..., dict[str, Any]]
NOBODY = "user_00000000-0000-7000-8000-000000000000"


def give(office: Any, user: str, role: str) -> Any:
    return office.post("/seats", {"user_id": user, "role_id": role, "reason": "trial"})


def test_a_seat_is_given_by_hand_suspended_resumed_and_taken_back(acme: Any) -> None:
    user, role = acme.user("ada"), acme.role(surfaces=["code"])["id"]
    given = give(acme, user, role)
    assert given.status_code == 201
    seat = given.json
    assert seat == {
        "type": "seat",
        "id": user.replace("user_", "seat_"),
        "user_id": user,
        "state": "assigned",
        "role_id": role,
        "surfaces": ["code"],
        "sources": [{"type": "manual", "group_id": None, "mapping_id": None}],
        "since": seat["since"],
        "given_by": {"type": "api_key", "id": seat["given_by"]["id"]},
        "reason": "trial",
        "suspension": None,
        "waiting_position": None,
    }
    assert seat["given_by"]["id"] in {key["id"] for key in acme.get("/api_keys").json["data"]}
    assert seat["since"].endswith("Z")
    assert acme.get(f"/seats/{user}").json == seat

    suspended = acme.call("PATCH", f"/seats/{user}", json={"suspended": True, "reason": "leave"}).json
    assert (suspended["state"], suspended["surfaces"]) == ("suspended", [])
    since = suspended["suspension"]["since"]
    assert suspended["suspension"] == {"by": seat["given_by"], "reason": "leave", "since": since}
    assert acme.get(f"/users/{user}").json["surfaces"] == []
    resumed = acme.call("PATCH", f"/seats/{user}", json={"suspended": False}).json
    assert (resumed["state"], resumed["surfaces"]) == ("assigned", ["code"])
    assert resumed["suspension"] is None

    taken = acme.call("DELETE", f"/seats/{user}")
    assert taken.status_code == 200
    assert (taken.json["state"], taken.json["sources"], taken.json["surfaces"]) == ("released", [], [])
    assert (taken.json["given_by"], taken.json["reason"]) == (None, None)


def test_who_waits_sees_the_position(acme: Any) -> None:
    role = acme.role()["id"]
    acme.call("PUT", "/seat_pool", json={"quantity": 0})
    people = [acme.user(name) for name in ("a", "b", "c")]
    group = acme.group("first", [people[2]])
    acme.post("/group_mappings", {"group_id": group, "role_id": role})
    for user in people[:2]:
        give(acme, user, role)
    positions = [acme.get(f"/seats/{user}").json["waiting_position"] for user in people]
    assert positions == [2, 3, 1]
    listed = acme.get("/seats").json["data"]
    assert {seat["user_id"]: seat["waiting_position"] for seat in listed} == dict(
        zip(people, positions, strict=True)
    )


def test_a_group_source_is_named_and_survives_the_manual_one(acme: Any, problem: Problem) -> None:
    user, role = acme.user("ada"), acme.role()["id"]
    group = acme.group("eng", [user])
    mapping = acme.post("/group_mappings", {"group_id": group, "role_id": role}).json
    by_group = {"type": "group", "group_id": group, "mapping_id": mapping["id"]}
    assert acme.get(f"/seats/{user}").json["sources"] == [by_group]
    assert len(give(acme, user, role).json["sources"]) == 2
    left = acme.call("DELETE", f"/seats/{user}").json
    assert (left["state"], left["sources"]) == ("assigned", [by_group])
    problem(acme.call("DELETE", f"/seats/{user}"), 409, "no_manual_seat")


def test_who_does_not_fit_waits_and_moves_up_when_the_pool_grows(acme: Any) -> None:
    role = acme.role(surfaces=["code"])["id"]
    first, second, third = (acme.user(name) for name in ("a", "b", "c"))
    assert acme.get("/seat_pool").json == {
        "type": "seat_pool",
        "id": f"org_{acme.org_id}",
        "quantity": None,
        "assigned": 0,
        "waitlisted": 0,
        "available": None,
        "kept": 0,
        "over_assigned": 0,
        "contracts": [],
    }
    pool = acme.call("PUT", "/seat_pool", json={"quantity": 1}).json
    assert (pool["quantity"], pool["available"]) == (1, 1)
    assert [give(acme, user, role).json["state"] for user in (first, second, third)] == [
        "assigned",
        "waitlisted",
        "waitlisted",
    ]
    assert acme.get(f"/seats/{second}").json["surfaces"] == []
    pool = acme.get("/seat_pool").json
    assert (pool["assigned"], pool["waitlisted"], pool["available"]) == (1, 2, 0)
    pool = acme.call("PUT", "/seat_pool", json={"quantity": 2}).json
    assert (pool["assigned"], pool["waitlisted"], pool["available"]) == (2, 1, 0)
    assert acme.get(f"/seats/{second}").json["state"] == "assigned"
    waiting = acme.get("/seats?state=waitlisted").json["data"]
    assert [seat["user_id"] for seat in waiting] == [third]
    assert len(acme.get("/seats").json["data"]) == 3


def test_the_pool_never_shrinks_below_its_people(acme: Any, problem: Problem) -> None:
    give(acme, acme.user("ada"), acme.role()["id"])
    problem(acme.call("PUT", "/seat_pool", json={"quantity": 0}), 409, "seat_pool_in_use")
    unlimited = acme.call("PUT", "/seat_pool", json={"quantity": None}).json
    assert (unlimited["quantity"], unlimited["assigned"]) == (None, 1)


def test_the_quantity_of_contracts_is_the_sum_of_today(acme: Any, clock: FakeClock) -> None:
    today = clock.now().date()
    yesterday, tomorrow = (str(today + timedelta(days=days)) for days in (-1, 1))
    contracts = [
        {"quantity": 3, "starts_on": yesterday, "ends_on": str(today)},
        {"quantity": 2, "starts_on": str(today), "ends_on": None},
        {"quantity": 7, "starts_on": tomorrow, "ends_on": tomorrow},
    ]
    pool = acme.call("PUT", "/seat_pool", json={"contracts": contracts}).json
    assert (pool["quantity"], pool["available"], pool["contracts"]) == (5, 5, contracts)
    # A quantity alone is a contract from today for good; null is none.
    pool = acme.call("PUT", "/seat_pool", json={"quantity": 4}).json
    assert pool["contracts"] == [{"quantity": 4, "starts_on": str(today), "ends_on": None}]
    assert acme.call("PUT", "/seat_pool", json={"quantity": None}).json["contracts"] == []


@pytest.mark.parametrize(
    ("contracts", "named"),
    [
        ({}, "contracts"),
        ([{"quantity": 1}], "contracts[0].starts_on"),
        ([{"quantity": -1, "starts_on": "2026-01-01"}], "contracts[0].quantity"),
        ([{"quantity": 1, "starts_on": "soon"}], "contracts[0].starts_on"),
        ([{"quantity": 1, "starts_on": "2026-01-02", "ends_on": "2026-01-01"}], "contracts[0].ends_on"),
        ([{"quantity": 1, "starts_on": "2026-01-02", "ends_on": "9999-12-31"}], "contracts[0].ends_on"),
        ([{"quantity": 2**31 - 1, "starts_on": "2026-01-02"}] * 2, "contracts"),
        ([{"quantity": 1, "starts_on": "2026-01-02"}] * 101, "contracts"),
    ],
)
def test_each_bad_part_of_a_contract_is_named(
    acme: Any, problem: Problem, contracts: object, named: str
) -> None:
    response = acme.call("PUT", "/seat_pool", json={"contracts": contracts})
    assert problem(response, 400, "invalid_request")["detail"].startswith(f"{named}: ")


def test_a_quantity_and_contracts_are_not_given_together(acme: Any, problem: Problem) -> None:
    both = {"quantity": 1, "contracts": []}
    problem(acme.call("PUT", "/seat_pool", json=both), 400, "invalid_request")


@pytest.mark.parametrize("quantity", [-1, "5", 1.5, True, 2**31, [], {}])
def test_a_quantity_is_a_whole_number_or_null(acme: Any, problem: Problem, quantity: object) -> None:
    response = acme.call("PUT", "/seat_pool", json={"quantity": quantity})
    assert problem(response, 400, "invalid_request")["detail"].startswith("quantity")


def test_the_pool_size_must_be_named(acme: Any, problem: Problem) -> None:
    problem(acme.call("PUT", "/seat_pool", json={}), 400, "invalid_request")


def test_who_never_had_a_seat_has_none_here(acme: Any, globex: Any, problem: Problem) -> None:
    user = acme.user("ada")
    problem(acme.get(f"/seats/{user}"), 404, "seat_not_found")
    give(acme, user, acme.role()["id"])
    for method, options in (("GET", {}), ("PATCH", {"json": {"suspended": True}}), ("DELETE", {})):
        problem(globex.call(method, f"/seats/{user}", **options), 404, "seat_not_found")
    assert acme.get(f"/seats/{user}").json["state"] == "assigned"


def test_seats_are_given_to_active_people_here_with_roles_of_here(
    acme: Any, globex: Any, problem: Problem
) -> None:
    user, role = acme.user("ada"), acme.role()["id"]
    problem(give(acme, globex.user("bob"), role), 404, "user_not_found")
    problem(give(acme, user, globex.role()["id"]), 404, "role_not_found")
    acme.post(f"/users/{user}/deactivate")
    problem(give(acme, user, role), 409, "user_inactive")


def test_a_released_seat_is_not_suspended(acme: Any, problem: Problem) -> None:
    user = acme.user("ada")
    give(acme, user, acme.role()["id"])
    acme.call("DELETE", f"/seats/{user}")
    problem(acme.call("PATCH", f"/seats/{user}", json={"suspended": True}), 409, "seat_state")


@pytest.mark.parametrize(
    ("field", "value"),
    [("user_id", 1), ("role_id", None), ("reason", "x" * 501), ("reason", 1), ("since", "now")],
)
def test_each_bad_field_is_named(acme: Any, problem: Problem, field: str, value: object) -> None:
    body = {"user_id": NOBODY, "role_id": NOBODY.replace("user", "role"), field: value}
    assert problem(acme.post("/seats", body), 400, "invalid_request")["detail"].startswith(field)


@pytest.mark.parametrize("value", ["true", 1, None])
def test_suspended_is_true_or_false(acme: Any, problem: Problem, value: object) -> None:
    response = acme.call("PATCH", f"/seats/{NOBODY}", json={"suspended": value})
    assert problem(response, 400, "invalid_request")["detail"].startswith("suspended")


def test_the_state_filter_knows_its_values(acme: Any, problem: Problem) -> None:
    assert problem(acme.get("/seats?state=lost"), 400, "invalid_request")["detail"].startswith("state")
