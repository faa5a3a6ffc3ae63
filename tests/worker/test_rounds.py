"""What a round costs: nothing for an organization where nothing happens, and nobody waits for it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import create_app, worker
from app.audit.models import audit_events
from app.core.clock import rfc3339
from app.core.connection import Connection
from app.core.context import SYSTEM, Caller
from app.core.tenancy import ORG_ID
from app.directory.organizations import OrganizationService
from app.jobs import JOBS
from app.settings import Settings
from app.wiring import Environment, build_worker
from app.worker import LAP, Job, Worker
from tests.support.cast import Organization, create_organization, in_organization
from tests.support.databases import KINDS, migrated
from tests.support.fakes import FakeClock


@pytest.fixture(scope="module", params=KINDS)
def own_app(
    request: pytest.FixtureRequest, new_database: Callable[[str, str], Settings], shared_clock: FakeClock
) -> Iterator[Flask]:
    """A database where nobody else has work."""
    made = create_app(migrated(new_database(request.param, "rounds")), Environment(clock=shared_clock))
    yield made
    made.extensions["usher"].database.dispose()


@pytest.fixture
def company(own_app: Flask) -> list[Organization]:
    return [create_organization(own_app) for _ in range(4)]


@pytest.fixture
def served(company: list[Organization], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The organizations that have been looked at, one after the other; one has its turn in each round."""
    seen: list[str] = []
    serve = Worker.serve

    def note(self: Worker, org_id: str) -> bool:
        seen.append(org_id)
        return serve(self, org_id)

    monkeypatch.setattr(Worker, "serve", note)
    monkeypatch.setattr(worker, "A_FEW", 1)
    monkeypatch.setattr(worker, "LAP", 1_000)
    return seen


@pytest.fixture
def rested(company: list[Organization], served: list[str]) -> Worker:
    """A worker that has been everywhere and has nothing left to do."""
    made = build_worker(company[0].container)
    while made.round():
        pass
    served.clear()
    return made


def count_statements(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    sent: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        sent.append(sql)
        send(self, sql, values, **kept)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "send", note)
        work()
    return len(sent)


def unplaced(organization: Organization) -> int:
    query = select(audit_events.c.id).where(
        audit_events.c.org_id == ORG_ID, audit_events.c.position.is_(None)
    )
    with in_organization(organization.app, organization.id, write=False) as services:
        return len(services.uow.execute(query).all())


def test_idle_organizations_add_no_statement_to_a_round(
    own_app: Flask, rested: Worker, served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = count_statements(monkeypatch, rested.round)
    assert len(served) == 1
    for _ in range(5):
        create_organization(own_app)
    while rested.round():
        pass
    rested.round()
    served.clear()
    assert count_statements(monkeypatch, rested.round) == before
    assert len(served) == 1


def test_a_change_is_placed_in_the_next_round_wherever_it_happened(
    company: list[Organization], rested: Worker, served: list[str]
) -> None:
    for organization in company:
        organization.scim.create_user()
        assert unplaced(organization) == 1
    rested.round()
    assert [unplaced(organization) for organization in company] == [0] * len(company)
    assert {organization.id for organization in company} <= set(served)
    # Whose turn it was besides is one at most.
    assert len(served) <= len(company) + 1


def test_the_end_of_a_mapping_is_decided_in_the_next_round_wherever_its_time_came(
    company: list[Organization], rested: Worker, clock: FakeClock
) -> None:
    """Until then, who has several mappings may have nothing."""
    clock.stop()
    ending = rfc3339(clock.now() + timedelta(hours=1))
    for organization in company:
        members = [organization.scim.create_user()]
        organization.map_group(organization.scim.create_group(members=members), expires_at=ending)
    rested.round()
    clock.advance(hours=1)
    rested.round()
    assert all("seat.released" in organization.audit_actions() for organization in company)


def test_everybody_has_a_turn_in_each_lap(
    company: list[Organization], rested: Worker, served: list[str]
) -> None:
    """What only time makes due is found although nothing has happened."""
    with company[0].container.begin(write=False, caller=Caller(SYSTEM, "test")) as services:
        everybody = services.get(OrganizationService).ids()
    for _ in everybody:
        rested.round()
    assert set(served) == set(everybody)


def test_where_a_step_left_something_the_next_follows_at_once(
    company: list[Organization], served: list[str]
) -> None:
    left = [3]
    busy = company[2]

    def step(_: OrganizationService) -> bool:
        left[0] -= 1
        return left[0] > 0

    def is_due(organizations: OrganizationService) -> bool:
        return organizations.current().org_id == busy.id and left[0] > 0

    jobs = (*JOBS, Job("steps", OrganizationService, is_due, step))
    container = busy.container
    made = Worker(
        container.begin, jobs, {}, container.heartbeat, on_dead=lambda: None, on_failed=lambda _: None
    )
    rounds = 0
    while made.round():
        rounds += 1
    assert (left[0], served.count(busy.id)) == (0, rounds + 1)


@pytest.mark.parametrize(("organizations", "each_round"), [(1, 1), (20, 20), (100, 20), (5_000, 84)])
def test_a_lap_is_short_for_a_few_and_bounded_for_many(
    company: list[Organization], organizations: int, each_round: int
) -> None:
    made = build_worker(company[0].container)
    ids = [str(number) for number in range(organizations)]
    assert made._next(ids) == ids
    rounds = [made._next(ids) for _ in range(LAP)]
    assert max(map(len, rounds)) == each_round
    assert {id_ for looked in rounds for id_ in looked} == set(ids)
