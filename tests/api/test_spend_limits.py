"""`/spend_limits` and what of them holds for one person."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from app.core.ids import edge_id
from app.governance.limits import LimitService
from tests.support.fakes import FakeClock

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
        "scope": {"type": "user", "id": user},
        "pool": False,
        "window": "five_hour",
        "amount_usd": "5",
        "mode": "hard",
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


def set_limit(acme: Any, scope: str, id_: str, amount: str | None, **fields: Any) -> Any:
    scope_ = {"type": scope, "id": id_}
    return acme.post("/spend_limits", {"scope": scope_, "window": "monthly", "amount_usd": amount, **fields})


def seated(acme: Any, *amounts: str) -> tuple[str, str]:
    """A person with a seat and, from the role, a monthly limit; answers the user's and group's id."""
    user = acme.user("ada")
    limits = [{"window": "monthly", "amount_usd": amount} for amount in amounts]
    group = acme.group("eng", [user])
    acme.post("/group_mappings", {"group_id": group, "role_id": acme.role(spend_limits=limits)["id"]})
    return user, group


def effective(acme: Any, user: str) -> list[tuple[str, str, bool]]:
    rows = acme.get(f"/spend_limits/effective?user_id={user}").json["data"]
    return [(row["amount_usd"], row["source"], row["pool"]) for row in rows]


def org_of(acme: Any) -> str:
    return str(acme.get("/organization").json["id"])


def test_of_two_who_delete_a_limit_at_once_one_finds_it_gone(
    acme: Any, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = {"type": "organization", "id": edge_id("org", acme.org_id)}
    made = acme.post("/spend_limits", {"scope": scope, "window": "daily", "amount_usd": "5"}).json
    with acme.services() as services:
        seen = services.get(LimitService).get(made["id"].removeprefix("spl_"))
    path = f"/spend_limits/{made['id']}"
    assert acme.call("DELETE", path).status_code == 200
    # The other one has read it before.
    monkeypatch.setattr(LimitService, "get", lambda *_: seen)
    problem(acme.call("DELETE", path), 404, "spend_limit_not_found")
    assert acme.organization.audit_actions().count("spend_limit.deleted") == 1


def test_a_limit_is_set_shown_replaced_and_deleted(acme: Any) -> None:
    user = acme.user("ada")
    made = set_limit(acme, "user", user, "50", mode="soft")
    assert made.status_code == 201
    shown = made.json
    assert {name: shown[name] for name in shown if name not in ("id", "created_at")} == {
        "type": "spend_limit",
        "scope": {"type": "user", "id": user},
        "window": "monthly",
        "amount_usd": "50",
        "mode": "soft",
        "pool": False,
        "expires_at": None,
    }
    path = f"/spend_limits/{shown['id']}"
    assert acme.get(path).json == shown
    again = set_limit(acme, "user", user, None).json
    assert again == {**shown, "amount_usd": None, "mode": "hard"}
    assert acme.get("/spend_limits").json["data"] == [again]
    assert acme.call("DELETE", path).json == {"type": "spend_limit_deleted", "id": shown["id"]}
    assert acme.get(path).status_code == 404
    assert acme.get("/spend_limits").json["data"] == []


def test_the_nearest_limit_is_the_personal_cap_and_pools_come_after_it(acme: Any) -> None:
    user, group = seated(acme, "10")
    set_limit(acme, "organization", org_of(acme), "1000")
    set_limit(acme, "group", group, "5")
    assert effective(acme, user) == [("10", "role", False), ("1000", "organization", True)]
    mine = set_limit(acme, "user", user, "70").json
    assert effective(acme, user)[0] == ("70", "user", False)
    set_limit(acme, "user", user, None)
    assert effective(acme, user) == [("1000", "organization", True)]
    acme.call("DELETE", f"/spend_limits/{mine['id']}")
    assert effective(acme, user)[0] == ("10", "role", False)


def test_without_a_role_limit_the_groups_and_then_the_organizations_limit_holds(acme: Any) -> None:
    user, group = seated(acme)
    set_limit(acme, "organization", org_of(acme), "30", pool=False)
    assert effective(acme, user) == [("30", "organization", False)]
    set_limit(acme, "group", group, "40")
    assert effective(acme, user) == [("40", "group", False)]
    set_limit(acme, "group", group, "500", pool=True)
    assert effective(acme, user) == [("30", "organization", False), ("500", "group", True)]
    rows = acme.get(f"/spend_limits/effective?user_id={user}").json["data"]
    assert [row["scope"] for row in rows] == [{"type": "user", "id": user}, {"type": "group", "id": group}]


def test_a_temporary_limit_lies_over_the_standing_one_until_it_expires(acme: Any, clock: FakeClock) -> None:
    user, _ = seated(acme, "10")
    set_limit(acme, "user", user, "20")
    until = rfc3339(clock.now() + timedelta(hours=2))
    assert set_limit(acme, "user", user, "90", expires_at=until).json["expires_at"] == until
    assert effective(acme, user) == [("90", "user", False)]
    clock.advance(hours=2, seconds=1)
    assert effective(acme, user) == [("20", "user", False)]
    assert [row["amount_usd"] for row in acme.get("/spend_limits").json["data"]] == ["20"]


def test_a_standing_limit_replaces_a_temporary_one_as_well(acme: Any, clock: FakeClock) -> None:
    user, _ = seated(acme, "10")
    set_limit(acme, "user", user, "90", expires_at=rfc3339(clock.now() + timedelta(hours=2)))
    set_limit(acme, "user", user, "15")
    assert effective(acme, user) == [("15", "user", False)]
    assert len(acme.get("/spend_limits").json["data"]) == 1


def test_a_persons_limit_survives_deletion_and_return(acme: Any) -> None:
    user, _ = seated(acme, "10")
    set_limit(acme, "user", user, "20")
    scim = acme.organization.scim
    scim.delete(f"/Users/{user.removeprefix('user_')}")
    returned = f"user_{scim.create_user('ada@example.com')}"
    limits = acme.get("/spend_limits").json["data"]
    assert [(row["scope"]["id"], row["amount_usd"]) for row in limits] == [(returned, "20")]


def test_limits_are_listed_with_filters_and_in_pages(acme: Any) -> None:
    user, group = seated(acme, "10")
    ids = [
        set_limit(acme, *scope, "5", **fields).json["id"]
        for scope, fields in [
            (("user", user), {}),
            (("user", user), {"window": "daily"}),
            (("group", group), {}),
            (("organization", org_of(acme)), {}),
        ]
    ]

    def listed(query: str) -> list[str]:
        return [row["id"] for row in acme.get(f"/spend_limits?{query}").json["data"]]

    assert listed("") == ids
    assert listed("scope_type=group") == listed(f"group_id={group}") == ids[2:3]
    assert listed(f"user_id={user}&window=daily") == ids[1:2]
    first = acme.get("/spend_limits?limit=3").json
    assert first["has_more"] is True
    assert listed(f"limit=3&cursor={first['next_cursor']}") == ids[3:]


def test_every_change_is_in_the_audit_log_with_what_was_before(acme: Any) -> None:
    user = acme.user("ada")
    set_limit(acme, "user", user, "5")
    made = set_limit(acme, "user", user, "7").json
    acme.call("DELETE", f"/spend_limits/{made['id']}")
    entries = acme.get(f"/audit/events?target_id={user}").json["data"][1:]
    assert [(entry["action"], entry["data"]["amount_nanousd"]) for entry in entries] == [
        ("spend_limit.set", 5_000_000_000),
        ("spend_limit.set", 7_000_000_000),
        ("spend_limit.deleted", 7_000_000_000),
    ]
    assert entries[0]["data"]["previous"] is None
    assert entries[1]["data"]["previous"]["amount_nanousd"] == 5_000_000_000


def test_what_is_no_limit_is_refused(acme: Any, problem: Problem) -> None:
    user, group = seated(acme)
    past = "2020-01-01T00:00:00Z"
    refused: list[tuple[str, str, str | None, dict[str, Any], str]] = [
        ("role", "role_1", "5", {}, "scope.type"),
        ("group", group, None, {}, "amount_usd"),
        ("organization", org_of(acme), None, {}, "amount_usd"),
        ("user", user, "5", {"pool": True}, "pool"),
        ("user", user, "5", {"expires_at": past}, "expires_at"),
        ("user", user, "5", {"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ("user", user, "5", {"mode": "gentle"}, "mode"),
        ("user", user, "5", {"window": "yearly"}, "window"),
        ("user", user, "-5", {}, "amount_usd"),
        ("user", user, "5", {"zone": "UTC"}, "zone"),
    ]
    for scope, id_, amount, fields, named in refused:
        response = set_limit(acme, scope, id_, amount, **fields)
        assert problem(response, 400, "invalid_request")["detail"].startswith(named)


def test_whose_limit_it_is_must_be_of_here(acme: Any, globex: Any, problem: Problem) -> None:
    foreign_user, foreign_group = seated(globex)
    problem(set_limit(acme, "user", foreign_user, "5"), 404, "user_not_found")
    problem(set_limit(acme, "group", foreign_group, "5"), 404, "group_not_found")
    problem(set_limit(acme, "organization", org_of(globex), "5"), 404, "organization_not_found")
    problem(set_limit(acme, "user", foreign_group, "5"), 404, "not_found")
    limit = set_limit(globex, "user", foreign_user, "5").json["id"]
    problem(acme.get(f"/spend_limits/{limit}"), 404, "spend_limit_not_found")
    problem(acme.call("DELETE", f"/spend_limits/{limit}"), 404, "spend_limit_not_found")


def test_parallel_settings_of_one_limit_leave_one(acme: Any) -> None:
    user = acme.user("ada")
    acme.key("admin")
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: set_limit(acme, "user", user, str(number)), range(16))
        assert {answer.status_code for answer in answers} == {201}
    assert len(acme.get("/spend_limits").json["data"]) == 1
