"""Parent and child organizations: a child may use the parent's domains, and can do nothing else with them."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import ConflictError, NotFoundError, UnprocessableError
from app.core.ids import edge_id
from app.sso.families import Families
from app.sso.ownership import DomainOwnership, Ownership
from tests.sso.test_connections import connect
from tests.sso.test_discovery import NOBODY, ask, shape
from tests.sso.test_domains import Later, check, claim, judge, publish, state, verified
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.fakes import FakeResolver
from tests.support.idp_metadata import metadata_xml
from tests.support.sign_on import sign_on


@pytest.fixture(autouse=True)
def operator(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line works on the database of the organizations."""
    settings = acme.container.settings
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", settings.secret_key)


def run(command: str, parent: str, child: str) -> Result:
    return CliRunner().invoke(cli, ["org", command, "--org", parent, child, "--json"])


def adopt(parent: Organization, child: Organization) -> dict[str, Any]:
    result = run("adopt", parent.slug, child.slug)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.output)
    return told


def release(parent: Organization, child: Organization) -> None:
    assert run("release", parent.slug, child.slug).exit_code == 0


def refusal(parent: Organization, child: Organization) -> BaseException | None:
    return run("adopt", parent.slug, child.slug).exception


def family_log(organization: Organization) -> list[tuple[str, dict[str, Any]]]:
    listed = json_of(organization.api.get("/audit/events?limit=1000"))["data"]
    return [
        (entry["action"], entry["data"])
        for entry in listed
        if entry["action"].startswith(("organization.child", "organization.parent"))
    ]


