"""`/roles`."""

from collections.abc import Callable
from typing import Any

import pytest

from app.governance.rights import PERMISSIONS

Problem = Callable[..., dict[str, Any]]
FULL = {
    "name": "Engineer",
    "surfaces": ["code", "chat"],
    "models": ["claude-sonnet", "claude-opus"],
    "permissions": ["connectors.install", "admin.audit.view"],
    "denies": ["plugins.install", "claude-opus"],
    "spend_limits": [{"window": "daily", "amount_usd": "12.50"}, {"window": "monthly", "amount_usd": "0"}],
    "seat": False,
}


def test_a_role_is_created_shown_changed_and_deleted(acme: Any) -> None:
    made = acme.post("/roles", FULL)
    assert made.status_code == 201
    role = made.json
    assert role["type"] == "role"
    assert role["id"].startswith("role_")
    assert role["built_in"] is False
    shown = {key: role[key] for key in FULL}
    limits = [{"window": "daily", "amount_usd": "12.5"}, {"window": "monthly", "amount_usd": "0"}]
    assert shown == {**FULL, "spend_limits": limits}
    assert acme.get(f"/roles/{role['id']}").json == role

    changed = acme.call("PATCH", f"/roles/{role['id']}", json={"models": None, "spend_limits": []}).json
    assert changed == {**role, "models": None, "spend_limits": []}

    gone = acme.call("DELETE", f"/roles/{role['id']}")
    assert (gone.status_code, gone.json) == (200, {"type": "role_deleted", "id": role["id"]})
    assert acme.get(f"/roles/{role['id']}").status_code == 404


def test_a_role_has_every_model_and_a_seat_unless_it_says_otherwise(acme: Any) -> None:
    role = acme.role("plain")
    assert role["models"] is None
    assert role["seat"] is True
    assert role["surfaces"] == role["permissions"] == role["denies"] == role["spend_limits"] == []


def built_in(office: Any) -> dict[str, dict[str, Any]]:
    return {role["name"]: role for role in office.get("/roles").json["data"] if role["built_in"]}


def test_every_organization_has_the_built_in_roles(acme: Any) -> None:
    roles = built_in(acme)
    assert {name: role["seat"] for name, role in roles.items()} == {
        "owner": True,
        "admin": True,
        "auditor": False,
        "billing": False,
        "member": True,
    }
    assert set(roles["owner"]["permissions"]) == set(PERMISSIONS)
    assert set(roles["admin"]["permissions"]) < set(PERMISSIONS)
    assert {name.rpartition(".")[2] for name in roles["auditor"]["permissions"]} == {"view"}
    assert roles["member"]["permissions"] == []


def test_built_in_roles_keep_name_and_place(acme: Any, problem: Problem) -> None:
    for role in built_in(acme).values():
        path = f"/roles/{role['id']}"
        problem(acme.call("DELETE", path), 409, "built_in_role")
        problem(acme.call("PATCH", path, json={"name": "boss"}), 409, "built_in_role")
        assert acme.call("PATCH", path, json={"surfaces": ["chat"]}).json["surfaces"] == ["chat"]


@pytest.mark.parametrize("change", [{"permissions": []}, {"denies": ["admin.audit.view"]}])
def test_an_owner_may_do_everything_and_always_will(acme: Any, problem: Problem, change: Any) -> None:
    path = f"/roles/{built_in(acme)['owner']['id']}"
    problem(acme.call("PATCH", path, json=change), 409, "built_in_role")


