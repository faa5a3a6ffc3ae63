"""`/spend_limits/effective`."""

from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]


def test_the_limits_of_the_first_mapped_role_hold(acme: Any) -> None:
    user = acme.user("ada")
    limits = [
        {"window": "monthly", "amount_usd": "100.123456789"},
        {"window": "five_hour", "amount_usd": "5"},
    ]
    role = acme.role(spend_limits=limits)
    acme.post("/group_mappings", {"group_id": acme.group("eng", [user]), "role_id": role["id"]})
    answer = acme.get(f"/spend_limits/effective?user_id={user}", scopes=["governance:read"]).json
    assert (answer["has_more"], answer["next_cursor"]) == (False, None)
    first, second = answer["data"]
    assert first == {
        "type": "effective_spend_limit",
        "user_id": user,
        "window": "five_hour",
        "amount_usd": "5",
        "source": "role",
        "settled_usd": "0",
        "reserved_usd": "0",
        "remaining_usd": "5",
        "resets_at": None,
    }
    assert (second["window"], second["amount_usd"]) == ("monthly", "100.123456789")
    assert second["resets_at"].endswith("Z")


def test_without_a_seat_there_are_exactly_four_zeros(acme: Any) -> None:
    user = acme.user("ada")
    rows = acme.get(f"/spend_limits/effective?user_id={user}").json["data"]
    assert [row["window"] for row in rows] == ["five_hour", "daily", "weekly", "monthly"]
    assert {(row["amount_usd"], row["remaining_usd"], row["source"]) for row in rows} == {
        ("0", "0", "deprovisioned")
    }


def test_limits_come_in_pages_too(acme: Any) -> None:
    path = f"/spend_limits/effective?user_id={acme.user('ada')}&limit=3"
    first = acme.get(path).json
    rest = acme.get(f"{path}&cursor={first['next_cursor']}").json
    assert first["has_more"] is True
    assert [row["window"] for row in first["data"] + rest["data"]] == [
        "five_hour",
        "daily",
        "weekly",
        "monthly",
    ]


def test_the_person_must_be_named_and_be_of_here(acme: Any, globex: Any, problem: Problem) -> None:
    problem(acme.get("/spend_limits/effective"), 400, "invalid_request")
    problem(acme.get("/spend_limits/effective?user_id=ada"), 404, "not_found")
    foreign = globex.user("ada")
    problem(acme.get(f"/spend_limits/effective?user_id={foreign}"), 404, "user_not_found")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_limits_are_read_only_here(acme: Any, method: str) -> None:
    assert acme.call(method, "/spend_limits/effective").status_code == 405
