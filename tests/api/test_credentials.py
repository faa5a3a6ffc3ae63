"""`/scim_tokens` and `/api_keys`."""

from collections.abc import Callable
from typing import Any

import pytest

Problem = Callable[..., dict[str, Any]]


def test_a_scim_token_is_shown_once_and_revoked(acme: Any) -> None:
    made = acme.post("/scim_tokens", {"name": "Okta", "expires_in_days": 30})
    assert made.status_code == 201
    token = made.json
    assert token["type"] == "scim_token"
    assert token["id"].startswith("scimtok_")
    assert token["token"].startswith("usher_scim_")
    assert token["base_url"].endswith("/scim/v2")
    assert token["expires_at"] > token["created_at"]
    listed = acme.get("/scim_tokens")
    assert token["token"] not in listed.text
    assert "secret" not in listed.text
    shown = {key: value for key, value in token.items() if key not in ("token", "base_url")}
    assert listed.json["data"][-1] == shown
    gone = acme.call("DELETE", f"/scim_tokens/{token['id']}")
    assert gone.json == {"type": "scim_token_deleted", "id": token["id"]}
    assert acme.get("/scim_tokens").json["data"][-1]["revoked_at"] is not None


def test_a_rotated_token_keeps_its_id_and_says_until_when_the_old_secret_holds(
    acme: Any, problem: Problem
) -> None:
    token = acme.post("/scim_tokens", {"name": "Okta"}).json
    assert (token["expires_at"], token["previous_expires_at"]) == (None, None)
    rotated = acme.post(f"/scim_tokens/{token['id']}/rotate")
    assert rotated.status_code == 200
    assert rotated.json["id"] == token["id"]
    assert rotated.json["token"] != token["token"]
    assert rotated.json["previous_expires_at"] is not None
    acme.call("DELETE", f"/scim_tokens/{token['id']}")
    problem(acme.post(f"/scim_tokens/{token['id']}/rotate"), 404, "not_found")


def test_an_api_key_works_until_it_is_revoked(acme: Any, problem: Problem) -> None:
    made = acme.post("/api_keys", {"name": "siem", "scopes": ["audit:read", "admin"]})
    assert made.status_code == 201
    key = made.json
    assert (key["type"], key["scopes"]) == ("api_key", ["admin", "audit:read"])
    assert key["id"].startswith("apikey_")
    headers = {"x-api-key": key["key"]}
    assert acme.client.get("/api/v1/organization", headers=headers).status_code == 200
    assert key["key"] not in acme.get("/api_keys").text
    gone = acme.call("DELETE", f"/api_keys/{key['id']}")
    assert gone.json == {"type": "api_key_deleted", "id": key["id"]}
    problem(acme.client.get("/api/v1/organization", headers=headers), 401, "unauthenticated")


def test_credentials_come_in_pages(acme: Any) -> None:
    for number in range(2):
        acme.post("/scim_tokens", {"name": str(number)})
    whole = acme.get("/scim_tokens").json["data"]
    assert len(whole) == 3
    first = acme.get("/scim_tokens?limit=2").json
    rest = acme.get(f"/scim_tokens?limit=2&cursor={first['next_cursor']}").json
    assert first["data"] + rest["data"] == whole


def test_credentials_of_another_organization_or_kind_are_not_there(
    acme: Any, globex: Any, problem: Problem
) -> None:
    token = globex.post("/scim_tokens", {"name": "okta"}).json["id"]
    key = globex.post("/api_keys", {"name": "k", "scopes": ["audit:read"]}).json["id"]
    problem(acme.call("DELETE", f"/scim_tokens/{token}"), 404, "not_found")
    problem(acme.post(f"/scim_tokens/{token}/rotate"), 404, "not_found")
    problem(acme.call("DELETE", f"/api_keys/{key}"), 404, "not_found")
    disguised = token.replace("scimtok_", "apikey_")
    problem(globex.call("DELETE", f"/api_keys/{disguised}"), 404, "not_found")
    assert all(row["revoked_at"] is None for row in globex.get("/scim_tokens").json["data"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 201),
        ("name", None),
        ("expires_in_days", 0),
        ("expires_in_days", 3651),
        ("expires_in_days", "30"),
        ("expires_in_days", 1.5),
        ("token", "usher_scim_mine"),
        ("access", "admin"),
        ("access", None),
    ],
)
def test_each_bad_field_of_a_token_is_named(acme: Any, problem: Problem, field: str, value: object) -> None:
    response = acme.post("/scim_tokens", {"name": "okta", field: value})
    assert problem(response, 400, "invalid_request")["detail"].startswith(field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("scopes", []),
        ("scopes", ["root"]),
        ("scopes", ["admin", "admin"]),
        ("scopes", "admin"),
        ("scopes", None),
        ("key", "usher_api_mine"),
    ],
)
def test_each_bad_field_of_a_key_is_named(acme: Any, problem: Problem, field: str, value: object) -> None:
    response = acme.post("/api_keys", {"name": "k", "scopes": ["admin"], field: value})
    assert problem(response, 400, "invalid_request")["detail"].startswith(field)


