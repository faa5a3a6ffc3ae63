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
