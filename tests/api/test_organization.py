"""`/organization`."""

from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]


def test_an_administrator_reads_and_adjusts_the_organization(acme: Any) -> None:
    shown = acme.get("/organization").json
    assert shown["type"] == "organization"
    assert shown["id"] == f"org_{acme.org_id}"
    assert (shown["slug"], shown["zone"], shown["rights_mode"]) == (acme.organization.slug, "UTC", "union")
    changed = acme.call("PATCH", "/organization", json={"zone": "Europe/Berlin", "rights_mode": "first"})
    assert changed.status_code == 200
    assert changed.json == {**shown, "zone": "Europe/Berlin", "rights_mode": "first"}
    assert acme.get("/organization").json == changed.json


ADJUSTED = {
    "end_sessions_on_group_loss": True,
    "jit_seat_days": 7,
    "seat_fee_usd": "12.505",
    "inflight_policy": "cut",
    "fallback_model": "claude-opus",
    "ceiling": {"surfaces": ["code"], "models": None, "permissions": ["admin.audit.view"]},
    "removal_guard": {"enabled": False, "share_percent": 5, "minimum_people": 3, "window_minutes": 60},
}


def test_an_organization_begins_with_careful_settings(acme: Any) -> None:
    shown = acme.get("/organization").json
    assert {name: shown[name] for name in ADJUSTED} == {
        "end_sessions_on_group_loss": False,
        "jit_seat_days": 30,
        "seat_fee_usd": "20",
        "inflight_policy": "finish",
        "fallback_model": None,
        "ceiling": None,
        "removal_guard": {"enabled": True, "share_percent": 20, "minimum_people": 10, "window_minutes": 10},
    }


def test_what_is_left_out_of_the_removal_guard_is_as_in_the_beginning(acme: Any) -> None:
    before = acme.get("/organization").json["removal_guard"]
    acme.call("PATCH", "/organization", json={"removal_guard": {"share_percent": 50}})
    changed = acme.call("PATCH", "/organization", json={"removal_guard": {"enabled": False}}).json
    assert changed["removal_guard"] == {**before, "enabled": False}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("share_percent", 0),
        ("share_percent", 101),
        ("minimum_people", 0),
        ("window_minutes", 1_441),
        ("enabled", 1),
        ("hours", 1),
    ],
)
def test_each_bad_part_of_the_removal_guard_is_named(
    acme: Any, problem: Problem, field: str, value: object
) -> None:
    response = acme.call("PATCH", "/organization", json={"removal_guard": {field: value}})
    detail = problem(response, 400, "invalid_request")["detail"]
    assert detail.startswith(f"removal_guard.{field}: ")


def test_every_setting_is_changed_and_shown(acme: Any) -> None:
    before = acme.get("/organization").json
    changed = acme.call("PATCH", "/organization", json=ADJUSTED)
    assert changed.json == {**before, **ADJUSTED}
    cleared = acme.call("PATCH", "/organization", json={"ceiling": None, "fallback_model": None})
    assert cleared.json == {**changed.json, "ceiling": None, "fallback_model": None}


def test_lists_left_out_of_a_ceiling_bound_nothing(acme: Any) -> None:
    changed = acme.call("PATCH", "/organization", json={"ceiling": {"surfaces": []}}).json
    assert changed["ceiling"] == {"surfaces": [], "models": None, "permissions": None}


def test_the_log_names_what_became_different_and_nothing_else(acme: Any) -> None:
    for body in (ADJUSTED, ADJUSTED, {**ADJUSTED, "jit_seat_days": 8}):
        assert acme.call("PATCH", "/organization", json=body).status_code == 200
    events = acme.get("/audit/events?action=organization.updated").json["data"]
    assert [sorted(event["data"]) for event in events] == [
        sorted({**ADJUSTED, "seat_fee_nanousd": 0}.keys() - {"seat_fee_usd"}),
        ["jit_seat_days"],
    ]
    assert events[0]["data"]["seat_fee_nanousd"] == 12_505_000_000


