"""Domains over REST: claim, proof by DNS, grace and lapse, dispute, removal."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from click.testing import CliRunner

from app.sso.addresses import parse_email
from app.sso.domain_states import DISPUTE, NO_NEW_DISPUTE
from app.sso.ownership import DISPUTED, DomainOwnership, Holder, Holders, Judgement, Ownership
from app.sso.txt_records import TxtAnswer
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.fakes import FakeClock, FakeFetch, FakeResolver

Later = Callable[..., None]


def claim(organization: Organization, name: str) -> dict[str, Any]:
    response = organization.api.post("/domains", {"name": name})
    assert response.status_code == 201, response.text
    claimed: dict[str, Any] = json_of(response)
    return claimed


def publish(resolver: FakeResolver, *claims: dict[str, Any]) -> None:
    resolver.publish(claims[0]["record"]["name"], *(domain["record"]["value"] for domain in claims))


def check(organization: Organization, domain: dict[str, Any]) -> dict[str, Any]:
    response = organization.api.post(f"/domains/{domain['id']}/check")
    assert response.status_code == 200, response.text
    checked: dict[str, Any] = json_of(response)
    return checked


def state(organization: Organization, domain: dict[str, Any]) -> str:
    return str(json_of(organization.api.get(f"/domains/{domain['id']}"))["state"])


def verified(organization: Organization, name: str, resolver: FakeResolver) -> dict[str, Any]:
    domain = claim(organization, name)
    publish(resolver, domain)
    assert check(organization, domain)["state"] == "verified"
    return domain


def judge(organization: Organization, email: str) -> Ownership:
    with in_organization(organization.app, organization.id, write=False) as services:
        judgement: Judgement = services.get(DomainOwnership).judge(parse_email(email))
    return judgement.ownership


def test_a_claimed_domain_is_pending_and_says_which_record_proves_it(acme: Organization, name: str) -> None:
    domain = claim(acme, name.upper())
    assert (domain["type"], domain["name"], domain["state"]) == ("domain", name, "pending")
    record = domain["record"]
    assert (record["type"], record["name"]) == ("TXT", f"_usher-challenge.{name}")
    prefix, _, token = record["value"].partition("=")
    assert prefix == "usher-domain-verification"
    assert len(token) == 32


def test_the_record_verifies_the_domain_on_a_click(
    acme: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = claim(acme, name)
    resolver.publish(domain["record"]["name"], "v=spf1 -all", domain["record"]["value"])
    checked = check(acme, domain)
    assert (checked["state"], checked["proof"], checked["last_look"]) == ("verified", "dns", "present")


def test_the_record_verifies_the_domain_without_a_click(
    acme: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    domain = claim(acme, name)
    publish(resolver, domain)
    later(seconds=61)
    assert state(acme, domain) == "verified"


def test_a_look_that_finds_nothing_leaves_the_domain_pending(acme: Organization, name: str) -> None:
    checked = check(acme, claim(acme, name))
    assert (checked["state"], checked["last_look"]) == ("pending", "absent")


def test_a_failing_resolver_is_no_absence(acme: Organization, name: str, resolver: FakeResolver) -> None:
    domain = claim(acme, name)
    resolver.fail(domain["record"]["name"])
    assert check(acme, domain)["last_look"] == "unknown"


def test_a_record_that_is_not_everywhere_yet_is_told(
    acme: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = claim(acme, name)
    resolver.answer(domain["record"]["name"], TxtAnswer((), (domain["record"]["value"],)))
    checked = check(acme, domain)
    assert (checked["state"], checked["last_look"]) == ("pending", "published")


def test_the_record_of_another_organization_proves_nothing(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    publish(resolver, claim(globex, name))
    assert check(acme, claim(acme, name))["state"] == "pending"


def test_a_second_click_within_ten_seconds_is_asked_to_wait(
    acme: Organization, name: str, clock: FakeClock, resolver: FakeResolver
) -> None:
    clock.stop()
    domain = claim(acme, name)
    check(acme, domain)
    asked = len(resolver.asked)
    response = acme.api.post(f"/domains/{domain['id']}/check")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "10")
    assert len(resolver.asked) == asked
    clock.advance(seconds=10)
    check(acme, domain)


def test_every_change_of_state_is_in_the_audit_log(
    acme: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = verified(acme, name, resolver)
    acme.api.delete(f"/domains/{domain['id']}")
    listed = json_of(acme.api.get(f"/audit/events?target_id={domain['id']}"))["data"]
    assert [entry["action"] for entry in listed] == ["domain.claimed", "domain.verified", "domain.removed"]
    assert listed[0]["target"] == {"type": "domain", "id": domain["id"]}


def test_a_record_gone_for_three_days_begins_the_grace_and_its_end_the_lapse(
    acme: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    domain = verified(acme, name, resolver)
    resolver.remove(domain["record"]["name"])
    seen = []
    for _ in range(50):
        later(hours=12)
        seen.append(state(acme, domain))
    # A week until the weekly look, three days of absence, fourteen days of grace.
    assert [seen.index(wanted) / 2 for wanted in ("grace", "lapsed")] == [9.5, 23.5]


def test_a_lapsed_domain_is_still_nobody_elses_and_comes_back_with_its_record(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    domain = verified(acme, name, resolver)
    resolver.remove(domain["record"]["name"])
    for _ in range(30):
        later(hours=24)
    assert judge(acme, f"ada@{name}") is Ownership.LAPSED
    assert judge(globex, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE
    publish(resolver, domain)
    assert check(acme, domain)["state"] == "verified"


def test_whose_an_address_is_follows_the_verified_domain(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    address = f"ada@{name}"
    assert judge(acme, address) is Ownership.NOT_VERIFIED
    claim(globex, name)
    verified(acme, name, resolver)
    assert judge(acme, address) is Ownership.OK
    assert judge(globex, address) is Ownership.CAPTURED_ELSEWHERE
    assert judge(acme, f"ada@sub.{name}") is Ownership.NOT_VERIFIED


def test_the_owner_sees_how_many_sign_ins_elsewhere_were_refused(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = verified(acme, name, resolver)
    with in_organization(globex.app, globex.id, write=False) as services:
        owner = services.get(DomainOwnership).judge(parse_email(f"ada@{name}")).owner
    assert owner is not None
    with in_organization(acme.app, owner.org_id) as services:
        services.get(DomainOwnership).count_refusal(owner.domain_id)
        services.commit()
    assert json_of(acme.api.get(f"/domains/{domain['id']}"))["refused_elsewhere"] == 1


def disputed(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Acme's verified domain, of which globex has proved control as well."""
    owned, wanted = verified(acme, name, resolver), claim(globex, name)
    publish(resolver, wanted)
    assert check(globex, wanted)["state"] == "disputed"
    later()
    assert state(acme, owned) == "disputed"
    return owned, wanted


