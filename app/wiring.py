"""Where the parts meet: how each service is built, and everything that each event causes.

Nothing else sees all parts. `HANDLERS` is read top to bottom: on one screen, what happens when the
identity provider takes somebody away.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

import structlog

from app.api.idempotency import IdempotencyStore
from app.audit.outbox import Outbox
from app.audit.recorder import AuditRecorder
from app.audit.sequencer import STEP, Sequencer
from app.building import BUILDERS
from app.core.clock import Clock, SystemClock
from app.core.context import SYSTEM, Caller
from app.core.cursors import Cursors
from app.core.database import Database
from app.core.events import Event
from app.core.ids import IdFactory, Uuid7Factory
from app.core.rate_limit import ApiRate, ScimRate
from app.core.readiness import Heartbeat, Readiness
from app.core.tokens import Randomness, SystemRandomness
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.directory import events as directory
from app.directory.credential_expiry import CredentialExpiry
from app.governance.entitlements import EntitlementService
from app.governance.events import EntitlementsChanged
from app.governance.mappings import MappingService
from app.governance.policy import is_mapped
from app.governance.roles import RoleService
from app.governance.seat_pool import HAND_OVER, SeatPool
from app.schema import head_revision
from app.scim.milestones import KnownDirectories
from app.scim.protocol.registry import Registry
from app.scim.trace import TraceQueue
from app.scim.trace_store import TraceStore
from app.scim.trace_writer import TraceWriter
from app.settings import Settings
from app.spend.billing import Billing
from app.spend.notices import THRESHOLD_REACHED
from app.spend.prices import PriceBook
from app.spend.reservations import Reservations
from app.spend.rollups import STEP as ROLL_UP
from app.spend.rollups import RollUps
from app.spend.usage_events import BATCH, UsageEvents
from app.spend.usage_forecasts import FORECAST_REACHED
from app.web.metrics import DEAD_MESSAGES, LOST_TRACES
from app.worker import Job, Worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Environment:
    """What tests replace: time, ids and randomness."""

    clock: Clock = field(default_factory=SystemClock)
    ids: IdFactory = field(default_factory=Uuid7Factory)
    randomness: Randomness = field(default_factory=SystemRandomness)


class Container:
    """Everything that lives as long as the process."""

    settings: Settings
    environment: Environment
    registry: Registry
    urls: PublicUrls
    cursors: Cursors
    scim_rate: ScimRate
    api_rate: ApiRate
    traces: TraceWriter

    def __init__(self, settings: Settings, environment: Environment | None = None) -> None:
        self.settings = settings
        self.environment = environment or Environment()
        self.database = Database(settings.database_url)
        self.registry = Registry.load()
        self.urls = PublicUrls(settings.base_url)
        self.cursors = Cursors(settings.secret_key)
        self.known_directories: KnownDirectories = {}
        self.heartbeat = Heartbeat()
        share = 1 / settings.workers
        self.scim_rate = ScimRate(
            per_second=settings.scim_per_second * share,
            burst=settings.scim_burst * share,
            ticks=time.monotonic,
        )
        self.api_rate = ApiRate(
            per_second=settings.api_per_second * share,
            burst=2 * settings.api_per_second * share,
            ticks=time.monotonic,
        )
        self.traces = TraceWriter(TraceQueue(LOST_TRACES.inc), self._store_traces)

    @cached_property
    def readiness(self) -> Readiness:
        return Readiness(self.database, head_revision(), self.heartbeat)

    @contextmanager
    def begin(self, *, write: bool, caller: Caller) -> "Iterator[Services]":
        """One transaction with its services; rolled back unless committed."""
        environment = self.environment
        uow = UnitOfWork(
            self.database, write=write, clock=environment.clock, ids=environment.ids, caller=caller
        )
        with uow:
            yield Services(self, uow)

    def _store_traces(self, org_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.begin(write=True, caller=Caller(SYSTEM, "traces")) as services:
            services.uow.enter(org_id)
            services.get(TraceStore).add(rows)
            services.commit()


class Services:
    """The services of one transaction, each built when first asked for."""

    container: Container
    uow: UnitOfWork

    def __init__(self, container: Container, uow: UnitOfWork) -> None:
        self.container = container
        self.uow = uow
        self._built: dict[type, object] = {}

    def get(self, kind: type[T]) -> T:
        built = self._built.get(kind)
        if built is None:
            built = self._built[kind] = BUILDERS[kind](self)
        return cast("T", built)

    def settle(self) -> None:
        self.uow.settle(self._dispatch)

    def savepoint(self) -> AbstractContextManager[None]:
        return self.uow.savepoint(self._dispatch)

    def commit(self) -> None:
        self.uow.commit(self._dispatch, self.get(AuditRecorder).record)

    def _dispatch(self, event: Event) -> None:
        for handler in HANDLERS.get(type(event), ()):
            handler(self, event)


Handler = Callable[[Services, Any], None]
DEPROVISIONED = "user.deprovisioned"
# After these nobody can spend, so what runs can only come to its end.
ENDING_SEATS = ("seat.released", "seat.suspended")


def _set_up_governance(services: Services, _event: directory.OrganizationCreated) -> None:
    services.get(SeatPool).open()
    services.get(RoleService).create_built_in()


def _open_price_book(services: Services, _event: directory.OrganizationCreated) -> None:
    services.get(PriceBook).open()


def _decide_everybody(services: Services, event: directory.OrganizationUpdated) -> None:
    if not event.data.keys().isdisjoint({"rights_mode", "ceiling"}):
        services.get(MappingService).decide_everybody()


def _withdraw_rights(services: Services, event: directory.AccessEvent) -> None:
    services.get(EntitlementService).withdraw(event.principal)


def _restore_rights(services: Services, event: directory.UserReactivated) -> None:
    services.get(EntitlementService).restore(event.principal)


def _decide_members(services: Services, event: directory.MembersChanged) -> None:
    if is_mapped(services.uow, event.group_id):
        services.get(EntitlementService).refresh((*event.added, *event.removed))


def _close_reservations(services: Services, event: directory.AccessEvent) -> None:
    services.get(Reservations).close([event.id])


def _close_reservations_of_seatless(services: Services, event: EntitlementsChanged) -> None:
    gone = [change.user_id for change in event.changes if change.action in ENDING_SEATS]
    if gone:
        services.get(Reservations).close(gone)


def _announce_deprovision(services: Services, event: directory.AccessEvent) -> None:
    services.get(Outbox).put(DEPROVISIONED, {"user_id": event.id, "cause": event.action})


# In each row the handlers run in order, inside the transaction of the event and before its commit.
# Every event is besides that recorded in the audit log. A failing handler undoes all of it.
HANDLERS: Mapping[type[Event], tuple[Handler, ...]] = {
    directory.OrganizationCreated: (_set_up_governance, _open_price_book),
    directory.OrganizationUpdated: (_decide_everybody,),
    directory.UserDeactivated: (_close_reservations, _withdraw_rights, _announce_deprovision),
    directory.UserDeleted: (_close_reservations, _withdraw_rights, _announce_deprovision),
    directory.UserReactivated: (_restore_rights,),
    directory.MembersChanged: (_decide_members,),
    EntitlementsChanged: (_close_reservations_of_seatless,),
}


def _hand_over(services: Services, _payload: Mapping[str, Any]) -> None:
    services.get(SeatPool).hand_over()


# Standard output is where an operator's log shipper picks outgoing events up.
def _publish_deprovision(services: Services, payload: Mapping[str, Any]) -> None:
    structlog.get_logger().info("user.deprovisioned", org_id=services.uow.org_id, **payload)


def _publish_threshold(services: Services, payload: Mapping[str, Any]) -> None:
    structlog.get_logger().info(THRESHOLD_REACHED, org_id=services.uow.org_id, **payload)


def _publish_forecast(services: Services, payload: Mapping[str, Any]) -> None:
    structlog.get_logger().info(FORECAST_REACHED, org_id=services.uow.org_id, **payload)


# What the worker does with each kind of outbox message.
DELIVERIES: Mapping[str, Callable[[Services, Mapping[str, Any]], None]] = {
    HAND_OVER: _hand_over,
    DEPROVISIONED: _publish_deprovision,
    THRESHOLD_REACHED: _publish_threshold,
    FORECAST_REACHED: _publish_forecast,
}


def _give_notices(services: Services) -> bool:
    services.get(CredentialExpiry).give_notices()
    return False


JOBS = (
    Job(
        "audit.sequence",
        is_due=lambda services: services.get(Sequencer).has_work(),
        run=lambda services: services.get(Sequencer).step() == STEP,
    ),
    Job(
        "credential.expiry",
        is_due=lambda services: services.get(CredentialExpiry).has_due(),
        run=_give_notices,
    ),
    Job(
        "idempotency.purge",
        is_due=lambda services: services.get(IdempotencyStore).has_old(),
        run=lambda services: services.get(IdempotencyStore).purge(),
    ),
    Job(
        "reservations.expire",
        is_due=lambda services: services.get(Reservations).has_expired(),
        run=lambda services: services.get(Reservations).expire(),
    ),
    Job(
        "scim_requests.purge",
        is_due=lambda services: services.get(TraceStore).has_old(),
        run=lambda services: services.get(TraceStore).purge(),
    ),
    Job(
        "spend.roll_up",
        is_due=lambda services: services.get(RollUps).has_work(),
        run=lambda services: services.get(RollUps).step() == ROLL_UP,
    ),
    Job(
        "billing.look",
        is_due=lambda services: services.get(Billing).is_due(),
        run=lambda services: services.get(Billing).look(),
    ),
    Job(
        "usage_events.match",
        is_due=lambda services: services.get(UsageEvents).has_match(),
        run=lambda services: services.get(UsageEvents).match() == BATCH,
    ),
)


def build_worker(container: Container) -> Worker:
    return Worker(container.begin, JOBS, DELIVERIES, container.heartbeat, DEAD_MESSAGES.inc)
