"""`/sso/login`: from an address to its identity provider, by the domain alone; and our metadata."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from app import create_app
from app.core.errors import TooManyRequestsError
from app.core.rate_limit import SignInRate
from app.settings import Settings
from app.sso.domains import DomainService
from tests.sso.test_connections import connect
from tests.support.cast import Organization, in_organization, json_of
from tests.support.idp_metadata import metadata_xml

NOBODY = "There is no single sign-on for this address."


def ask(organization: Organization, **parameters: str) -> TestResponse:
    return organization.app.test_client().get("/sso/login", query_string=parameters)


def capture(organization: Organization, name: str) -> dict[str, Any]:
    with in_organization(organization.app, organization.id) as services:
        services.get(DomainService).verify_by_operator(name)
        services.commit()
    listed = json_of(organization.api.get("/domains"))["data"]
    found: dict[str, Any] = next(domain for domain in listed if domain["name"] == name)
    return found


def shape(response: TestResponse) -> tuple[int, list[str], str, list[str]]:
    """All that somebody outside could tell one answer from another by, but for random values."""
    target = urlsplit(response.headers["Location"])
    return (
        response.status_code,
        sorted(response.headers.keys()),
        target.netloc,
        sorted(parse_qs(target.query)),
    )


def test_an_address_of_a_captured_domain_leads_to_its_identity_provider(
    acme: Organization, name: str
) -> None:
    connect(acme, mode="optional", metadata_xml=metadata_xml(sso_url=f"https://idp.{name}/sso"))
    capture(acme, name)
    response = ask(acme, email=f"Ada@{name.upper()}", return_to="/console/")
    target = urlsplit(response.headers["Location"])
    assert (response.status_code, target.netloc, target.path) == (303, f"idp.{name}", "/sso")
    assert sorted(parse_qs(target.query)) == ["RelayState", "SAMLRequest"]


def test_known_and_unknown_people_get_answers_of_one_shape(acme: Organization, name: str) -> None:
    connect(acme, mode="optional")
    capture(acme, name)
    known, left = f"known@{name}", f"left@{name}"
    acme.scim.create_user(known, emails=[{"value": known}])
    acme.scim.set_active(acme.scim.create_user(left), False)
    shapes = [shape(ask(acme, email=email)) for email in (known, left, f"unknown@{name}")]
    assert shapes[0] == shapes[1] == shapes[2]


def test_an_address_that_nobody_captured_gets_a_page_that_says_so(acme: Organization, name: str) -> None:
    response = ask(acme, email=f"ada@{name}")
    assert response.status_code == 200
    assert NOBODY in response.text


def test_a_claimed_domain_without_proof_looks_like_any_other(acme: Organization, name: str) -> None:
    connect(acme, mode="optional")
    acme.api.post("/domains", {"name": name})
    claimed, other = ask(acme, email=f"ada@{name}"), ask(acme, email=f"ada@x{name}")
    assert claimed.text.replace(name, "") == other.text.replace(f"x{name}", "")


def test_a_subdomain_of_a_captured_domain_is_not_captured(acme: Organization, name: str) -> None:
    connect(acme, mode="optional")
    capture(acme, name)
    assert NOBODY in ask(acme, email=f"ada@sub.{name}").text


def test_a_connection_that_is_off_is_not_offered(acme: Organization, name: str) -> None:
    connect(acme)
    capture(acme, name)
    assert NOBODY in ask(acme, email=f"ada@{name}").text


def test_a_connection_in_test_leads_its_testers_and_hides_from_all_others(
    acme: Organization, name: str
) -> None:
    connect(acme, mode="test", testers=[f"Ada@{name}"])
    capture(acme, name)
    assert ask(acme, email=f"ada@{name}").status_code == 303
    other, unclaimed = ask(acme, email=f"bob@{name}"), ask(acme, email=f"bob@x{name}")
    assert other.text.replace(name, "") == unclaimed.text.replace(f"x{name}", "")


def test_a_connection_in_force_is_taken_before_an_older_one_in_test(acme: Organization, name: str) -> None:
    for mode, host in (("test", "tested"), ("optional", "used"), ("optional", "newer")):
        connect(acme, mode=mode, metadata_xml=metadata_xml(sso_url=f"https://{host}.example/sso"))
    capture(acme, name)
    assert shape(ask(acme, email=f"ada@{name}"))[2] == "used.example"


def test_the_chosen_connection_of_the_domain_is_taken(acme: Organization, name: str) -> None:
    connect(acme, mode="optional")
    chosen = connect(acme, mode="optional", metadata_xml=metadata_xml(sso_url="https://chosen.example/sso"))
    domain = capture(acme, name)
    path = f"/domains/{domain['id']}"
    assert acme.api.patch(path, {"connection_id": chosen["id"]}).status_code == 200
    assert shape(ask(acme, email=f"ada@{name}"))[2] == "chosen.example"
    acme.api.delete(f"/connections/{chosen['id']}")
    assert json_of(acme.api.get(path))["connection_id"] is None
    assert shape(ask(acme, email=f"ada@{name}"))[2] == "idp.example"


def test_a_connection_of_another_organization_cannot_be_chosen(
    acme: Organization, globex: Organization, name: str
) -> None:
    domain = capture(acme, name)
    foreign = {"connection_id": connect(globex)["id"]}
    assert acme.api.patch(f"/domains/{domain['id']}", foreign).status_code == 404


def test_without_an_address_there_is_a_form_that_needs_no_script(acme: Organization) -> None:
    response = ask(acme)
    assert response.status_code == 200
    assert 'name="email"' in response.text
    assert "<script" not in response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("email", ["", "ada", "@acme.example", "ada@[10.0.0.1]", "a@b", "a" * 300])
def test_what_is_no_address_is_told_so(acme: Organization, email: str) -> None:
    response = ask(acme, email=email)
    assert response.status_code == 400
    assert "no e-mail address" in response.text


def test_what_was_asked_for_stands_in_the_page_only_as_text(acme: Organization) -> None:
    response = ask(acme, email='"><script>alert(1)</script>', return_to='/"><script>')
    assert "<script" not in response.text


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/%2fevil.example"]
)
def test_the_form_leads_nowhere_else(acme: Organization, target: str) -> None:
    assert "evil" not in ask(acme, return_to=target).text


def test_too_many_sign_ins_from_one_network_address_are_asked_to_wait(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = SignInRate(per_minute=60, ticks=lambda: 0.0)
    monkeypatch.setattr(acme.container, "sign_in_rate", rate)
    statuses = [ask(acme, email=f"ada{number}@nobody.example").status_code for number in range(61)]
    assert statuses == [200] * 60 + [429]
    refused = ask(acme, email="ada@nobody.example")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_too_many_sign_ins_of_one_address_are_asked_to_wait_from_anywhere(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = SignInRate(per_minute=60, ticks=lambda: 0.0)
    monkeypatch.setattr(acme.container, "sign_in_rate", rate)
    client = acme.app.test_client()
    statuses = [
        client.get(
            "/sso/login",
            query_string={"email": "ADA@nobody.example" if number % 2 else "ada@nobody.example"},
            environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
        ).status_code
        for number in range(11)
    ]
    assert statuses == [200] * 10 + [429]


def test_a_network_of_ipv6_counts_as_one() -> None:
    rate = SignInRate(per_minute=6, ticks=lambda: 0.0)
    for host in range(6):
        rate.check_address(f"2001:db8::{host}")
    rate.check_address("2001:db8:0:1::1")
    with pytest.raises(TooManyRequestsError):
        rate.check_address("2001:db8::ffff")


def test_our_metadata_names_our_urls_and_every_key_that_is_in_use(acme: Organization) -> None:
    made = connect(acme)
    keys = f"/connections/{made['id']}/sp_keys"

    def published() -> int:
        response = acme.app.test_client().get(urlsplit(made["metadata_url"]).path)
        assert response.status_code == 200
        root = etree.fromstring(response.data)
        assert root.get("entityID") == made["entity_id"]
        assert made["acs_url"] in response.text
        return len(root.findall(".//{*}KeyDescriptor[@use='signing']"))

    assert published() == 1
    acme.api.post(keys)
    assert published() == 2
    acme.api.post(f"{keys}/promote")
    assert published() == 1


@pytest.mark.parametrize("id_", ["conn_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e", "nothing"])
def test_metadata_of_no_connection_is_not_found(acme: Organization, id_: str) -> None:
    assert acme.app.test_client().get(f"/sso/saml/{id_}/metadata").status_code == 404


@pytest.mark.parametrize(("proxies", "last"), [(0, 429), (1, 200), (2, 429)])
def test_only_as_many_proxies_as_stand_in_front_tell_where_a_sign_in_comes_from(
    settings: Settings, proxies: int, last: int
) -> None:
    app = create_app(replace(settings, proxies=proxies, signin_per_minute=6))
    client = app.test_client()
    statuses = [
        client.get(
            f"/sso/login?email=ada{number}@nobody.example",
            # The client itself has sent the first of these; the proxy that we know saw the last.
            headers={"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7, 203.0.113.{number}"},
        ).status_code
        for number in range(7)
    ]
    app.extensions["usher"].database.dispose()
    assert statuses == [200] * 6 + [last]
