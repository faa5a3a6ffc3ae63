"""`/group_mappings/plan`, `/apply`, `/versions`, `/revert` and `/jobs`."""

from collections.abc import Callable
from typing import Any

import pytest

from app.governance import entitlements, seat_pool
from app.governance.job_steps import JobSteps
from tests.support.cast import in_organization

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job for more than one person: what is measured in thousands is shown with a few."""
    monkeypatch.setattr(entitlements, "AT_ONCE", 1)
    monkeypatch.setattr(seat_pool, "AT_ONCE", 1)


def entry(group: str, role: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"group_id": group, "role_id": role["id"], **fields}


def plan(office: Any, *entries: dict[str, Any], query: str = "") -> dict[str, Any]:
    response = office.post(f"/group_mappings/plan{query}", {"data": list(entries)})
    assert response.status_code == 200, response.json
    shown: dict[str, Any] = response.json
    return shown


def apply(office: Any, planned: dict[str, Any], *entries: dict[str, Any]) -> Any:
    body = {"plan_hash": planned["plan_hash"], "data": list(entries)}
    return office.post("/group_mappings/apply", body)


def test_a_plan_says_who_gains_what_and_changes_nothing(acme: Any) -> None:
    ada = acme.user("ada")
    role = acme.role(spend_limits=[{"window": "monthly", "amount_usd": "200"}])
    wanted = entry(acme.group("eng", [ada]), role)
    shown = plan(acme, wanted)
    caps = {"five_hour": None, "daily": None, "weekly": None, "monthly": "200"}
    assert shown == {
        "type": "mapping_plan",
        "plan_hash": shown["plan_hash"],
        "base_version": acme.get("/group_mappings").json["version"],
        "totals": {
            "seats_gained": 1,
            "seats_lost": 0,
            "waitlisted": 0,
            "role_changes": 1,
            "limit_changes": 1,
            "monthly_usd": "20",
        },
        "conflicts": [],
        "data": [
            {
                "type": "mapping_plan_row",
                "user_id": ada,
                "seat_state": {"before": None, "after": "assigned"},
                "role_id": {"before": None, "after": role["id"]},
                "limits": [
                    {"window": window, "amount_usd": {"before": "0", "after": after}}
                    for window, after in caps.items()
                ],
            }
        ],
        "has_more": False,
        "next_cursor": None,
    }
    assert acme.get("/group_mappings").json["data"] == []
    assert acme.get(f"/users/{ada}").json["seat_state"] is None


def limits_of(row: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {
        limit["window"]: (limit["amount_usd"]["before"], limit["amount_usd"]["after"])
        for limit in row["limits"]
    }


def test_a_plan_shows_the_caps_that_will_hold_whoever_set_them(acme: Any) -> None:
    ada, bob, eve = (acme.user(name) for name in ("ada", "bob", "eve"))
    first, second = (
        acme.role("first"),
        acme.role("second", spend_limits=[{"window": "monthly", "amount_usd": "200"}]),
    )
    group = acme.group("eng", [ada, bob, eve])
    acme.post("/group_mappings", entry(group, first))
    for scope, id_, amount in (
        ("user", ada, "7"),
        ("group", acme.group("few", [ada, bob]), "30"),
        ("organization", acme.get("/organization").json["id"], "90"),
    ):
        limit = {"scope": {"type": scope, "id": id_}, "window": "monthly", "amount_usd": amount}
        assert acme.post("/spend_limits", {**limit, "pool": False}).status_code < 300
    shown = plan(acme, entry(group, second))
    monthly = {row["user_id"]: limits_of(row).get("monthly") for row in shown["data"]}
    # Her own limit hides what her new role says.
    assert monthly == {ada: None, bob: ("30", "200"), eve: ("90", "200")}
    assert shown["totals"]["limit_changes"] == 2


def test_a_plan_is_stale_once_a_limit_of_it_differs(acme: Any, problem: Problem) -> None:
    ada = acme.user("ada")
    wanted = entry(acme.group("eng", [ada]), acme.role())
    shown = plan(acme, wanted)
    acme.post("/spend_limits", {"scope": {"type": "user", "id": ada}, "window": "daily", "amount_usd": "1"})
    problem(apply(acme, shown, wanted), 409, "plan_stale")


def test_what_was_planned_is_applied(acme: Any) -> None:
    ada, bob = acme.user("ada"), acme.user("bob")
    role, first, second = acme.role(), acme.group("a", [ada]), acme.group("b", [bob])
    acme.post("/group_mappings", entry(first, role))
    wanted = entry(second, role)
    shown = plan(acme, wanted)
    assert {key: shown["totals"][key] for key in ("seats_gained", "seats_lost", "monthly_usd")} == {
        "seats_gained": 1,
        "seats_lost": 1,
        "monthly_usd": "0",
    }
    applied = apply(acme, shown, wanted)
    assert applied.status_code == 200
    assert applied.json["version"] == shown["base_version"] + 1
    assert applied.headers["ETag"] == f'"{applied.json["version"]}"'
    assert [acme.get(f"/users/{user}").json["seat_state"] for user in (ada, bob)] == ["released", "assigned"]


def test_a_place_that_a_loss_frees_goes_to_the_first_who_waits(acme: Any) -> None:
    ada, bob, eve = (acme.user(name) for name in ("ada", "bob", "eve"))
    role = acme.role()
    leavers, waiters, newcomers = (
        acme.group(name, [user]) for name, user in zip("abc", (ada, bob, eve), strict=True)
    )
    acme.post("/group_mappings", entry(leavers, role))
    acme.call("PUT", "/seat_pool", json={"quantity": 1})
    acme.post("/group_mappings", entry(waiters, role))
    wanted = [entry(newcomers, role), entry(waiters, role)]
    shown = plan(acme, *wanted)
    after = {row["user_id"]: row["seat_state"]["after"] for row in shown["data"]}
    assert after == {ada: "released", eve: "assigned"}
    assert apply(acme, shown, *wanted).status_code == 200
    states = [acme.get(f"/users/{user}").json["seat_state"] for user in (ada, bob, eve)]
    assert states == ["released", "waitlisted", "assigned"]


def test_a_plan_is_stale_once_an_outcome_differs(acme: Any, problem: Problem) -> None:
    ada, role = acme.user("ada"), acme.role()
    wanted = entry(acme.group("eng", [ada]), role)
    shown = plan(acme, wanted)
    acme.post(f"/users/{ada}/deactivate")
    problem(apply(acme, shown, wanted), 409, "plan_stale")
    assert acme.get("/group_mappings").json["data"] == []


def test_a_plan_is_not_stale_by_what_changes_no_outcome(acme: Any) -> None:
    ada, role = acme.user("ada"), acme.role()
    wanted = entry(acme.group("eng", [ada]), role)
    shown = plan(acme, wanted)
    acme.group("other", [acme.user("bob"), ada])
    acme.call("PATCH", f"/roles/{role['id']}", json={"surfaces": ["chat"]})
    assert apply(acme, shown, wanted).status_code == 200


def test_a_plan_of_another_base_or_order_is_stale(acme: Any, problem: Problem) -> None:
    role = acme.role()
    wanted, other = (entry(acme.group(name, [acme.user(name)]), role) for name in "ab")
    shown = plan(acme, wanted)
    problem(apply(acme, shown, other), 409, "plan_stale")
    acme.post("/group_mappings", entry(acme.group("c"), role))
    problem(apply(acme, shown, wanted), 409, "plan_stale")


def test_a_plan_is_paged_by_person(acme: Any, problem: Problem) -> None:
    users = sorted(acme.user(name) for name in ("ada", "bob", "eve"))
    wanted = entry(acme.group("eng", users), acme.role())
    first = plan(acme, wanted, query="?limit=2")
    second = plan(acme, wanted, query=f"?limit=2&cursor={first['next_cursor']}")
    assert [row["user_id"] for row in first["data"] + second["data"]] == users
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert first["plan_hash"] == second["plan_hash"]
    acme.post(f"/users/{users[2]}/deactivate")
    path = f"/group_mappings/plan?limit=2&cursor={first['next_cursor']}"
    problem(acme.post(path, {"data": [wanted]}), 409, "plan_stale")


def test_mappings_that_disagree_are_named(acme: Any) -> None:
    engineer, writer = acme.role("engineer"), acme.role("writer")
    ada = acme.user("ada")
    first, second = acme.group("a", [ada]), acme.group("b", [ada])
    wanted = [entry(first, engineer), entry(second, writer), entry(first, writer)]
    found = [
        (conflict["code"], conflict["position"], conflict["other_position"], conflict["people"])
        for conflict in plan(acme, *wanted)["conflicts"]
    ]
    assert sorted(found) == [
        ("group_has_two_roles", 1, 3, 0),
        ("roles_differ", 1, 2, 1),
        ("roles_differ", 1, 3, 1),
    ]


def test_every_version_is_kept_with_who_and_when(acme: Any) -> None:
    mapping = acme.post("/group_mappings", entry(acme.group("a"), acme.role())).json
    acme.call("DELETE", f"/group_mappings/{mapping['id']}")
    listed = acme.get("/group_mappings/versions").json["data"]
    assert [(item["version"], len(item["data"])) for item in listed] == [(3, 0), (2, 1), (1, 0)]
    assert listed[1]["data"][0]["id"] == mapping["id"]
    assert [item["actor"]["type"] for item in listed] == ["api_key", "api_key", "operator"]
    assert acme.get("/group_mappings/versions?limit=1").json["has_more"] is True


def test_an_earlier_version_is_put_back_in_one_call(acme: Any) -> None:
    ada, role = acme.user("ada"), acme.role()
    mapping = acme.post("/group_mappings", entry(acme.group("a", [ada]), role, seat_on="provision")).json
    acme.call("DELETE", f"/group_mappings/{mapping['id']}")
    reverted = acme.post("/group_mappings/revert", {"version": 2})
    assert reverted.status_code == 200
    assert reverted.json["version"] == 4
    assert [item["group_id"] for item in reverted.json["data"]] == [mapping["group_id"]]
    assert acme.get(f"/users/{ada}").json["seat_state"] == "assigned"


def test_a_version_with_a_group_that_is_gone_comes_back_as_such(acme: Any) -> None:
    from app.directory.groups import GroupService

    group = acme.group("a", [acme.user("ada")])
    mapping = acme.post("/group_mappings", entry(group, acme.role())).json
    acme.call("DELETE", f"/group_mappings/{mapping['id']}")
    with acme.services() as services:
        groups = services.get(GroupService)
        groups.delete(groups.lock(group.removeprefix("group_")))
    reverted = acme.post("/group_mappings/revert", {"version": 2})
    assert reverted.json["data"][0]["warnings"] == ["group_deleted"]


def test_a_version_that_cannot_come_back_is_refused(acme: Any, problem: Problem) -> None:
    role = acme.role()
    mapping = acme.post("/group_mappings", entry(acme.group("a"), role)).json
    acme.call("DELETE", f"/group_mappings/{mapping['id']}")
    acme.call("DELETE", f"/roles/{role['id']}")
    problem(acme.post("/group_mappings/revert", {"version": 2}), 409, "role_deleted")
    problem(acme.post("/group_mappings/revert", {"version": 99}), 404, "group_mapping_version_not_found")


@pytest.mark.usefixtures("small_steps")
def test_many_gains_are_a_job_and_losses_hold_at_once(acme: Any, problem: Problem) -> None:
    ada, bob, eve = (acme.user(name) for name in ("ada", "bob", "eve"))
    role, leaving = acme.role(), acme.group("a", [ada])
    acme.post("/group_mappings", entry(leaving, role))
    wanted = entry(acme.group("b", [bob, eve]), role)
    applied = apply(acme, plan(acme, wanted), wanted)
    assert (applied.status_code, applied.json["type"], applied.json["state"]) == (202, "job", "running")
    states = [acme.get(f"/users/{user}").json["seat_state"] for user in (ada, bob, eve)]
    assert states == ["released", None, None]
    problem(acme.post("/group_mappings/plan", {"data": []}), 409, "job_running")
    while acme.organization.work():
        pass
    job = acme.get(f"/jobs/{applied.json['id']}").json
    assert (job["state"], job["total"], job["done"]) == ("finished", 2, 2)
    assert [acme.get(f"/users/{user}").json["seat_state"] for user in (bob, eve)] == ["assigned"] * 2


@pytest.mark.usefixtures("small_steps")
def test_nobody_is_served_before_everybody_of_a_job_stands_in_line(acme: Any) -> None:
    late, first, second = (acme.user(name) for name in ("late", "first", "second"))
    role, late_group = acme.role(), acme.group("late", [late])
    acme.post("/group_mappings", entry(late_group, role))
    acme.call("PUT", "/seat_pool", json={"quantity": 1})
    acme.post(f"/users/{late}/deactivate")
    wanted = [entry(acme.group("early", [first, second]), role), entry(late_group, role)]
    assert apply(acme, plan(acme, *wanted), *wanted).status_code == 202
    acme.post(f"/users/{late}/reactivate")
    assert acme.get(f"/users/{late}").json["seat_state"] == "waitlisted"
    while acme.organization.work():
        pass
    states = [acme.get(f"/users/{user}").json["seat_state"] for user in (first, second, late)]
    assert states == ["assigned", "waitlisted", "waitlisted"]


@pytest.mark.parametrize("path", ["plan", "apply", "revert"])
def test_a_body_that_says_nothing_is_refused(acme: Any, problem: Problem, path: str) -> None:
    problem(acme.post(f"/group_mappings/{path}", {}), 400, "invalid_request")


def test_reading_rights_are_enough_to_plan_but_not_to_apply(acme: Any, problem: Problem) -> None:
    scopes = ("governance:read",)
    assert acme.post("/group_mappings/plan", {"data": []}, scopes=scopes).status_code == 200
    for path in ("apply", "revert"):
        problem(acme.post(f"/group_mappings/{path}", {}, scopes=scopes), 403, "scope_missing")


def test_another_organizations_jobs_versions_and_groups_are_not_there(
    acme: Any, globex: Any, problem: Problem
) -> None:
    theirs = entry(globex.group("a", [globex.user("ada")]), globex.role())
    globex.post("/group_mappings", theirs)
    problem(acme.post("/group_mappings/plan", {"data": [theirs]}), 404, "group_not_found")
    problem(acme.post("/group_mappings/revert", {"version": 2}), 404, "group_mapping_version_not_found")
    unknown = "job_00000000-0000-7000-8000-000000000000"
    problem(acme.get(f"/jobs/{unknown}"), 404, "job_not_found")


@pytest.mark.usefixtures("small_steps")
def test_a_job_whose_worker_is_killed_goes_on_where_it_was(acme: Any) -> None:
    """What is not committed never was: neither the seats of a step nor its progress."""
    users = [acme.user(name) for name in ("ada", "bob", "eve")]
    wanted = entry(acme.group("all", users), acme.role())
    job_id = apply(acme, plan(acme, wanted), wanted).json["id"]
    with in_organization(acme.organization.app, acme.org_id) as killed:
        assert killed.get(JobSteps).step() is True
    assert acme.get(f"/jobs/{job_id}").json["done"] == 0
    assert [acme.get(f"/users/{user}").json["seat_state"] for user in users] == [None] * 3
    while acme.organization.work():
        pass
    job = acme.get(f"/jobs/{job_id}").json
    assert (job["state"], job["total"], job["done"]) == ("finished", 3, 3)
    assert acme.organization.audit_actions().count("seat.assigned") == 3
