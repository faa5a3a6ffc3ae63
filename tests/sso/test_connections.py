"""Connections over REST: made in three ways, read again, warned about, keys rolled over, deleted."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.sso.connections import ConnectionService
from app.sso.metadata_polls import MetadataPolls
from app.sso.sp_keys import SpKeys
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock, FakeFetch
from tests.support.idp_metadata import metadata_xml
from tests.support.saml_idp import key_pair

Later = Callable[..., None]


def connect(organization: Organization, **fields: Any) -> dict[str, Any]:
    body = {"name": "Okta", "protocol": "saml", **fields}
    if not {"metadata_xml", "metadata_url", "sso_url"} & body.keys():
        body["metadata_xml"] = metadata_xml()
    response = organization.api.post("/connections", body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = json_of(response)
    return made


def shown(organization: Organization, connection: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json_of(organization.api.get(f"/connections/{connection['id']}"))
    return found


def test_metadata_makes_a_connection_that_says_what_to_tell_the_idp(acme: Organization) -> None:
    made = connect(acme)
    root = f"http://127.0.0.1:8000/sso/saml/{made['id']}"
    assert made["acs_url"] == f"{root}/acs"
    assert made["entity_id"] == made["metadata_url"] == f"{root}/metadata"
    assert made["login_url"] == f"{root}/login"
    assert (made["idp_entity_id"], made["sso_url"]) == (
        "https://idp.example/metadata",
        "https://idp.example/sso",
    )
    assert (made["type"], made["mode"], made["idp_initiated"]) == ("connection", "off", "bounce")
    (certificate,) = made["certificates"]
    assert (certificate["key_bits"], certificate["expires_at"][:4]) == (2048, "2045")


def test_single_fields_make_a_connection(acme: Organization) -> None:
    made = connect(
        acme,
        idp_entity_id="https://accounts.google.com/o/saml2?idpid=C1",
        sso_url="https://accounts.google.com/o/saml2/idp?idpid=C1",
        certificates=[key_pair("idp").certificate_pem],
    )
    assert made["idp_metadata_url"] is None
    assert "metadata_not_polled" in [warning["code"] for warning in made["warnings"]]


def test_a_metadata_url_makes_a_connection_that_is_read_again_every_day(
    acme: Organization, name: str, fetch: FakeFetch, later: Later
) -> None:
    url = f"https://{name}/metadata"
    fetch.documents[url] = metadata_xml().encode()
    made = connect(acme, metadata_url=url)
    assert made["idp_metadata_url"] == url
    fetch.documents[url] = metadata_xml(keys=[key_pair("idp"), key_pair("idp-next")]).encode()
    later(hours=23)
    assert len(shown(acme, made)["certificates"]) == 1
    later(hours=2)
    assert len(shown(acme, made)["certificates"]) == 2


def test_an_unknown_key_lets_the_metadata_be_read_at_once_but_not_every_moment(
    acme: Organization, name: str, fetch: FakeFetch, later: Later
) -> None:
    url = f"https://{name}/metadata"
    fetch.documents[url] = metadata_xml().encode()
    made = connect(acme, metadata_url=url)

    def ask() -> None:
        with in_organization(acme.app, acme.id) as services:
            services.get(MetadataPolls).ask_now(made["id"].removeprefix("conn_"))
            services.commit()

    ask()
    later()
    assert fetch.asked.count(url) == 1
    later(minutes=6)
    ask()
    later()
    assert fetch.asked.count(url) == 2


def test_metadata_that_cannot_be_read_changes_nothing_but_a_warning(
    acme: Organization, name: str, fetch: FakeFetch, later: Later
) -> None:
    url = f"https://{name}/metadata"
    fetch.documents[url] = metadata_xml().encode()
    made = connect(acme, metadata_url=url)
    fetch.documents[url] = metadata_xml(entity_id="https://other.example").encode()
    later(days=2)
    after = shown(acme, made)
    assert after["certificates"] == made["certificates"]
    assert [warning["code"] for warning in after["warnings"]] == ["metadata_refused"]
    fetch.documents[url] = metadata_xml().encode()
    later(hours=2)
    assert shown(acme, made)["warnings"] == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({}, "idp_source_invalid"),
        ({"metadata_xml": metadata_xml(), "metadata_url": "https://idp.example/x"}, "idp_source_invalid"),
        ({"sso_url": "https://idp.example/sso"}, "idp_source_invalid"),
        ({"metadata_xml": "<nothing/>"}, "not_metadata"),
        ({"metadata_xml": metadata_xml(keys=[])}, "no_certificate"),
        ({"metadata_xml": metadata_xml(keys=[key_pair("weak-idp", "weak")])}, "weak_key"),
        ({"metadata_xml": metadata_xml(sso_url="javascript:alert(1)")}, "url_scheme_refused"),
        ({"metadata_url": "https://idp.example/missing"}, "fetch_refused"),
    ],
)
def test_an_idp_that_cannot_be_trusted_makes_no_connection(
    acme: Organization, source: dict[str, str], code: str
) -> None:
    response = acme.api.post("/connections", {"name": "Okta", "protocol": "saml", **source})
    assert (response.status_code in (400, 422), json_of(response)["code"]) == (True, code)
    assert json_of(acme.api.get("/connections"))["data"] == []


def test_a_create_that_comes_again_with_its_key_makes_one_connection(
    acme: Organization, name: str, fetch: FakeFetch
) -> None:
    url = f"https://{name}/metadata"
    fetch.documents[url] = metadata_xml().encode()
    body = {"name": "Okta", "metadata_url": url}
    answers = [
        acme.api.post("/connections", body, headers={"Idempotency-Key": "make-it-once"}) for _ in range(2)
    ]
    assert answers[0].text == answers[1].text
    assert len(json_of(acme.api.get("/connections"))["data"]) == 1


def test_changes_are_kept_and_audited(acme: Organization) -> None:
    made = connect(acme)
    changes = {
        "name": "Entra",
        "jit": True,
        "idp_initiated": "refuse",
        "attributes": {"email": "mail", "groups": "memberOf"},
        "testers": ["Ada@acme.example"],
    }
    response = acme.api.patch(f"/connections/{made['id']}", changes)
    assert response.status_code == 200, response.text
    after = shown(acme, made)
    assert {name: after[name] for name in changes} == {**changes, "testers": ["ada@acme.example"]}
    events = json_of(acme.api.get(f"/audit/events?target_id={made['id']}"))["data"]
    assert [event["action"] for event in events] == [
        "connection.created",
        "sp_key.added",
        "connection.updated",
    ]
    assert set(events[-1]["data"]["changed"]) == set(changes)


def test_the_configuration_hash_moves_with_what_decides_a_sign_in_and_with_nothing_else(
    acme: Organization,
) -> None:
    made = connect(acme)
    path = f"/connections/{made['id']}"
    changes: list[dict[str, Any]] = [
        {"name": "Other"},
        {"jit": True},
        {"attributes": {"email": "mail"}},
        {"metadata_xml": metadata_xml(keys=[key_pair("idp-next")])},
        {"metadata_xml": metadata_xml(), "attributes": {}},
    ]
    hashes = [json_of(acme.api.patch(path, change))["configuration_hash"] for change in changes]
    first = made["configuration_hash"]
    renamed, jit, mapped, rekeyed, back = hashes
    assert first == renamed == jit == back
    assert len({first, mapped, rekeyed}) == 3


@pytest.mark.parametrize(
    ("days_left", "code"), [(61, None), (60, "certificate_expires_soon"), (0, "certificate_expired")]
)
def test_a_certificate_that_ends_soon_is_warned_about(
    acme: Organization, clock: FakeClock, days_left: int, code: str | None
) -> None:
    clock.stop()
    made = connect(acme)
    end = datetime(2045, 1, 1, tzinfo=UTC)
    clock.advance(seconds=(end - clock.now()).total_seconds() - days_left * 86_400)
    idps = [
        warning["code"]
        for warning in shown(acme, made)["warnings"]
        if warning["code"].startswith("certificate") and "identity provider" in warning["detail"]
    ]
    assert idps == ([code] if code else [])


def test_each_notice_of_an_ending_certificate_is_given_once(
    acme: Organization, clock: FakeClock, later: Later
) -> None:
    made = connect(acme, metadata_xml=metadata_xml(keys=[key_pair("idp")]))
    with in_organization(acme.app, acme.id) as services:
        ours = services.get(SpKeys).rows(made["id"].removeprefix("conn_"))
    # Ours, which ends after ten years, ends long before the test identity provider's.
    clock.advance(seconds=(ours[0].expires_at - clock.now()).total_seconds() - 61 * 86_400)
    for days in (0, 1, 1, 29, 16, 7, 6, 1):
        later(days=days)
    events = json_of(acme.api.get(f"/audit/events?limit=1000&target_id={made['id']}"))["data"]
    given = [event["data"].get("days", 0) for event in events if event["action"].startswith("certificate.")]
    assert given == [60, 30, 14, 7, 1, 0]


def test_a_key_of_ours_is_rolled_over_in_two_steps(acme: Organization) -> None:
    made = connect(acme)
    path = f"/connections/{made['id']}/sp_keys"

    def states() -> list[str]:
        return [key["state"] for key in shown(acme, made)["sp_keys"]]

    assert states() == ["current"]
    assert acme.api.post(f"{path}/promote").status_code == 409
    assert acme.api.post(path).status_code == 201
    assert states() == ["next", "current"]
    assert acme.api.post(path).status_code == 409
    assert acme.api.post(f"{path}/promote").status_code == 200
    assert states() == ["current", "retired"]
    acme.api.post(path)
    acme.api.post(f"{path}/promote")
    assert states() == ["current", "retired"]


def test_a_retired_key_still_decrypts_and_is_no_longer_published(acme: Organization) -> None:
    made = connect(acme)
    path = f"/connections/{made['id']}/sp_keys"
    acme.api.post(path)
    acme.api.post(f"{path}/promote")
    connection_id = made["id"].removeprefix("conn_")
    with in_organization(acme.app, acme.id, write=False) as services:
        keys = services.get(SpKeys)
        current, retired = keys.decryption_keys(connection_id)
        assert keys.signing_key(connection_id) == current
        assert [key.certificate_pem for key in keys.published(connection_id)] == [current.certificate_pem]
    assert "PRIVATE KEY" in retired.private_key_pem


def test_no_private_key_is_stored_or_shown_in_the_clear(acme: Organization) -> None:
    made = connect(acme)
    with in_organization(acme.app, acme.id, write=False) as services:
        (row,) = services.get(SpKeys).rows(made["id"].removeprefix("conn_"))
    assert "PRIVATE" not in str(row)
    assert "PRIVATE" not in acme.api.get(f"/connections/{made['id']}").text


def test_a_deleted_connection_is_gone_from_its_urls(acme: Organization) -> None:
    made = connect(acme)
    path = f"/connections/{made['id']}"
    assert acme.api.delete(path).status_code == 200
    assert acme.api.get(path).status_code == 404
    with in_organization(acme.app, acme.id, write=False) as services:
        assert services.get(ConnectionService).page(limit=10) == []


def test_a_connection_of_another_organization_is_not_found(acme: Organization, globex: Organization) -> None:
    path = f"/connections/{connect(globex)['id']}"
    answers = [
        acme.api.get(path),
        acme.api.patch(path, {"name": "Mine"}),
        acme.api.patch(path, {"mode": "test"}),
        acme.api.patch(path, {"metadata_xml": metadata_xml()}),
        acme.api.get(f"{path}/locked_out"),
        acme.api.post(f"{path}/sp_keys"),
        acme.api.post(f"{path}/sp_keys/promote"),
        acme.api.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8


def test_a_list_of_connections_costs_the_same_for_one_and_for_many(acme: Organization) -> None:
    def statements() -> int:
        with in_organization(acme.app, acme.id, write=False) as services:
            count = 0
            execute = services.uow.execute

            def counting(*arguments: Any) -> Any:
                nonlocal count
                count += 1
                return execute(*arguments)

            services.uow.execute = counting
            services.get(ConnectionService).page(limit=10)
        return count

    connect(acme)
    one = statements()
    connect(acme)
    connect(acme)
    assert statements() == one == 3