def test_denies_of_one_role_win_over_what_another_gives(acme: Any) -> None:
    user = acme.user("ada")
    rights = {"surfaces": ["code", "chat"], "permissions": ["connectors.install", "plugins.install"]}
    for name, fields in (("gives", rights), ("denies", {"denies": ["chat", "plugins.install", "opus"]})):
        body = {"group_id": acme.group(name, [user]), "role_id": acme.role(name, **fields)["id"]}
        assert acme.post("/group_mappings", body).status_code == 201
    told = acme.get(f"/users/{user}/explain").json
    assert (told["surfaces"], told["permissions"]) == (["code"], ["connectors.install"])
    (denied,) = [reason for reason in told["reasons"] if reason["outcome"] == "denies"]
    assert denied["reason"] == "its role 'denies' denies chat, plugins.install, opus"


def test_names_are_unique_without_regard_to_case(acme: Any, problem: Problem) -> None:
    acme.role("Engineer")
    problem(acme.post("/roles", {"name": "ENGINEER"}), 409, "role_name_taken")


def test_a_role_in_use_is_not_deleted(acme: Any, problem: Problem) -> None:
    role = acme.role()
    acme.post("/group_mappings", {"group_id": acme.group("eng"), "role_id": role["id"]})
    problem(acme.call("DELETE", f"/roles/{role['id']}"), 409, "role_in_use")


def test_changing_a_role_changes_its_holders(acme: Any) -> None:
    role, user = acme.role(surfaces=["code"]), acme.user("ada")
    group = acme.group("eng", [user])
    acme.post("/group_mappings", {"group_id": group, "role_id": role["id"]})
    assert acme.get(f"/users/{user}").json["surfaces"] == ["code"]
    acme.call("PATCH", f"/roles/{role['id']}", json={"surfaces": ["chat"]})
    assert acme.get(f"/users/{user}").json["surfaces"] == ["chat"]


def test_a_role_of_another_organization_is_not_there(acme: Any, globex: Any, problem: Problem) -> None:
    path = f"/roles/{globex.role()['id']}"
    problem(acme.get(path), 404, "role_not_found")
    problem(acme.call("PATCH", path, json={"seat": False}), 404, "role_not_found")
    problem(acme.call("DELETE", path), 404, "role_not_found")
    assert globex.get(path).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", "ß" * 60),
        ("name", 7),
        ("surfaces", ["code", "code"]),
        ("surfaces", ["fax"]),
        ("surfaces", "code"),
        ("models", [""]),
        ("models", ["m" * 201]),
        ("permissions", ["admin.everything"]),
        ("denies", [1]),
        ("denies", ["admin.audit.veiw"]),
        ("denies", ["connectors.instal"]),
        ("seat", 1),
        ("seat", "yes"),
        ("seat", None),
        ("spend_limits", [{"window": "hourly", "amount_usd": "1"}]),
        ("spend_limits", [{"window": "daily"}]),
        ("spend_limits", [{"window": "daily", "amount_usd": "1"}, {"window": "daily", "amount_usd": "2"}]),
        ("colour", "red"),
        ("id", "role_1"),
    ],
)
def test_each_bad_field_is_named(acme: Any, problem: Problem, field: str, value: object) -> None:
    body = problem(acme.post("/roles", {**FULL, field: value}), 400, "invalid_request")
    assert body["detail"].startswith(field)
    role = acme.role("kept")
    body = problem(acme.call("PATCH", f"/roles/{role['id']}", json={field: value}), 400, "invalid_request")
    assert field in body["detail"]


@pytest.mark.parametrize(
    "amount",
    [12.5, 12, None, "", "-1", "1e3", "NaN", "1_000", " 1", "1.", ".5", "0.0000000001", "1000000001"],
)
def test_money_is_an_exact_decimal_string(acme: Any, problem: Problem, amount: object) -> None:
    limits = [{"window": "daily", "amount_usd": amount}]
    body = problem(acme.post("/roles", {**FULL, "spend_limits": limits}), 400, "invalid_request")
    assert "spend_limits[0].amount_usd" in body["detail"]


def test_a_change_names_at_least_one_field(acme: Any, problem: Problem) -> None:
    problem(acme.call("PATCH", f"/roles/{acme.role()['id']}", json={}), 400, "invalid_request")