def test_a_child_signs_in_addresses_of_its_parents_domain(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    verified(acme, name, resolver)
    child = sign_on(globex)
    assert child.refusal(f"ada@{name}") == (403, "domain_captured_elsewhere")
    told = adopt(acme, globex)
    assert told == {
        "id": edge_id("org", globex.id),
        "slug": globex.slug,
        "parent_id": edge_id("org", acme.id),
    }
    session = json_of(child.sign_in(f"ada@{name}").get("/sso/session"))
    assert session["organization"]["slug"] == globex.slug
    release(acme, globex)
    assert child.refusal(f"ada@{name}") == (403, "domain_captured_elsewhere")


def test_both_sides_keep_one_entry_of_each_change_also_when_it_is_said_twice(
    acme: Organization, globex: Organization
) -> None:
    for _ in range(2):
        adopt(acme, globex)
    for _ in range(2):
        release(acme, globex)
    child = {"child_id": globex.id, "child_slug": globex.slug}
    parent = {"parent_id": acme.id, "parent_slug": acme.slug}
    assert family_log(acme) == [
        ("organization.child_adopted", child),
        ("organization.child_released", child),
    ]
    assert family_log(globex) == [
        ("organization.parent_joined", parent),
        ("organization.parent_left", parent),
    ]


def test_one_half_alone_gives_nothing(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    verified(acme, name, resolver)
    with in_organization(globex.app, globex.id) as services:
        services.get(Families).join(acme.id, acme.slug)
        services.commit()
    assert judge(globex, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE
    adopt(acme, globex)
    assert judge(globex, f"ada@{name}") is Ownership.OK
    with in_organization(globex.app, globex.id) as services:
        services.get(Families).leave(acme.id, acme.slug)
        services.commit()
    assert judge(globex, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE


def test_a_child_neither_sees_nor_changes_its_parents_domains(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    domain = verified(acme, name, resolver)
    adopt(acme, globex)
    path = f"/domains/{domain['id']}"
    answers = [
        globex.api.get(path),
        globex.api.patch(path, {"connection_id": None}),
        globex.api.delete(path),
        globex.api.post(f"{path}/check"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert json_of(globex.api.get("/domains"))["data"] == []
    foreign = {"connection_id": connect(globex)["id"]}
    assert acme.api.patch(path, foreign).status_code == 404


def test_a_child_cannot_claim_what_its_parent_owns(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    verified(acme, name, resolver)
    adopt(acme, globex)
    response = globex.api.post("/domains", {"name": name})
    assert (response.status_code, json_of(response)["code"]) == (409, "domain_of_parent")
    said = CliRunner().invoke(cli, ["domain", "verify", "--org", globex.slug, name, "--manual"])
    assert isinstance(said.exception, ConflictError)


def test_a_child_that_proves_its_parents_domain_begins_no_dispute(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    owned, wanted = verified(acme, name, resolver), claim(globex, name)
    adopt(acme, globex)
    publish(resolver, wanted)
    assert check(globex, wanted)["state"] == "pending"
    later(days=1)
    assert (state(acme, owned), state(globex, wanted)) == ("verified", "pending")


def test_neither_parents_nor_siblings_use_the_domains_of_a_child(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    sibling = create_organization(acme.app)
    adopt(acme, globex)
    adopt(acme, sibling)
    verified(globex, name, resolver)
    assert judge(globex, f"ada@{name}") is Ownership.OK
    assert judge(acme, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE
    assert judge(sibling, f"ada@{name}") is Ownership.CAPTURED_ELSEWHERE


def test_a_parents_lapsed_domain_lets_nobody_new_into_the_child(
    acme: Organization,
    globex: Organization,
    name: str,
    resolver: FakeResolver,
    later: Later,
) -> None:
    domain = verified(acme, name, resolver)
    adopt(acme, globex)
    child = sign_on(globex)
    child.sign_in(f"ada@{name}")
    resolver.remove(domain["record"]["name"])
    for _ in range(30):
        later(hours=24)
    assert child.refusal(f"bob@{name}") == (403, "domain_lapsed")
    child.sign_in(f"ada@{name}")


def test_a_shared_domain_leads_to_its_owners_connection(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    verified(acme, name, resolver)
    adopt(acme, globex)
    connect(globex, mode="optional")
    assert NOBODY in ask(acme, email=f"ada@{name}").text
    connect(acme, mode="optional", metadata_xml=metadata_xml(sso_url="https://parent.example/sso"))
    assert shape(ask(acme, email=f"ada@{name}"))[2] == "parent.example"


def test_a_child_may_enforce_sign_on_by_its_parents_domain(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    def has_verified() -> bool:
        with in_organization(globex.app, globex.id, write=False) as services:
            answer: bool = services.get(DomainOwnership).has_verified()
        return answer

    adopt(acme, globex)
    assert not has_verified()
    verified(acme, name, resolver)
    assert has_verified()
    release(acme, globex)
    assert not has_verified()


def test_families_are_one_step_deep_and_have_one_parent(acme: Organization, globex: Organization) -> None:
    third = create_organization(acme.app)
    assert isinstance(refusal(acme, acme), UnprocessableError)
    adopt(acme, globex)
    assert isinstance(refusal(third, globex), ConflictError)
    assert isinstance(refusal(third, acme), ConflictError)
    assert isinstance(refusal(globex, third), ConflictError)
    assert isinstance(run("adopt", acme.slug, "nobody-here").exception, NotFoundError)


def test_a_refused_adoption_leaves_nothing_behind(acme: Organization, globex: Organization) -> None:
    third = create_organization(acme.app)
    adopt(acme, globex)
    assert refusal(globex, third) is not None
    assert family_log(third) == []
    adopt(acme, third)


def test_a_child_in_a_dispute_is_adopted_only_after_it(
    acme: Organization, globex: Organization, name: str, resolver: FakeResolver
) -> None:
    verified(acme, name, resolver)
    wanted = claim(globex, name)
    publish(resolver, wanted)
    assert check(globex, wanted)["state"] == "disputed"
    assert isinstance(refusal(acme, globex), ConflictError)
    globex.api.delete(f"/domains/{wanted['id']}")
    adopt(acme, globex)
