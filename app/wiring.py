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

from app.audit.outbox import Outbox
from app.audit.recorder import AuditRecorder
from app.building import BUILDERS
from app.core.clock import Clock, SystemClock
from app.core.context import SYSTEM, Caller
from app.core.cursors import Cursors
from app.core.database import Database
from app.core.events import Event
from app.core.guarded_fetch import GuardedFetch
from app.core.ids import IdFactory, Uuid7Factory
from app.core.rate_limit import ApiRate, ScimRate, SignInRate
from app.core.readiness import Heartbeat, Readiness
from app.core.sealing import Sealer
from app.core.tokens import Randomness, SystemRandomness
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.deliveries import DELIVERIES, DEPROVISIONED
from app.directory import events as directory
from app.governance import events as governance
from app.governance.entitlements import EntitlementService
from app.governance.mappings import MappingService
from app.governance.policy import is_mapped
from app.governance.roles import RoleService
from app.governance.seat_pool import SeatPool
from app.handlers_oauth import end_tokens, tell_applications, tell_applications_of_seatless
from app.handlers_sign_in import (
    decide_adopted,
    decide_signed_in,
    end_sessions,
    end_sessions_of_connection,
    end_sessions_of_seatless,
    note_sign_in,
)
from app.jobs import JOBS
from app.oauth.logout import Resting
from app.oauth.signing_keys import OpenedKeys
from app.schema import head_revision
from app.scim.milestones import KnownDirectories
from app.scim.protocol.registry import Registry
from app.scim.trace import TraceQueue
from app.scim.trace_store import TraceStore
from app.scim.trace_writer import TraceWriter
from app.settings import Settings
from app.spend.prices import PriceBook
from app.spend.reservations import Reservations
from app.sso import connection_events
from app.sso import events as sso
from app.sso.disclosure import UNPROVED_AT_ONCE, UNPROVED_PER_SECOND, UnprovedTraces
from app.sso.oidc_exchange import REFRESHES_AT_ONCE, REFRESHES_PER_SECOND, KeyRefreshes
from app.sso.txt_records import DnsTxtResolver, TxtResolver
from app.web.metrics import DEAD_MESSAGES, FAILED_JOBS, LOST_TRACES
from app.worker import Worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Environment:
    """What tests replace: time, ids, randomness and what others publish."""

    clock: Clock = field(default_factory=SystemClock)
    ids: IdFactory = field(default_factory=Uuid7Factory)
    randomness: Randomness = field(default_factory=SystemRandomness)
    txt_resolver: TxtResolver = field(default_factory=DnsTxtResolver)
    fetch: GuardedFetch = field(default_factory=GuardedFetch)


