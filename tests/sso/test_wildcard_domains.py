"""Wildcard claims: a proof of their own, everything below a name, the longest match."""

from typing import Any

import pytest

from app.core.connection import Connection
from app.sso.addresses import parse_email
from app.sso.ownership import DomainOwnership, Ownership
from tests.sso.test_connections import connect
from tests.sso.test_discovery import NOBODY, ask, shape
from tests.sso.test_domains import Later, check, claim, judge, publish, state, verified
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeFetch, FakeResolver
from tests.support.idp_metadata import metadata_xml
from tests.support.sign_on import sign_on


def wildcard(organization: Organization, name: str, resolver: FakeResolver) -> dict[str, Any]:
    return verified(organization, f"*.{name}", resolver)


def test_a_wildcard_is_proved_by_a_record_of_its_own_at_the_parent(
    acme: Organization, name: str, resolver: FakeResolver
) -> None:
    exact, wide = claim(acme, name), claim(acme, f"*.{name.upper()}.")
    assert (wide["name"], wide["state"], wide["document"]) == (f"*.{name}", "pending", None)
    assert wide["record"]["name"] == exact["record"]["name"] == f"_usher-challenge.{name}"
    assert wide["record"]["value"] != exact["record"]["value"]
    publish(resolver, wide)
    assert (check(acme, wide)["state"], check(acme, exact)["state"]) == ("verified", "pending")


def test_the_proof_of_the_parent_is_none_of_the_wildcard(
    acme: Organization, name: str, resolver: FakeResolver
) -> None:
    exact, wide = claim(acme, name), claim(acme, f"*.{name}")
    publish(resolver, exact)
    assert (check(acme, exact)["state"], check(acme, wide)["state"]) == ("verified", "pending")


def test_a_document_proves_no_wildcard(
    acme: Organization, name: str, fetch: FakeFetch, resolver: FakeResolver
) -> None:
    wide = claim(acme, f"*.{name}")
    url = f"https://{name}/.well-known/usher-domain-verification.txt"
    fetch.documents[url] = wide["record"]["value"].encode()
    assert check(acme, wide)["state"] == "pending"
    assert url not in fetch.asked


def test_a_wildcard_covers_what_is_below_at_any_depth_and_not_the_parent(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    wildcard(acme, name, resolver)
    for below in (f"eu.{name}", f"a.b.c.{name}"):
        assert judge(acme, f"ada@{below}") is Ownership.OK
        assert judge(globex, f"ada@{below}") is Ownership.CAPTURED_ELSEWHERE
    assert judge(acme, f"ada@{name}") is Ownership.NOT_VERIFIED
    assert judge(acme, f"ada@x{name}") is Ownership.NOT_VERIFIED


def test_a_pending_wildcard_covers_nothing(acme: Organization, name: str) -> None:
    claim(acme, f"*.{name}")
    assert judge(acme, f"ada@eu.{name}") is Ownership.NOT_VERIFIED


def test_an_exact_claim_of_another_organization_wins_for_its_name_without_a_dispute(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    wide = wildcard(acme, name, resolver)
    inside = claim(globex, f"eu.{name}")
    assert judge(acme, f"ada@eu.{name}") is Ownership.OK
    publish(resolver, inside)
    assert check(globex, inside)["state"] == "verified"
    later()
    assert (state(acme, wide), state(globex, inside)) == ("verified", "verified")
    assert judge(globex, f"ada@eu.{name}") is Ownership.OK
    assert judge(acme, f"ada@eu.{name}") is Ownership.CAPTURED_ELSEWHERE
    assert judge(acme, f"ada@a.eu.{name}") is Ownership.OK
    globex.api.delete(f"/domains/{inside['id']}")
    assert judge(acme, f"ada@eu.{name}") is Ownership.OK


def test_the_longest_of_several_wildcards_counts(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    wildcard(acme, name, resolver)
    wildcard(globex, f"eu.{name}", resolver)
    assert judge(acme, f"ada@us.{name}") is Ownership.OK
    assert judge(acme, f"ada@eu.{name}") is Ownership.OK
    assert judge(globex, f"ada@a.eu.{name}") is Ownership.OK
    assert judge(acme, f"ada@a.eu.{name}") is Ownership.CAPTURED_ELSEWHERE


def test_a_second_proof_of_the_same_wildcard_begins_a_dispute(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    owned, wanted = wildcard(acme, name, resolver), claim(globex, f"*.{name}")
    publish(resolver, wanted)
    assert check(globex, wanted)["state"] == "disputed"
    later()
    assert state(acme, owned) == "disputed"
    later(days=8)
    later()
    assert (state(acme, owned), state(globex, wanted)) == ("pending", "verified")
    assert judge(globex, f"ada@eu.{name}") is Ownership.OK


def test_a_lapsed_wildcard_lets_nobody_new_in_and_leads_nowhere(
    acme: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    connect(acme, mode="optional")
    wide = wildcard(acme, name, resolver)
    resolver.remove(wide["record"]["name"])
    for _ in range(30):
        later(hours=24)
    assert judge(acme, f"ada@eu.{name}") is Ownership.LAPSED
    assert NOBODY in ask(acme, email=f"ada@eu.{name}").text


def test_a_sign_in_start_below_a_wildcard_leads_to_the_owner_of_the_longest_match(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    for organization, host in ((acme, "wide"), (globex, "exact")):
        connect(
            organization, mode="optional", metadata_xml=metadata_xml(sso_url=f"https://{host}.example/sso")
        )
    wildcard(acme, name, resolver)
    verified(globex, f"eu.{name}", resolver)
    assert shape(ask(acme, email=f"ada@eu.{name}"))[2] == "exact.example"
    assert shape(ask(acme, email=f"ada@us.{name}"))[2] == "wide.example"
    assert NOBODY in ask(acme, email=f"ada@{name}").text


def test_people_below_a_wildcard_sign_in(acme: Organization, name: str, resolver: FakeResolver) -> None:
    sign = sign_on(acme)
    assert sign.refusal(f"ada@eu.{name}") == (403, "domain_not_verified")
    wildcard(acme, name, resolver)
    assert sign.sign_in(f"ada@eu.{name}").get("/sso/session").status_code == 200
    assert sign.refusal(f"ada@{name}") == (403, "domain_not_verified")


def test_a_refused_sign_in_below_a_wildcard_is_counted_for_its_owner(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    wide = wildcard(acme, name, resolver)
    assert sign_on(globex).refusal(f"ada@eu.{name}") == (403, "domain_captured_elsewhere")
    assert json_of(acme.api.get(f"/domains/{wide['id']}"))["refused_elsewhere"] == 1


@pytest.mark.parametrize("name", ["*.co.uk", "*.github.io", "*.gmail.com", "*.com", "*.*.acme.example", "*."])
def test_a_wildcard_that_nobody_can_claim_is_refused(acme: Organization, name: str) -> None:
    assert acme.api.post("/domains", {"name": name}).status_code == 422


def test_the_longest_name_costs_one_statement(
    acme: Organization, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    original = Connection.send

    def send(self: Connection, sql: str, *arguments: Any, **options: Any) -> None:
        sent.append(sql)
        original(self, sql, *arguments, **options)

    address = parse_email(f"a@{'x.' * 110}{name}")
    with in_organization(acme.app, acme.id, write=False) as services:
        ownership = services.get(DomainOwnership)
        assert ownership.judge(parse_email(f"a@{name}")).ownership is Ownership.NOT_VERIFIED
        monkeypatch.setattr(Connection, "send", send)
        assert ownership.judge(address).ownership is Ownership.NOT_VERIFIED
    assert len(sent) == 1
