"""`/applications`: registered with a secret that is shown once, changed, rotated, removed."""

from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]
REDIRECT = "https://tool.example/callback"


def create(acme: Any, **fields: Any) -> Any:
    return acme.post("/applications", {"name": "Tool", "redirect_uris": [REDIRECT], **fields})


def test_an_application_is_registered_and_its_secret_shown_once(acme: Any) -> None:
    made = create(acme)
    assert made.status_code == 201
    shown = made.json
    assert shown["id"] == shown["client_id"]
    assert shown["id"].startswith("app_")
    assert shown["client_secret"].startswith("usher_appsecret_")
    assert shown["issuer"] == "http://127.0.0.1:8000"
    assert (shown["confidential"], shown["scopes"]) == (True, ["openid", "profile", "email"])
    assert (shown["post_logout_redirect_uris"], shown["backchannel_logout_uri"]) == ([], None)
    public = {key: value for key, value in shown.items() if key not in ("client_secret", "issuer")}
    listed = acme.get("/applications")
    assert listed.json["data"] == [public]
    assert acme.get(f"/applications/{shown['id']}").json == public
    assert "secret_hash" not in listed.text
    assert shown["client_secret"] not in listed.text


def test_a_public_application_has_no_secret_and_none_to_rotate(acme: Any, problem: Problem) -> None:
    made = create(acme, confidential=False).json
    assert made["client_secret"] is None
    problem(acme.post(f"/applications/{made['id']}/rotate"), 409, "public_application")


def test_a_rotated_secret_leaves_the_one_before_for_a_week(acme: Any) -> None:
    made = create(acme).json
    rotated = acme.post(f"/applications/{made['id']}/rotate").json
    assert rotated["client_secret"] != made["client_secret"]
    assert rotated["previous_secret_expires_at"] > rotated["secret_rotated_at"]


def test_an_application_is_changed_field_by_field_and_each_change_audited(acme: Any) -> None:
    made = create(acme).json
    changes = {
        "redirect_uris": ["http://127.0.0.1:7777/cb"],
        "backchannel_logout_uri": "https://a.example/out",
    }
    for _ in range(2):
        changed = acme.call("PATCH", f"/applications/{made['id']}", json=changes)
        assert changed.status_code == 200
        assert changed.json.items() >= changes.items()
    assert changed.json["name"] == "Tool"
    entries = acme.get(f"/audit/events?limit=1000&target_id={made['id']}").json["data"]
    # The second request changed nothing.
    assert [entry["action"] for entry in entries] == ["application.created", "application.updated"]
    assert entries[-1]["data"]["redirect_uris"] == {"before": [REDIRECT], "after": changes["redirect_uris"]}
    assert entries[-1]["target"] == {"type": "application", "id": made["id"]}


def test_a_removed_application_is_gone(acme: Any, problem: Problem) -> None:
    made = create(acme).json
    gone = acme.call("DELETE", f"/applications/{made['id']}")
    assert gone.json == {"type": "application_deleted", "id": made["id"]}
    problem(acme.get(f"/applications/{made['id']}"), 404, "application_not_found")
    problem(acme.call("DELETE", f"/applications/{made['id']}"), 404, "application_not_found")
    assert acme.get("/applications").json["data"] == []


def test_applications_come_in_pages(acme: Any) -> None:
    for number in range(3):
        create(acme, name=str(number))
    whole = acme.get("/applications").json["data"]
    first = acme.get("/applications?limit=2").json
    rest = acme.get(f"/applications?limit=2&cursor={first['next_cursor']}").json
    assert first["data"] + rest["data"] == whole


@pytest.mark.parametrize(
    "uri",
    [
        "http://tool.example/cb",
        "https://tool.example/cb#part",
        "https://user@tool.example/cb",
        "https://*.tool.example/cb",
        "https:///cb",
        "https://tool.example:port/cb",
        "https://[::1/cb",
        "javascript:alert(1)",
        "custom.scheme:/cb",
        "//tool.example/cb",
        "/cb",
        "https://tool.example/c b",
        "https://tool.example/\\cb",
        "https://t\u00f6ol.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_not_registered(
    acme: Any, problem: Problem, uri: str
) -> None:
    problem(create(acme, redirect_uris=[uri]), 422, "address_refused")
    problem(create(acme, post_logout_redirect_uris=[uri]), 422, "address_refused")
    problem(create(acme, backchannel_logout_uri=uri), 422, "address_refused")
    assert acme.get("/applications").json["data"] == []


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:5000/cb", "http://localhost/cb", "http://[::1]:1/cb", "https://a.example:8443/?x=1"],
)
def test_https_and_the_person_s_own_machine_are_good(acme: Any, uri: str) -> None:
    assert create(acme, redirect_uris=[uri]).json["redirect_uris"] == [uri]


def test_a_logout_token_goes_to_no_machine_of_ours(acme: Any, problem: Problem) -> None:
    problem(create(acme, backchannel_logout_uri="http://127.0.0.1/out"), 422, "address_refused")


def test_every_application_needs_openid(acme: Any, problem: Problem) -> None:
    problem(create(acme, scopes=["email"]), 422, "openid_missing")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", None),
        ("redirect_uris", []),
        ("redirect_uris", REDIRECT),
        ("redirect_uris", [REDIRECT, REDIRECT]),
        ("redirect_uris", [f"{REDIRECT}/{number}" for number in range(21)]),
        ("redirect_uris", [f"{REDIRECT}/{'x' * 500}"]),
        ("scopes", []),
        ("scopes", ["openid", "admin"]),
        ("scopes", ["openid", "openid"]),
        ("confidential", "yes"),
        ("backchannel_logout_uri", ""),
        ("client_secret", "mine"),
        ("client_id", "app_mine"),
    ],
)
def test_each_bad_field_of_an_application_is_named(
    acme: Any, problem: Problem, field: str, value: object
) -> None:
    assert problem(create(acme, **{field: value}), 400, "invalid_request")["detail"].startswith(field)


def test_a_change_of_nothing_is_refused(acme: Any, problem: Problem) -> None:
    made = create(acme).json
    # Whether it keeps a secret is decided once.
    for changes in ({}, {"confidential": False}):
        problem(acme.call("PATCH", f"/applications/{made['id']}", json=changes), 400, "invalid_request")


def test_applications_of_another_organization_are_not_there(acme: Any, globex: Any, problem: Problem) -> None:
    made = create(globex).json
    path = f"/applications/{made['id']}"
    problem(acme.get(path), 404, "application_not_found")
    problem(acme.call("PATCH", path, json={"name": "Mine"}), 404, "application_not_found")
    problem(acme.post(f"{path}/rotate"), 404, "application_not_found")
    problem(acme.call("DELETE", path), 404, "application_not_found")
    assert globex.get(path).json["name"] == "Tool"
