"""Connections by OpenID Connect over REST: made by discovery, shown, changed, refused, deleted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.browser_urls import UrlRefusedError
from app.sso.oidc.keys import MAX_KEYS
from app.sso.oidc.provider import read_provider
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeFetch
from tests.support.oidc_idp import CLIENT_ID, CLIENT_SECRET, OidcIdp, rsa_key
from tests.support.oidc_sign_on import new_idp, oidc_sign_on
from tests.support.sign_on import session_of


def body(idp: OidcIdp, **changes: Any) -> dict[str, Any]:
    usual = {
        "name": "Okta",
        "protocol": "oidc",
        "issuer": idp.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


@pytest.fixture
def idp(acme: Organization) -> OidcIdp:
    return new_idp(acme)


def test_an_issuer_makes_a_connection_that_says_what_to_tell_the_idp(
    acme: Organization, idp: OidcIdp
) -> None:
    response = acme.api.post("/connections", body(idp))
    assert response.status_code == 201, response.text
    made = json_of(response)
    root = f"http://127.0.0.1:8000/sso/oidc/{made['id']}"
    assert made["callback_url"] == f"{root}/callback"
    assert made["login_url"] == f"{root}/login"
    assert made["backchannel_logout_url"] == f"{root}/backchannel-logout"
    assert made["post_logout_redirect_uri"] == "http://127.0.0.1:8000/sso/logout"
    assert (made["issuer"], made["discovery_url"]) == (idp.issuer, idp.discovery_url)
    assert (made["sso_url"], made["mode"], made["warnings"]) == (f"{idp.issuer}/authorization", "off", [])
    assert [made[name] for name in ("acs_url", "entity_id", "metadata_url", "signed", "idp_initiated")] == [
        None
    ] * 5
    assert (made["certificates"], made["sp_keys"]) == ([], [])
    assert "client_secret" not in made


def test_a_discovery_url_does_as_well(acme: Organization, idp: OidcIdp) -> None:
    response = acme.api.post("/connections", body(idp, issuer=None, discovery_url=idp.discovery_url))
    assert json_of(response)["issuer"] == idp.issuer


def test_an_issuer_may_end_in_a_slash(acme: Organization, idp: OidcIdp) -> None:
    idp.publish(issuer=f"{idp.issuer}/")
    made = json_of(acme.api.post("/connections", body(idp, issuer=None, discovery_url=idp.discovery_url)))
    assert made["issuer"] == f"{idp.issuer}/"


def test_an_odd_discovery_url_needs_its_issuer_beside_it(
    acme: Organization, idp: OidcIdp, fetch: FakeFetch
) -> None:
    url = f"{idp.issuer}/odd"
    fetch.documents[url] = fetch.documents[idp.discovery_url]
    alone = acme.api.post("/connections", body(idp, issuer=None, discovery_url=url))
    assert (alone.status_code, json_of(alone)["code"]) == (400, "idp_source_invalid")
    assert acme.api.post("/connections", body(idp, discovery_url=url)).status_code == 201


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"issuer": "https://evil.example"}, "issuer_mismatch"),
        ({"issuer": None}, "discovery_invalid"),
        ({"issuer": 5}, "discovery_invalid"),
        ({"token_endpoint": None}, "discovery_invalid"),
        ({"jwks_uri": None}, "discovery_invalid"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "url_scheme_refused"),
        ({"authorization_endpoint": "https://idp.example/a#b"}, "url_malformed"),
        ({"token_endpoint": "http://idp.example/token"}, "url_not_https"),
        ({"token_endpoint": "http://127.0.0.1/token"}, "url_not_https"),
        ({"token_endpoint": "https://user:pass@idp.example/token"}, "url_malformed"),
        ({"jwks_uri": "http://idp.example/keys"}, "url_not_https"),
        ({"jwks_uri": "file:///etc/passwd"}, "url_scheme_refused"),
        ({"jwks_uri": "https://elsewhere.example/missing"}, "fetch_refused"),
        ({"userinfo_endpoint": "http://idp.example/userinfo"}, "url_not_https"),
        ({"end_session_endpoint": "data:text/html,x"}, "url_scheme_refused"),
        ({"response_types_supported": ["id_token"]}, "discovery_invalid"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "discovery_invalid"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "discovery_invalid"),
    ],
)
def test_a_provider_that_cannot_be_trusted_makes_no_connection(
    acme: Organization, idp: OidcIdp, document: dict[str, Any], code: str
) -> None:
    idp.publish(**document)
    response = acme.api.post("/connections", body(idp))
    assert (response.status_code, json_of(response)["code"]) == (422, code)
    assert json_of(acme.api.get("/connections"))["data"] == []


def test_only_in_development_may_a_browser_be_sent_to_plain_http(acme: Organization, idp: OidcIdp) -> None:
    plain = {"authorization_endpoint": "http://127.0.0.1:3000/auth"}
    idp.publish(**plain)
    made = json_of(acme.api.post("/connections", body(idp)))
    assert [warning["code"] for warning in made["warnings"]] == ["sso_url_not_https"]
    document = json.dumps({**idp.document(), **plain}).encode()
    with pytest.raises(UrlRefusedError, match="outside development"):
        read_provider(document, [idp.issuer], allow_http=False)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"<html>", "discovery_invalid"),
        (b"[]", "discovery_invalid"),
        (b'{"issuer": "https://a.example", "issuer": "https://b.example"}', "discovery_invalid"),
    ],
)
def test_what_is_no_discovery_document_makes_no_connection(
    acme: Organization, idp: OidcIdp, fetch: FakeFetch, raw: bytes, code: str
) -> None:
    fetch.documents[idp.discovery_url] = raw
    assert json_of(acme.api.post("/connections", body(idp)))["code"] == code


_GOOD = rsa_key("idp").as_dict(private=False)
# Keys are new in each process, so cases go by their names.
SETS: dict[str, object] = {
    "empty": [],
    "no list": "none",
    "no keys": [5],
    "secret": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}],
    "for encryption": [{**_GOOD, "use": "enc"}],
    "for other operations": [{**_GOOD, "key_ops": ["encrypt"]}],
    "tiny": [{**_GOOD, "n": "AQAB"}],
    "short": [{**_GOOD, "n": str(_GOOD["n"])[:171]}],
    "member of another kind": [{**_GOOD, "n": 5}],
    "name of another kind": [{**_GOOD, "kid": 5}],
    "incomplete": [{"kty": "RSA", "kid": "a"}],
    "not on the curve": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}],
    "too many": [_GOOD] * (MAX_KEYS + 1),
}


@pytest.mark.parametrize("name", SETS)
def test_a_set_without_a_key_that_can_sign_makes_no_connection(
    acme: Organization, idp: OidcIdp, fetch: FakeFetch, name: str
) -> None:
    fetch.documents[f"{idp.issuer}/keys"] = json.dumps({"keys": SETS[name]}).encode()
    response = acme.api.post("/connections", body(idp))
    assert (response.status_code, json_of(response)["code"]) == (422, "keys_invalid")


def test_of_keys_only_the_public_parts_that_sign_are_kept(
    acme: Organization, idp: OidcIdp, fetch: FakeFetch
) -> None:
    from app.sso.connections import ConnectionService

    leaked = {**rsa_key("idp").as_dict(private=True), "use": "sig", "x5c": ["MIIB"]}
    fetch.documents[f"{idp.issuer}/keys"] = json.dumps({"keys": [leaked, {**_GOOD, "use": "enc"}]}).encode()
    made = json_of(acme.api.post("/connections", body(idp)))
    with in_organization(acme.app, acme.id, write=False) as services:
        (key,) = services.get(ConnectionService).row(made["id"].removeprefix("conn_")).jwks
    assert set(key) == {"kty", "kid", "n", "e"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, "field_missing"),
        ({"client_secret": None}, "field_missing"),
        ({"issuer": None}, "idp_source_invalid"),
        ({"metadata_url": "https://idp.example/metadata"}, "field_of_other_protocol"),
        ({"signed": "both"}, "field_of_other_protocol"),
        ({"idp_initiated": "accept"}, "field_of_other_protocol"),
        ({"attributes": {"email": "upn"}}, "field_of_other_protocol"),
        ({"attributes": {"stable_id": "employee"}}, "field_of_other_protocol"),
        ({"protocol": "saml"}, "field_of_other_protocol"),
        ({"scopes": "profile email"}, "scope_missing_openid"),
        ({"scopes": "openid  email"}, "invalid_request"),
    ],
)
def test_fields_of_the_other_protocol_and_missing_ones_are_named(
    acme: Organization, idp: OidcIdp, changes: dict[str, Any], code: str
) -> None:
    response = acme.api.post("/connections", body(idp, **changes))
    assert (response.status_code in (400, 422), json_of(response)["code"]) == (True, code)


def test_changes_are_kept_and_audited_and_the_secret_is_not(acme: Organization, idp: OidcIdp) -> None:
    made = json_of(acme.api.post("/connections", body(idp)))
    path = f"/connections/{made['id']}"
    changes = {"name": "Other", "client_secret": "another one", "attributes": {"groups": "roles"}}
    after = json_of(acme.api.patch(path, changes))
    assert (after["name"], after["attributes"]) == ("Other", {"groups": "roles"})
    assert after["configuration_hash"] != made["configuration_hash"]
    events = json_of(acme.api.get(f"/audit/events?target_id={made['id']}"))["data"]
    assert [event["action"] for event in events] == ["connection.created", "connection.updated"]
    assert set(events[-1]["data"]["changed"]) == {"name", "attributes", "client_secret"}
    assert "another one" not in json.dumps(events)


def test_a_renamed_connection_is_configured_as_before_and_one_with_a_new_secret_is_not(
    acme: Organization, idp: OidcIdp
) -> None:
    made = json_of(acme.api.post("/connections", body(idp)))
    path = f"/connections/{made['id']}"
    hashes = [
        json_of(acme.api.patch(path, change))["configuration_hash"]
        for change in ({"name": "Other"}, {"issuer": idp.issuer}, {"client_secret": CLIENT_SECRET})
    ]
    assert hashes[:2] == [made["configuration_hash"]] * 2
    assert hashes[2] != made["configuration_hash"]


def test_a_connection_keeps_its_issuer(acme: Organization, idp: OidcIdp) -> None:
    """The same subject is somebody else at another issuer."""
    made = json_of(acme.api.post("/connections", body(idp)))
    response = acme.api.patch(f"/connections/{made['id']}", {"issuer": new_idp(acme).issuer})
    assert (response.status_code, json_of(response)["code"]) == (409, "issuer_fixed")


def test_the_scopes_are_those_that_are_usual_until_somebody_says_otherwise(
    acme: Organization, idp: OidcIdp, later: Callable[..., None]
) -> None:
    made = json_of(acme.api.post("/connections", body(idp)))
    assert made["scopes"] == "openid profile email groups"
    path = f"/connections/{made['id']}"
    assert json_of(acme.api.patch(path, {"scopes": "openid email"}))["scopes"] == "openid email"
    later(hours=25)
    assert json_of(acme.api.get(path))["scopes"] == "openid email"


def test_a_changed_secret_is_the_one_that_is_sent(acme: Organization) -> None:
    door = oidc_sign_on(acme, client_secret="wrong")
    assert door.refusal() == (403, "token_request_refused")
    acme.api.patch(f"/connections/conn_{door.connection_id}", {"client_secret": CLIENT_SECRET})
    assert session_of(door.sign_in()).status_code == 200


def test_a_provider_that_tells_no_logouts_is_warned_about(acme: Organization, idp: OidcIdp) -> None:
    idp.publish(backchannel_logout_supported=None)
    made = json_of(acme.api.post("/connections", body(idp)))
    assert [warning["code"] for warning in made["warnings"]] == ["logout_not_told"]


def test_there_are_no_keys_of_ours(acme: Organization, idp: OidcIdp) -> None:
    made = json_of(acme.api.post("/connections", body(idp)))
    response = acme.api.post(f"/connections/{made['id']}/sp_keys")
    assert (response.status_code, json_of(response)["code"]) == (409, "not_saml")
    assert acme.api.post(f"/connections/{made['id']}/sp_keys/promote").status_code == 409


def test_a_deleted_connection_is_gone_from_its_urls_with_its_secret(acme: Organization) -> None:
    door = oidc_sign_on(acme)
    browser = door.sign_in()
    assert acme.api.delete(f"/connections/conn_{door.connection_id}").status_code == 200
    assert session_of(browser).status_code == 401
    assert door.browser().get(f"{door.path}/login").status_code == 404
    assert door.log_out("x").status_code == 404


def test_a_connection_of_another_organization_is_not_found(acme: Organization, globex: Organization) -> None:
    path = f"/connections/conn_{oidc_sign_on(globex).connection_id}"
    answers = [
        acme.api.get(path),
        acme.api.patch(path, {"client_secret": "mine"}),
        acme.api.patch(path, {"issuer": "https://evil.example"}),
        acme.api.get(f"{path}/traces"),
        acme.api.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5


def test_a_connection_can_be_enforced_without_certificates(acme: Organization) -> None:
    door = oidc_sign_on(acme)
    owner = acme.scim.create_user(f"ada@{door.domain}")
    acme.map_group(acme.scim.create_group(members=[owner]), role="owner")
    door.sign_in()
    path = f"/connections/conn_{door.connection_id}"
    acme.api.get(f"{path}/locked_out")
    response = acme.api.patch(path, {"mode": "enforced", "break_glass": "console_link"})
    assert response.status_code == 200, response.text
