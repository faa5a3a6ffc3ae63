"""The outbox is delivered at least once, by one worker at a time, and one bad message stops no other."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.audit.models import audit_events, outbox_messages
from app.audit.outbox import LEASE, RETRY_DELAYS, Outbox
from app.core.errors import ConflictError
from app.core.tenancy import ORG_ID
from app.deliveries import DELIVERIES
from app.directory.organizations import OrganizationService
from app.jobs import JOBS
from app.wiring import Container, Services, build_worker
from app.worker import Job, Worker
from tests.support.cast import Organization, in_organization
from tests.support.fakes import FakeClock


class Deliveries:
    """Remembers what was delivered to one organization; fails for the kinds that it is told to."""

    def __init__(self, org_id: str) -> None:
        self.org_id = org_id
        self.delivered: list[str] = []
        self.failing: set[str] = set()
        self.dead: list[int] = []
        self.failed: list[str] = []
        # What other tests have left in the outbox is delivered to nobody.
        self.table: dict[str, Any] = {**dict.fromkeys(DELIVERIES, lambda *_: None), "greeting": self.deliver}

    def deliver(self, services: Services, payload: Mapping[str, Any]) -> None:
        if services.uow.org_id != self.org_id:
            return
        self.delivered.append(payload["name"])
        if payload["name"] in self.failing:
            raise ConnectionError("the receiver is away")


@pytest.fixture
def deliveries(acme: Organization) -> Deliveries:
    return Deliveries(acme.id)


@pytest.fixture
def worker(acme: Organization, deliveries: Deliveries) -> Worker:
    container: Container = acme.container
    return Worker(
        container.begin,
        JOBS,
        deliveries.table,
        container.heartbeat,
        on_dead=lambda: deliveries.dead.append(1),
        on_failed=deliveries.failed.append,
    )


def put(acme: Organization, *names: str) -> None:
    with in_organization(acme.app, acme.id) as services:
        for name in names:
            services.get(Outbox).put("greeting", {"name": name})
        services.commit()


def messages(acme: Organization) -> list[tuple[str, int]]:
    with in_organization(acme.app, acme.id, write=False) as services:
        query = select(outbox_messages).where(outbox_messages.c.org_id == ORG_ID)
        return [(row.state, row.attempts) for row in services.uow.execute(query)]


def test_messages_are_delivered_once_and_in_order(
    acme: Organization, worker: Worker, deliveries: Deliveries
) -> None:
    put(acme, "first", "second", "third")
    worker.round()
    worker.round()
    assert deliveries.delivered == ["first", "second", "third"]
    assert messages(acme) == []


def test_a_message_of_an_unknown_kind_stops_no_other_and_waits_for_who_knows_it(
    acme: Organization, worker: Worker, deliveries: Deliveries, clock: FakeClock
) -> None:
    with in_organization(acme.app, acme.id) as services:
        services.get(Outbox).put("of a newer version", {"name": "new"})
        services.commit()
    put(acme, "known")
    worker.serve(acme.id)
    assert deliveries.delivered == ["known"]
    assert messages(acme) == [("pending", 1)]
    deliveries.table["of a newer version"] = deliveries.deliver
    clock.advance(seconds=RETRY_DELAYS[0].total_seconds() + 1)
    worker.serve(acme.id)
    assert deliveries.delivered == ["known", "new"]
    assert messages(acme) == []


def test_a_message_under_lease_is_left_alone_until_the_lease_ends(
    acme: Organization, worker: Worker, deliveries: Deliveries, clock: FakeClock
) -> None:
    """A worker that was killed after claiming loses nothing."""
    put(acme, "claimed")
    with in_organization(acme.app, acme.id) as services:
        assert len(services.get(Outbox).claim()) == 1
        services.commit()
    worker.round()
    assert deliveries.delivered == []
    clock.advance(seconds=LEASE.total_seconds() + 1)
    worker.round()
    assert deliveries.delivered == ["claimed"]


def test_a_failing_message_is_tried_later_and_the_others_go_through(
    acme: Organization, worker: Worker, deliveries: Deliveries, clock: FakeClock
) -> None:
    # A round through the organizations of all tests may take longer than the first delay.
    clock.stop()
    deliveries.failing = {"bad"}
    put(acme, "bad", "good")
    worker.round()
    assert deliveries.delivered == ["bad", "good"]
    deliveries.failing = set()
    worker.round()
    assert deliveries.delivered == ["bad", "good"]
    clock.advance(seconds=RETRY_DELAYS[0].total_seconds())
    worker.round()
    assert deliveries.delivered == ["bad", "good", "bad"]
    assert messages(acme) == []


def test_a_message_that_never_succeeds_is_set_aside(
    acme: Organization, worker: Worker, deliveries: Deliveries, clock: FakeClock
) -> None:
    deliveries.failing = {"poison"}
    put(acme, "poison")
    for delay in (*RETRY_DELAYS, RETRY_DELAYS[-1]):
        worker.round()
        clock.advance(seconds=delay.total_seconds() + 1)
    worker.round()
    assert messages(acme) == [("dead", len(RETRY_DELAYS) + 1)]
    assert len(deliveries.delivered) == len(RETRY_DELAYS) + 1
    assert deliveries.dead == [1]


def test_the_worker_places_audit_entries_without_a_reader(acme: Organization) -> None:
    acme.scim.create_user()
    build_worker(acme.container).round()
    with in_organization(acme.app, acme.id, write=False) as services:
        query = select(audit_events.c.position).where(audit_events.c.org_id == ORG_ID)
        positions = sorted(services.uow.execute(query).scalars())
    assert positions == list(range(1, len(positions) + 1))


@pytest.mark.parametrize(
    "fault", [ConflictError("not now"), IntegrityError("INSERT", {}, ValueError()), KeyError("a slip")]
)
def test_a_job_that_fails_stops_neither_the_next_nor_another_organization(
    acme: Organization, globex: Organization, deliveries: Deliveries, fault: Exception
) -> None:
    ran: list[str] = []

    def fail(_: OrganizationService) -> None:
        raise fault

    def note(organizations: OrganizationService) -> None:
        ran.append(organizations.current().org_id)

    def is_ours(organizations: OrganizationService) -> bool:
        return organizations.current().org_id in (acme.id, globex.id)

    jobs = (
        Job("failing", OrganizationService, is_ours, fail),
        Job("next", OrganizationService, is_ours, note),
    )
    container = acme.container
    worker = Worker(
        container.begin,
        jobs,
        {},
        container.heartbeat,
        on_dead=lambda: None,
        on_failed=deliveries.failed.append,
    )
    assert worker.round() is False
    assert sorted(ran) == sorted([acme.id, globex.id])
    assert deliveries.failed == ["failing", "failing"]