def test_a_dispute_changes_nobodys_sign_ins(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    disputed(acme, globex, name, resolver, later)
    assert judge(acme, f"ada@{name}") is Ownership.OK
    assert judge(globex, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE


def test_an_owner_who_proves_again_keeps_the_domain(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    owned, wanted = disputed(acme, globex, name, resolver, later)
    publish(resolver, wanted, owned)
    later(days=1)
    assert (state(acme, owned), state(globex, wanted)) == ("verified", "pending")
    later(days=1)
    assert check(globex, wanted)["state"] == "pending"
    later(seconds=NO_NEW_DISPUTE.total_seconds())
    assert check(globex, wanted)["state"] == "disputed"


def test_an_owner_who_does_not_answer_loses_the_domain_after_seven_days(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    owned, wanted = disputed(acme, globex, name, resolver, later)
    later(seconds=(DISPUTE - timedelta(hours=1)).total_seconds())
    assert (state(acme, owned), state(globex, wanted)) == ("disputed", "disputed")
    later(hours=2)
    later()
    assert (state(acme, owned), state(globex, wanted)) == ("pending", "verified")
    assert judge(globex, f"ada@{name}") is Ownership.OK
    assert judge(acme, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE


def test_an_owner_whom_dns_cannot_ask_keeps_the_domain_until_it_can(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    owned, _ = disputed(acme, globex, name, resolver, later)
    resolver.fail(owned["record"]["name"])
    later(days=8)
    assert state(acme, owned) == "disputed"


def test_a_challenger_who_removes_the_record_ends_the_dispute(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    owned, wanted = disputed(acme, globex, name, resolver, later)
    resolver.remove(wanted["record"]["name"])
    later(seconds=11)
    assert check(globex, wanted)["state"] == "pending"
    later()
    assert state(acme, owned) == "verified"


def test_a_domain_that_its_owner_removes_goes_to_the_challenger(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    owned, wanted = disputed(acme, globex, name, resolver, later)
    assert acme.api.delete(f"/domains/{owned['id']}").status_code == 200
    later()
    assert state(globex, wanted) == "verified"


def test_a_removed_domain_can_be_captured_by_another_organization(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = verified(acme, name, resolver)
    acme.api.delete(f"/domains/{domain['id']}")
    assert acme.api.get(f"/domains/{domain['id']}").status_code == 404
    verified(globex, name, resolver)


def test_the_operators_word_verifies_and_is_audited(
    acme: Organization, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.cli import cli

    settings = acme.container.settings
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", settings.secret_key)
    arguments = ["domain", "verify", "--org", acme.slug, name, "--manual", "--json"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    listed = json_of(acme.api.get("/domains"))["data"]
    assert [(row["name"], row["state"], row["proof"]) for row in listed] == [(name, "verified", "operator")]
    entries = json_of(acme.api.get(f"/audit/events?target_id={listed[0]['id']}"))["data"]
    assert [entry["action"] for entry in entries] == ["domain.claimed", "domain.verified"]
    assert entries[1]["actor"]["type"] == "operator"


@pytest.mark.parametrize(
    "name", ["gmail.com", "co.uk", "acme.onmicrosoft.com", "localhost", "10.0.0.1", "a..b"]
)
def test_what_nobody_can_claim_is_refused(acme: Organization, name: str) -> None:
    assert acme.api.post("/domains", {"name": name}).status_code == 422


def test_a_domain_is_claimed_once(acme: Organization, name: str) -> None:
    claim(acme, name)
    response = acme.api.post("/domains", {"name": f"{name}."})
    assert (response.status_code, json_of(response)["code"]) == (409, "domain_exists")


def test_there_are_only_so_many_claims(
    acme: Organization, globex: Organization, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sso.domains.MAX_DOMAINS", 2)
    claim(acme, name)
    claim(acme, f"*.{name}")
    response = acme.api.post("/domains", {"name": f"one-more.{name}"})
    assert (response.status_code, json_of(response)["code"]) == (409, "too_many")
    claim(globex, name)


def test_a_domain_of_another_organization_is_not_found(
    acme: Organization, globex: Organization, name: str
) -> None:
    path = f"/domains/{claim(globex, name)['id']}"
    answers = [
        acme.api.get(path),
        acme.api.patch(path, {"connection_id": None}),
        acme.api.delete(path),
        acme.api.post(f"{path}/check"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


def test_a_check_that_comes_again_with_its_key_is_answered_alike(
    acme: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = claim(acme, name)
    publish(resolver, domain)
    headers = {"Idempotency-Key": "check-it-once"}
    path = f"/domains/{domain['id']}/check"
    first, second = (acme.api.post(path, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code, second.text) == (200, 200, first.text)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_no_transaction_is_open_while_dns_is_asked(
    acme: Organization, name: str, resolver: FakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = claim(acme, name)
    held = []

    def look(_: str) -> TxtAnswer:
        # Another writer gets in at once, which on SQLite shows that no write lock is held.
        held.append(claim(acme, f"other-{name}")["state"])
        return TxtAnswer((), ())

    monkeypatch.setattr(resolver, "look", look)
    check(acme, domain)
    assert held == ["pending"]


# The document


def serve(fetch: FakeFetch, domain: dict[str, Any], text: str | None = None) -> None:
    document = domain["document"]
    fetch.documents[document["url"]] = (text or document["value"]).encode()


def test_a_document_on_the_web_server_verifies_the_domain_as_well(
    acme: Organization, name: str, fetch: FakeFetch
) -> None:
    domain = claim(acme, name)
    assert domain["document"]["url"] == f"https://{name}/.well-known/usher-domain-verification.txt"
    assert domain["document"]["value"] == domain["record"]["value"]
    serve(fetch, domain, domain["document"]["value"] + "\n")
    checked = check(acme, domain)
    assert (checked["state"], checked["proof"], checked["last_look"]) == ("verified", "https", "present")


@pytest.mark.parametrize("text", ["{value} and more", "usher-domain-verification=", "<html>{value}</html>"])
def test_a_document_that_says_anything_else_proves_nothing(
    acme: Organization, name: str, fetch: FakeFetch, text: str
) -> None:
    domain = claim(acme, name)
    serve(fetch, domain, text.format(value=domain["document"]["value"]))
    assert check(acme, domain)["state"] == "pending"


def test_a_document_with_anothers_token_proves_nothing(
    acme: Organization, globex: Organization, name: str, fetch: FakeFetch
) -> None:
    ours, theirs = claim(acme, name), claim(globex, name)
    serve(fetch, theirs)
    assert check(acme, ours)["state"] == "pending"
    assert check(globex, theirs)["state"] == "verified"


def test_the_record_goes_before_the_document_and_spares_the_visit(
    acme: Organization, name: str, resolver: FakeResolver, fetch: FakeFetch
) -> None:
    domain = claim(acme, name)
    publish(resolver, domain)
    assert check(acme, domain)["proof"] == "dns"
    assert domain["document"]["url"] not in fetch.asked


def test_a_document_that_goes_away_begins_the_grace(
    acme: Organization, name: str, fetch: FakeFetch, later: Later
) -> None:
    domain = claim(acme, name)
    serve(fetch, domain)
    check(acme, domain)
    del fetch.documents[domain["document"]["url"]]
    for _ in range(3):
        later(days=7)
    assert state(acme, domain) == "grace"
    serve(fetch, domain)
    later(days=1)
    assert state(acme, domain) == "verified"


# Races and doubts


def test_of_two_organizations_that_prove_at_once_one_owns_and_the_other_disputes(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owned, wanted = claim(acme, name), claim(globex, name)
    publish(resolver, owned, wanted)
    original, first = DomainOwnership.holders, [Holders(None, None, is_lapsed=False)]

    def holders(self: DomainOwnership, of: str) -> Holders:
        # What globex saw before acme was done.
        return first.pop() if self._uow.org_id == globex.id and first else original(self, of)

    assert check(acme, owned)["state"] == "verified"
    monkeypatch.setattr(DomainOwnership, "holders", holders)
    assert check(globex, wanted)["state"] == "disputed"
    assert not first
    assert judge(acme, f"ada@{name}") is Ownership.OK


def test_of_several_that_prove_at_the_same_moment_exactly_one_owns(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    everybody = [acme, globex, create_organization(acme.app)]
    for claimed in (name, f"*.{name}", f"eu.{name}"):
        domains = [claim(organization, claimed) for organization in everybody]
        publish(resolver, *domains)
        start = Barrier(len(everybody))

        def prove(organization: Organization, domain: dict[str, Any], start: Barrier = start) -> str:
            start.wait()
            return str(check(organization, domain)["state"])

        with ThreadPoolExecutor(len(everybody)) as pool:
            states = list(pool.map(prove, everybody, domains))
        assert sorted(states) == ["disputed", "pending", "verified"]


def test_a_name_is_not_handed_over_to_who_gave_the_dispute_up_at_that_moment(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    owned, wanted = disputed(acme, globex, name, resolver, later)
    with in_organization(acme.app, acme.id, write=False) as services:
        stale = services.get(DomainOwnership).holders(name)
    globex.api.delete(f"/domains/{wanted['id']}")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DomainOwnership, "holders", lambda *_: stale)
        later(days=8)
    assert judge(acme, f"ada@{name}") is Ownership.OK
    later()
    assert state(acme, owned) == "verified"


def test_a_challenger_who_leaves_just_as_the_name_comes_leaves_it_to_nobody(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    _, wanted = disputed(acme, globex, name, resolver, later)
    original = DomainOwnership.drop

    def drop(self: DomainOwnership, kind: str, of: str, domain_id: str) -> bool:
        found = original(self, kind, of, domain_id)
        if kind == DISPUTED:
            # Acme's worker held the dispute until here, and then globex had the name.
            self.hand_over(of, Holder(globex.id, domain_id))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DomainOwnership, "drop", drop)
        assert globex.api.delete(f"/domains/{wanted['id']}").status_code == 200
    assert judge(globex, f"ada@{name}") is Ownership.NOT_VERIFIED


def test_a_dispute_brings_a_lapsed_domain_no_newcomers_and_no_proof(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    owned = verified(acme, name, resolver)
    resolver.remove(owned["record"]["name"])
    for _ in range(30):
        later(hours=24)
    wanted = claim(globex, name)
    publish(resolver, wanted)
    assert check(globex, wanted)["state"] == "disputed"
    later()
    assert state(acme, owned) == "disputed"
    assert judge(acme, f"ada@{name}") is Ownership.LAPSED
    globex.api.delete(f"/domains/{wanted['id']}")
    later()
    assert state(acme, owned) == "lapsed"
    publish(resolver, owned)
    later(days=7)
    assert state(acme, owned) == "verified"
    assert judge(acme, f"ada@{name}") is Ownership.OK


def test_a_lapsed_domain_that_goes_to_the_challenger_is_not_lapsed_there(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    owned = verified(acme, name, resolver)
    resolver.remove(owned["record"]["name"])
    for _ in range(30):
        later(hours=24)
    wanted = claim(globex, name)
    publish(resolver, wanted)
    check(globex, wanted)
    later()
    later(days=8)
    later()
    assert (state(acme, owned), state(globex, wanted)) == ("pending", "verified")
    assert judge(globex, f"ada@{name}") is Ownership.OK


def test_a_lapsed_domain_that_is_removed_leaves_nothing_behind(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver, later: Later
) -> None:
    owned = verified(acme, name, resolver)
    resolver.remove(owned["record"]["name"])
    for _ in range(30):
        later(hours=24)
    assert acme.api.delete(f"/domains/{owned['id']}").status_code == 200
    verified(globex, name, resolver)
    assert judge(globex, f"ada@{name}") is Ownership.OK
