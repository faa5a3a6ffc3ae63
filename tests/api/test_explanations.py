"""`/users/{id}/explain` and `/users/{id}/timeline`."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from app.core.connection import Connection
from app.core.context import Actor, Caller
from app.directory.events import OrganizationUpdated, UserUpdated
from app.governance.events import EntitlementChange, EntitlementsChanged
from app.governance.timeline import KINDS, TimelineService
from app.scim.trace_store import TraceStore
from app.settings import Settings

Problem = Callable[..., dict[str, Any]]
NOBODY = "user_00000000-0000-7000-8000-000000000000"


def explained(office: Any, user: str) -> dict[str, Any]:
    office.organization.container.traces.flush()
    response = office.get(f"/users/{user}/explain", scopes=["governance:read"])
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json
    return told


def test_an_explanation_names_sources_losers_limits_and_causes(acme: Any) -> None:
    user = acme.user("ada")
    acme.call("PATCH", "/organization", json={"rights_mode": "first"})
    first = acme.role("first", surfaces=["code"], spend_limits=[{"window": "daily", "amount_usd": "5"}])
    second = acme.role("second", surfaces=["chat"])
    groups = [acme.group("a", [user]), acme.group("b", [user])]
    mappings = [
        acme.post("/group_mappings", {"group_id": group, "role_id": role["id"]}).json
        for group, role in zip(groups, (first, second), strict=True)
    ]
    told = explained(acme, user)
    source = {"type": "group", "group_id": groups[0], "mapping_id": mappings[0]["id"]}
    assert (told["type"], told["user_id"], told["user_name"]) == ("explanation", user, "ada@example.com")
    assert (told["active"], told["blocked"], told["seat_state"]) == (True, False, "assigned")
    assert (told["role_id"], told["role_name"]) == (first["id"], "first")
    assert (told["surfaces"], told["models"], told["rights_mode"]) == (["code"], None, "first")
    assert told["groups"] == [
        {"id": group, "display_name": name, "via": "direct"} for group, name in zip(groups, "ab", strict=True)
    ]
    assert told["sources"] == [source]
    winner, loser = told["reasons"]
    assert (winner["outcome"], winner["source"], winner["position"]) == ("decides", source, 1)
    assert (winner["group_name"], winner["role_name"], winner["seat_on"]) == ("a", "first", "provision")
    assert (loser["outcome"], loser["position"], loser["role_id"]) == ("loses", 2, second["id"])
    assert told["seat"] == acme.get(f"/seats/{user}").json
    assert told["limits"] == acme.get(f"/spend_limits/effective?user_id={user}").json["data"]
    cause = told["caused_by"][0]
    assert (cause["action"], cause["actor"]["type"], cause["scim_request_id"]) == (
        "seat.assigned",
        "api_key",
        None,
    )
    assert cause["actor"]["id"].startswith("apikey_")
    assert "user.created" in [cause["action"] for cause in told["caused_by"]]


def test_the_request_of_the_identity_provider_is_named_and_found(acme: Any) -> None:
    scim = acme.organization.scim
    person = scim.create_user()
    acme.organization.map_group(group := scim.create_group())
    # One request id for two requests: only the moment tells them apart.
    twice = {"headers": {"X-Request-Id": "the-same"}}
    scim.get("/Users", **twice)
    add = {"op": "add", "path": "members", "value": [{"value": person}]}
    joining = scim.patch_operations(f"/Groups/{group}", add, **twice)
    told = explained(acme, f"user_{person}")
    (reason,) = told["reasons"]
    for cause, action in (
        (told["caused_by"][0], "seat.assigned"),
        (reason["caused_by"], "group.member_added"),
    ):
        assert (cause["action"], cause["actor"]["type"]) == (action, "scim_token")
        assert cause["request_id"] == joining.headers["X-Request-Id"] == "the-same"
        trace = acme.get(f"/scim_requests/{cause['scim_request_id']}").json
        assert (trace["method"], trace["path"]) == ("PATCH", f"/scim/v2/Groups/{group}")


def test_a_request_whose_trace_is_gone_is_still_named(acme: Any, clock: Any) -> None:
    person = acme.organization.scim.create_user()
    assert explained(acme, f"user_{person}")["caused_by"][0]["scim_request_id"] is not None
    clock.advance(days=400)
    with acme.services() as services:
        services.get(TraceStore).purge()
    cause = explained(acme, f"user_{person}")["caused_by"][0]
    assert (cause["action"], cause["scim_request_id"]) == ("user.created", None)


def test_a_hundred_other_changes_do_not_hide_who_gave_the_seat(acme: Any) -> None:
    user = acme.user("ada")
    acme.organization.map_group(acme.group("a", [user]).removeprefix("group_"))
    with acme.services() as services:
        for _ in range(100):
            services.uow.add(UserUpdated(user.removeprefix("user_"), {"changed": ["title"]}))
    told = explained(acme, user)
    assert [cause["action"] for cause in told["caused_by"]] == [
        "user.updated",
        "seat.assigned",
        "group.member_added",
        "user.created",
    ]


def test_a_mapped_group_around_the_person_s_group_is_told_to_be_ignored(acme: Any) -> None:
    scim = acme.organization.scim
    person = scim.create_user()
    inner = scim.create_group("Inner", [person])
    outer = scim.create_group("Outer", [inner])
    acme.organization.map_group(outer)
    told = explained(acme, f"user_{person}")
    assert {group["display_name"]: group["via"] for group in told["groups"]} == {
        "Inner": "direct",
        "Outer": "indirect",
    }
    (reason,) = told["reasons"]
    assert (reason["outcome"], reason["group_name"], reason["caused_by"]) == ("ignored", "Outer", None)
    assert told["seat_state"] is None


def test_a_seat_given_by_hand_is_explained_after_the_mappings(acme: Any) -> None:
    user, role = acme.user("ada"), acme.role("guest")
    acme.organization.map_group(acme.group("a", [user]).removeprefix("group_"))
    acme.post("/seats", {"user_id": user, "role_id": role["id"], "reason": "pilot"})
    told = explained(acme, user)
    assert [(reason["outcome"], reason["role_name"]) for reason in told["reasons"]] == [
        ("decides", "member"),
        ("adds", "guest"),
    ]
    manual = told["reasons"][1]
    assert (manual["source"]["type"], manual["position"], manual["group_name"]) == ("manual", None, None)
    assert told["seat"]["reason"] == "pilot"


def test_an_explanation_of_somebody_with_nothing(acme: Any) -> None:
    told = explained(acme, acme.user("ada"))
    assert (told["seat"], told["seat_state"], told["role_id"], told["reasons"]) == (None, None, None, [])
    assert {limit["source"] for limit in told["limits"]} == {"deprovisioned"}


def test_the_last_cause_is_told_before_the_log_is_in_order(acme: Any) -> None:
    user = acme.user("ada")
    acme.post(f"/users/{user}/deactivate", headers={"X-Request-Id": "request-of-the-block"})
    told = explained(acme, user)
    assert (told["active"], told["blocked"]) == (False, True)
    cause = told["caused_by"][0]
    assert (cause["action"], cause["request_id"]) == ("user.deactivated", "request-of-the-block")


def test_an_explanation_costs_the_same_for_one_group_and_for_twenty(
    acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [acme.user("ada"), acme.user("bob")]
    for number in range(20):
        members = people if number == 0 else people[1:]
        acme.organization.map_group(acme.group(f"g{number}", members).removeprefix("group_"))
    seen: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        seen.append(sql)
        send(self, sql, values, **kept)

    explained(acme, people[0])
    monkeypatch.setattr(Connection, "send", note)
    counts = []
    for person in people:
        seen.clear()
        assert len(explained(acme, person)["reasons"]) in (1, 20)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 20


def line(office: Any, user: str, query: str = "") -> list[tuple[str, str]]:
    response = office.get(f"/users/{user}/timeline?limit=1000{query}", scopes=["audit:read"])
    assert response.status_code == 200, response.text
    return [(event["kind"], event["action"]) for event in response.json["data"]]


def act(office: Any, user: str) -> None:
    """What the person did as an administrator, and for themselves."""
    bare = user.removeprefix("user_")
    with office.services() as services:
        services.uow.caller = Caller(Actor("user", bare), "by-themselves")
        services.uow.add(OrganizationUpdated(office.org_id, {}))
        services.uow.add(UserUpdated(NOBODY.removeprefix("user_"), {"changed": ["title"]}))
        change = EntitlementChange(bare, "entitlement.changed", {})
        services.uow.add(EntitlementsChanged((change,)))


def test_a_life_stands_on_one_line_newest_first_and_each_kind_alone(acme: Any) -> None:
    user, other = acme.user("ada"), acme.user("bob")
    acme.organization.map_group(acme.group("a", [user, other]).removeprefix("group_"))
    acme.post(f"/users/{user}/deactivate")
    act(acme, user)
    whole = line(acme, user)
    assert whole == [
        ("seat", "entitlement.changed"),
        ("administration", "user.updated"),
        ("administration", "organization.updated"),
        ("seat", "seat.released"),
        ("directory", "user.deactivated"),
        ("seat", "seat.assigned"),
        ("directory", "group.member_added"),
        ("directory", "user.created"),
    ]
    for kind in KINDS:
        assert line(acme, user, f"&kind={kind}") == [event for event in whole if event[0] == kind]


def test_pages_of_the_timeline_together_are_the_whole_line(acme: Any) -> None:
    user = acme.user("ada")
    acme.organization.map_group(acme.group("a", [user]).removeprefix("group_"))
    act(acme, user)
    whole = acme.get(f"/users/{user}/timeline").json["data"]
    seen: list[Any] = []
    cursor = ""
    while True:
        page = acme.get(f"/users/{user}/timeline?limit=2{cursor}").json
        seen += page["data"]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
        # What happens meanwhile is newer than the page and moves nothing.
        acme.post(f"/users/{user}/deactivate")
    assert seen == whole
    assert [event["type"] for event in whole] == ["timeline_event"] * 6


def test_the_deleted_keep_their_line(acme: Any) -> None:
    scim = acme.organization.scim
    person = scim.create_user()
    assert scim.delete(f"/Users/{person}").status_code == 204
    assert [action for _, action in line(acme, f"user_{person}")] == ["user.deleted", "user.created"]


def test_a_timeline_needs_its_scope_a_person_and_a_kind_that_exists(
    acme: Any, globex: Any, problem: Problem
) -> None:
    user = globex.user("ada")
    problem(globex.get(f"/users/{user}/timeline", scopes=["governance:write"]), 403, "scope_missing")
    problem(globex.get(f"/users/{user}/timeline?kind=love"), 400, "invalid_request")
    for id_ in (user, NOBODY):
        problem(acme.get(f"/users/{id_}/timeline"), 404, "user_not_found")
        problem(acme.get(f"/users/{id_}/explain"), 404, "user_not_found")
    acme_user = acme.user("ada")
    act(acme, acme_user)
    cursor = acme.get(f"/users/{acme_user}/timeline?limit=1").json["next_cursor"]
    url = f"/users/{acme.user('bob')}/timeline?limit=1&cursor={cursor}"
    problem(acme.get(url), 400, "invalid_cursor")


def test_both_parts_of_a_timeline_are_read_by_an_index(
    acme: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL plans small tables by reading them.")
    user = acme.user("ada")
    sent: list[tuple[str, Any]] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        sent.append((sql, values))
        send(self, sql, values, **kept)

    monkeypatch.setattr(Connection, "send", note)
    with acme.services() as services:
        services.get(TimelineService).page(user.removeprefix("user_"), before=9, limit=3, kind=None)
    sql, values = next(entry for entry in sent if "position" in entry[0])
    path = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))
    assert "USING INDEX ix_audit_events_target (org_id=? AND target_id=? AND position<?)" in plan
    assert "USING INDEX ix_audit_events_person (org_id=? AND actor_id=? AND position<?)" in plan
