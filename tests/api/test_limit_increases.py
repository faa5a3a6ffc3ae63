"""`/limit_increases`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from tests.support.fakes import FakeClock

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def ada(acme: Any) -> str:
    """Somebody with a seat and a monthly limit of 10 from the role."""
    user: str = acme.user("ada")
    role = acme.role(spend_limits=[{"window": "monthly", "amount_usd": "10"}])
    acme.post("/group_mappings", {"group_id": acme.group("eng", [user]), "role_id": role["id"]})
    return user


def ask(acme: Any, user: str, **fields: Any) -> Any:
    body = {"user_id": user, "window": "monthly", "amount_usd": "25", "reason": "release week", **fields}
    return acme.post("/limit_increases", body)


def effective(acme: Any, user: str) -> list[tuple[str, str]]:
    rows = acme.get(f"/spend_limits/effective?user_id={user}").json["data"]
    return [(row["amount_usd"], row["source"]) for row in rows]


def test_a_request_waits_and_changes_nothing(acme: Any, ada: str) -> None:
    made = ask(acme, ada)
    assert made.status_code == 201
    body = made.json
    assert (body["type"], body["state"], body["amount_usd"]) == ("limit_increase", "pending", "25")
    assert body["granted_usd"] is body["resolved_at"] is body["resolved_by"] is None
    assert body["requested_by"]["type"] == "api_key"
    assert acme.get(f"/limit_increases/{body['id']}").json == body
    assert effective(acme, ada) == [("10", "role")]


def test_approval_gives_what_was_asked_for_good(acme: Any, ada: str) -> None:
    path = f"/limit_increases/{ask(acme, ada).json['id']}"
    approved = acme.post(f"{path}/approve", {"note": "go on"}).json
    assert (approved["state"], approved["granted_usd"], approved["note"]) == ("approved", "25", "go on")
    assert approved["resolved_by"]["type"] == "api_key"
    assert effective(acme, ada) == [("25", "user")]


def test_a_temporary_grant_ends_by_itself(acme: Any, ada: str, clock: FakeClock) -> None:
    path = f"/limit_increases/{ask(acme, ada).json['id']}"
    until = rfc3339(clock.now() + timedelta(hours=1))
    approved = acme.post(f"{path}/approve", {"amount_usd": "15", "expires_at": until}).json
    assert (approved["granted_usd"], approved["expires_at"]) == ("15", until)
    assert effective(acme, ada) == [("15", "user")]
    clock.advance(hours=1, seconds=1)
    assert effective(acme, ada) == [("10", "role")]


def test_denial_changes_nothing(acme: Any, ada: str) -> None:
    path = f"/limit_increases/{ask(acme, ada).json['id']}"
    denied = acme.post(f"{path}/deny", {"note": "use the pool"}).json
    assert (denied["state"], denied["granted_usd"], denied["note"]) == ("denied", None, "use the pool")
    assert effective(acme, ada) == [("10", "role")]


@pytest.mark.parametrize("second", ["approve", "deny"])
def test_a_request_is_resolved_once(acme: Any, ada: str, problem: Problem, second: str) -> None:
    path = f"/limit_increases/{ask(acme, ada).json['id']}"
    acme.post(f"{path}/approve", {})
    problem(acme.post(f"{path}/{second}", {}), 409, "increase_resolved")


def test_one_request_for_a_person_and_window_is_open_at_a_time(acme: Any, ada: str, problem: Problem) -> None:
    first = ask(acme, ada)
    problem(ask(acme, ada), 409, "increase_pending")
    assert ask(acme, ada, window="daily").status_code == 201
    acme.post(f"/limit_increases/{first.json['id']}/deny", {})
    assert ask(acme, ada).status_code == 201


def test_requests_are_listed_with_filters(acme: Any, ada: str) -> None:
    first, second = ask(acme, ada).json, ask(acme, acme.user("bob"), window="daily").json
    acme.post(f"/limit_increases/{first['id']}/deny", {})

    def listed(query: str) -> list[str]:
        return [row["id"] for row in acme.get(f"/limit_increases?{query}").json["data"]]

    assert listed("") == [first["id"], second["id"]]
    assert listed("state=pending") == [second["id"]]
    assert listed("state=denied&window=monthly") == [first["id"]]
    assert listed(f"user_id={ada}") == [first["id"]]
    assert acme.get("/limit_increases?limit=1").json["has_more"] is True


def test_every_step_is_in_the_audit_log_of_the_person(acme: Any, ada: str) -> None:
    denied, approved = ask(acme, ada).json, ask(acme, ada, window="daily").json
    acme.post(f"/limit_increases/{denied['id']}/deny", {})
    acme.post(f"/limit_increases/{approved['id']}/approve", {})
    entries = acme.get(f"/audit/events?target_id={ada}").json["data"]
    actions = [entry["action"] for entry in entries if entry["action"].startswith(("limit_", "spend_"))]
    assert actions == [
        "limit_increase.requested",
        "limit_increase.requested",
        "limit_increase.denied",
        "spend_limit.set",
        "limit_increase.approved",
    ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"window": "yearly"}, "window"),
        ({"amount_usd": 25}, "amount_usd"),
        ({"amount_usd": None}, "amount_usd"),
        ({"reason": "x" * 501}, "reason"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_each_bad_field_is_named(
    acme: Any, ada: str, problem: Problem, fields: dict[str, Any], named: str
) -> None:
    assert problem(ask(acme, ada, **fields), 400, "invalid_request")["detail"].startswith(named)


def test_a_grant_cannot_end_before_it_begins(acme: Any, ada: str, problem: Problem) -> None:
    path = f"/limit_increases/{ask(acme, ada).json['id']}"
    body = {"expires_at": "2020-01-01T00:00:00Z"}
    assert "expires_at" in problem(acme.post(f"{path}/approve", body), 400, "invalid_request")["detail"]
    assert acme.get(path).json["state"] == "pending"


def test_another_organizations_people_and_requests_are_not_there(
    acme: Any, globex: Any, ada: str, problem: Problem
) -> None:
    problem(ask(globex, ada), 404, "user_not_found")
    path = f"/limit_increases/{ask(acme, ada).json['id']}"
    problem(globex.get(path), 404, "limit_increase_not_found")
    problem(globex.post(f"{path}/approve", {}), 404, "limit_increase_not_found")
    problem(globex.post(f"{path}/deny", {}), 404, "limit_increase_not_found")