def test_a_token_tolerates_everything_and_may_write_unless_told_otherwise(acme: Any) -> None:
    token = acme.post("/scim_tokens", {"name": "Okta"}).json
    assert (token["tolerances"], token["access"]) == ("auto", "write")
    chosen = {"name": "Entra", "tolerances": ["text_boolean", "empty_text"], "access": "read"}
    token = acme.post("/scim_tokens", chosen).json
    assert (token["tolerances"], token["access"]) == (["empty_text", "text_boolean"], "read")
    shown = acme.get("/scim_tokens").json["data"][-1]
    assert (shown["id"], shown["tolerances"], shown["access"]) == (
        token["id"],
        token["tolerances"],
        token["access"],
    )


@pytest.mark.parametrize("setting", ["strict", "auto", ["text_boolean"], []])
def test_tolerances_are_changed_and_the_change_is_audited(acme: Any, setting: object) -> None:
    token = acme.post("/scim_tokens", {"name": "Okta", "tolerances": ["empty_text"]}).json
    for _ in range(2):
        changed = acme.call("PATCH", f"/scim_tokens/{token['id']}", json={"tolerances": setting})
        assert changed.status_code == 200
        shown = {key: value for key, value in token.items() if key not in ("token", "base_url")}
        assert changed.json == {**shown, "tolerances": setting}
    entries = acme.get("/audit/events?limit=1000").json["data"]
    # The second request changed nothing.
    (entry,) = [entry for entry in entries if entry["action"] == "credential.updated"]
    assert entry["data"] == {
        "kind": "scim_token",
        "name": "Okta",
        "tolerances": {"before": ["empty_text"], "after": setting},
    }


def test_an_unknown_tolerance_is_refused_with_the_known_ones(acme: Any, problem: Problem) -> None:
    token = acme.post("/scim_tokens", {"name": "Okta"}).json
    unknown = {"tolerances": ["text_boolean", "free_beer"]}
    for response in (
        acme.post("/scim_tokens", {"name": "Entra", **unknown}),
        acme.call("PATCH", f"/scim_tokens/{token['id']}", json=unknown),
    ):
        detail = problem(response, 422, "unknown_tolerance")["detail"]
        assert "'free_beer'" in detail
        assert "create_on_no_match, " in detail
    assert acme.get("/scim_tokens").json["data"][-1]["id"] == token["id"]


@pytest.mark.parametrize("setting", [None, "lax", 7, {}, [7], [["text_boolean"]], ["text_boolean"] * 101])
def test_a_setting_of_another_shape_is_named(acme: Any, problem: Problem, setting: object) -> None:
    token = acme.post("/scim_tokens", {"name": "Okta"}).json
    for response in (
        acme.post("/scim_tokens", {"name": "Entra", "tolerances": setting}),
        acme.call("PATCH", f"/scim_tokens/{token['id']}", json={"tolerances": setting}),
    ):
        assert problem(response, 400, "invalid_request")["detail"].startswith("tolerances")


def test_an_api_key_has_no_tolerances(acme: Any, problem: Problem) -> None:
    key = acme.post("/api_keys", {"name": "siem", "scopes": ["audit:read"]}).json
    assert "tolerances" not in key
    disguised = key["id"].replace("apikey_", "scimtok_")
    response = acme.call("PATCH", f"/scim_tokens/{disguised}", json={"tolerances": "strict"})
    problem(response, 404, "not_found")


def test_tolerances_are_the_administrator_s_to_change(acme: Any, problem: Problem) -> None:
    token = acme.post("/scim_tokens", {"name": "Okta"}).json
    path = f"/scim_tokens/{token['id']}"
    refused = acme.call("PATCH", path, json={"tolerances": "strict"}, scopes=("governance:write",))
    problem(refused, 403, "scope_missing")
    assert acme.get("/scim_tokens").json["data"][-1]["tolerances"] == "auto"