def test_each_organization_sees_itself_only(acme: Any, globex: Any) -> None:
    acme.call("PATCH", "/organization", json={"zone": "Asia/Tokyo"})
    assert globex.get("/organization").json["zone"] == "UTC"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("zone", "Mars/Olympus"),
        ("zone", "../../etc/passwd"),
        ("zone", ""),
        ("zone", None),
        ("rights_mode", "both"),
        ("rights_mode", 1),
        ("end_sessions_on_group_loss", 1),
        ("jit_seat_days", 0),
        ("jit_seat_days", 3_651),
        ("jit_seat_days", "7"),
        ("jit_seat_days", None),
        ("seat_fee_usd", 20),
        ("seat_fee_usd", "-1"),
        ("inflight_policy", "stop"),
        ("fallback_model", ""),
        ("fallback_model", "m" * 201),
        ("ceiling", []),
        ("ceiling", {"surfaces": ["fax"]}),
        ("ceiling", {"models": [1]}),
        ("ceiling", {"permissions": ["admin"]}),
        ("ceiling", {"seats": 1}),
        ("slug", "other"),
        ("name", "Other"),
    ],
)
def test_each_bad_field_is_named(acme: Any, problem: Problem, field: str, value: object) -> None:
    response = acme.call("PATCH", "/organization", json={field: value})
    assert problem(response, 400, "invalid_request")["detail"].startswith(field)


def test_a_change_names_at_least_one_field(acme: Any, problem: Problem) -> None:
    problem(acme.call("PATCH", "/organization", json={}), 400, "invalid_request")


def test_the_rights_mode_decides_for_everybody_at_once(acme: Any) -> None:
    user = acme.user("ada")
    for name, surface in (("a", "code"), ("b", "chat")):
        role = acme.role(name, surfaces=[surface])
        acme.post("/group_mappings", {"group_id": acme.group(name, [user]), "role_id": role["id"]})
    assert acme.get(f"/users/{user}").json["surfaces"] == ["chat", "code"]
    acme.call("PATCH", "/organization", json={"rights_mode": "first"})
    assert acme.get(f"/users/{user}").json["surfaces"] == ["code"]


def holders(office: Any) -> tuple[str, str]:
    """One person by a group, one by hand, both with everything that the role gives."""
    by_group, by_hand = office.user("ada"), office.user("bob")
    role = office.role("r", surfaces=["code", "chat"], models=["opus", "haiku"])["id"]
    office.post("/group_mappings", {"group_id": office.group("eng", [by_group]), "role_id": role})
    office.post("/seats", {"user_id": by_hand, "role_id": role})
    return by_group, by_hand


def rights(office: Any, user: str) -> tuple[list[str], list[str] | None]:
    told = office.get(f"/users/{user}/explain").json
    return told["surfaces"], told["models"]


def test_the_ceiling_holds_for_everybody_at_once_and_is_lifted_for_everybody(acme: Any) -> None:
    people = holders(acme)
    acme.call("PATCH", "/organization", json={"ceiling": {"surfaces": ["chat"], "models": ["haiku"]}})
    assert [rights(acme, user) for user in people] == [(["chat"], ["haiku"])] * 2
    acme.call("PATCH", "/organization", json={"ceiling": None})
    assert [rights(acme, user) for user in people] == [(["chat", "code"], ["haiku", "opus"])] * 2


def test_the_ceiling_takes_no_seat(acme: Any) -> None:
    user, _ = holders(acme)
    acme.call("PATCH", "/organization", json={"ceiling": {"surfaces": []}})
    assert acme.get(f"/seats/{user}").json["state"] == "assigned"


def test_who_comes_under_a_ceiling_later_is_cut_as_well(acme: Any) -> None:
    acme.call("PATCH", "/organization", json={"ceiling": {"surfaces": ["chat"]}})
    user, _ = holders(acme)
    assert rights(acme, user)[0] == ["chat"]


def test_the_ceiling_is_a_reason(acme: Any) -> None:
    user, _ = holders(acme)
    acme.call("PATCH", "/organization", json={"ceiling": {"surfaces": ["chat"]}})
    reasons = acme.get(f"/users/{user}/explain").json["reasons"]
    assert [reason["outcome"] for reason in reasons] == ["decides", "caps"]
    assert reasons[1]["source"] is None
    assert reasons[1]["reason"] == "the organization's ceiling takes code"


def test_settings_that_decide_nothing_about_rights_decide_nobody_again(acme: Any) -> None:
    holders(acme)
    acme.call("PATCH", "/organization", json={"inflight_policy": "cut", "jit_seat_days": 7})
    assert "entitlement.changed" not in acme.organization.audit_actions()