class Container:
    """Everything that lives as long as the process."""

    settings: Settings
    environment: Environment
    registry: Registry
    urls: PublicUrls
    sealer: Sealer
    cursors: Cursors
    scim_rate: ScimRate
    api_rate: ApiRate
    sign_in_rate: SignInRate
    traces: TraceWriter
    unproved_traces: UnprovedTraces
    key_refreshes: KeyRefreshes

    def __init__(self, settings: Settings, environment: Environment | None = None) -> None:
        self.settings = settings
        self.environment = environment or Environment()
        self.database = Database(settings.database_url)
        self.registry = Registry.load()
        self.urls = PublicUrls(settings.base_url)
        self.cursors = Cursors(settings.secret_key)
        self.sealer = Sealer(settings.secret_key, self.environment.randomness)
        self.known_directories: KnownDirectories = {}
        self.opened_keys: OpenedKeys = {}
        self.resting_applications: Resting = {}
        self.heartbeat = Heartbeat()
        share = 1 / settings.workers
        self.scim_rate = ScimRate(
            per_second=settings.scim_per_second * share,
            burst=settings.scim_burst * share,
            ticks=time.monotonic,
        )
        self.sign_in_rate = SignInRate(per_minute=settings.signin_per_minute * share, ticks=time.monotonic)
        self.api_rate = ApiRate(
            per_second=settings.api_per_second * share,
            burst=2 * settings.api_per_second * share,
            ticks=time.monotonic,
        )
        self.unproved_traces = UnprovedTraces(
            per_second=UNPROVED_PER_SECOND, burst=UNPROVED_AT_ONCE, ticks=time.monotonic
        )
        self.key_refreshes = KeyRefreshes(
            per_second=REFRESHES_PER_SECOND, burst=REFRESHES_AT_ONCE, ticks=time.monotonic
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


def _set_up_governance(services: Services, _event: directory.OrganizationCreated) -> None:
    services.get(SeatPool).open()
    services.get(RoleService).create_built_in()
    services.get(MappingService).open()


def _open_price_book(services: Services, _event: directory.OrganizationCreated) -> None:
    services.get(PriceBook).open()


def _decide_everybody(services: Services, event: directory.OrganizationUpdated) -> None:
    if not event.data.keys().isdisjoint({"rights_mode", "ceiling"}):
        services.get(MappingService).decide_everybody()


def _turn_seat_pool(services: Services, event: directory.OrganizationUpdated) -> None:
    if "zone" in event.data:
        services.get(SeatPool).turn()


def _withdraw_rights(services: Services, event: directory.AccessEvent) -> None:
    services.get(EntitlementService).withdraw(event.principal)


def _restore_rights(services: Services, event: directory.UserReactivated) -> None:
    services.get(EntitlementService).restore(event.principal)


def _decide_members(services: Services, event: directory.MembersChanged) -> None:
    if is_mapped(services.uow, event.group_id):
        services.get(EntitlementService).refresh_members(event.group_id, event.added, event.removed)


def _close_reservations(services: Services, event: directory.AccessEvent) -> None:
    services.get(Reservations).close([event.id])


def _close_reservations_of_seatless(services: Services, event: governance.EntitlementsChanged) -> None:
    # What runs can only come to its end.
    if event.seatless:
        services.get(Reservations).close(event.seatless)


def _announce_deprovision(services: Services, event: directory.AccessEvent) -> None:
    services.get(Outbox).put(DEPROVISIONED, {"user_id": event.id, "cause": event.action})


# In each row the handlers run in order, inside the transaction of the event and before its commit.
# Every event is besides that recorded in the audit log. A failing handler undoes all of it.
HANDLERS: Mapping[type[Event], tuple[Handler, ...]] = {
    directory.OrganizationCreated: (_set_up_governance, _open_price_book),
    directory.OrganizationUpdated: (_decide_everybody, _turn_seat_pool),
    directory.UserDeactivated: (
        end_sessions,
        tell_applications,
        _close_reservations,
        _withdraw_rights,
        _announce_deprovision,
    ),
    directory.UserDeleted: (
        end_sessions,
        tell_applications,
        _close_reservations,
        _withdraw_rights,
        _announce_deprovision,
    ),
    directory.UserReactivated: (_restore_rights,),
    directory.UserAdopted: (decide_adopted,),
    directory.MembersChanged: (_decide_members,),
    governance.EntitlementsChanged: (
        end_sessions_of_seatless,
        tell_applications_of_seatless,
        _close_reservations_of_seatless,
    ),
    connection_events.ConnectionModeChanged: (end_sessions_of_connection,),
    connection_events.ConnectionDeleted: (end_sessions_of_connection,),
    sso.UserSignedIn: (decide_signed_in, note_sign_in),
    sso.SessionsEnded: (end_tokens,),
}


def build_worker(container: Container) -> Worker:
    return Worker(
        container.begin,
        JOBS,
        DELIVERIES,
        container.heartbeat,
        on_dead=DEAD_MESSAGES.inc,
        on_failed=lambda job: FAILED_JOBS.labels(job).inc(),
    )
