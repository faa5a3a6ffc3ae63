"""How each service is built from what the process and the transaction hold."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from app.api.idempotency import IdempotencyStore
from app.audit.feed import AuditFeed
from app.audit.outbox import Outbox
from app.audit.recorder import AuditRecorder
from app.audit.sequencer import Sequencer
from app.building_oauth import OAUTH
from app.building_sign_in import SIGN_IN
from app.core.cursors import Cursors
from app.core.rate_limit import ApiRate, ScimRate, SignInRate
from app.core.readiness import Readiness
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.directory.credential_expiry import CredentialExpiry
from app.directory.credentials import CredentialService
from app.directory.groups import GroupService
from app.directory.organizations import OrganizationService
from app.directory.queries import DirectoryQueries
from app.directory.recognition import Recognition
from app.directory.users import UserService
from app.governance.drift import DriftService
from app.governance.entitlements import EntitlementService
from app.governance.explain import ExplainService
from app.governance.held_changes import HeldChangeService
from app.governance.holds import Holds
from app.governance.job_steps import JobSteps
from app.governance.jobs import JobStore
from app.governance.limit_increases import LimitIncreaseService
from app.governance.limits import LimitService
from app.governance.mapping_versions import MappingVersions
from app.governance.mappings import MappingService
from app.governance.plans import PlanService
from app.governance.reconciliation import Reconciliation
from app.governance.removal_guard import RemovalGuard
from app.governance.roles import RoleService
from app.governance.seat_pool import SeatPool
from app.governance.seats import SeatService
from app.governance.timeline import TimelineService
from app.scim.milestones import Milestones
from app.scim.page_cursors import PageCursors
from app.scim.protocol.folding import search_document
from app.scim.protocol.registry import Registry
from app.scim.protocol.tolerance_profiles import NAMES
from app.scim.protocol.tolerances import Tolerances
from app.scim.roles import RoleResources
from app.scim.service_bulk import BulkService
from app.scim.service_groups import GroupReader, GroupResources
from app.scim.service_search import SearchService
from app.scim.service_users import UserReader, UserResources
from app.scim.shelves import GROUPS, USERS
from app.scim.trace import RequestTrace
from app.scim.trace_store import TraceStore
from app.spend.analytics import Analytics
from app.spend.authorizations import AuthorizationService
from app.spend.billing import Billing
from app.spend.billing_contracts import Contracts
from app.spend.billing_seats import SeatPeriods
from app.spend.check import SpendCheck
from app.spend.endings import Endings
from app.spend.estimates import Estimator
from app.spend.postgresql import PostgresqlPostings
from app.spend.postings import Postings
from app.spend.price_import import PriceImport
from app.spend.prices import PriceBook
from app.spend.reservations import Reservations
from app.spend.rollups import RollUps
from app.spend.sqlite import SqlitePostings
from app.spend.standing import CounterReader
from app.spend.usage_booking import UsageBooking
from app.spend.usage_events import UsageEvents
from app.spend.usage_forecasts import LimitForecasts
from app.sso.break_glass import BreakGlass
from app.sso.connections import ConnectionService
from app.sso.discovery import Discovery
from app.sso.domain_checks import DomainChecks
from app.sso.domains import DomainService
from app.sso.enforcement import Enforcement
from app.sso.enforcement_reminders import EnforcementReminders
from app.sso.families import Families
from app.sso.idp_certificates import IdpCertificates
from app.sso.ownership import DomainOwnership
from app.sso.sessions import SessionService

if TYPE_CHECKING:
    from app.wiring import Services


POSTINGS: Mapping[str, Callable[[UnitOfWork], Postings]] = {
    "postgresql": PostgresqlPostings,
    "sqlite": SqlitePostings,
}
BUILDERS: Mapping[type, "Callable[[Services], object]"] = {
    # core
    Cursors: lambda s: s.container.cursors,
    PublicUrls: lambda s: s.container.urls,
    Readiness: lambda s: s.container.readiness,
    ScimRate: lambda s: s.container.scim_rate,
    ApiRate: lambda s: s.container.api_rate,
    SignInRate: lambda s: s.container.sign_in_rate,
    # directory
    OrganizationService: lambda s: OrganizationService(s.uow),
    CredentialService: lambda s: CredentialService(s.uow, s.container.environment.randomness, NAMES),
    Recognition: lambda s: Recognition(s.uow),
    CredentialExpiry: lambda s: CredentialExpiry(s.uow),
    DirectoryQueries: lambda s: DirectoryQueries(s.uow),
    UserService: lambda s: UserService(s.uow, partial(search_document, s.container.registry.user)),
    GroupService: lambda s: GroupService(s.uow, partial(search_document, s.container.registry.group)),
    # audit
    AuditRecorder: lambda s: AuditRecorder(s.uow),
    AuditFeed: lambda s: AuditFeed(s.uow),
    Sequencer: lambda s: Sequencer(s.uow),
    Outbox: lambda s: Outbox(s.uow),
    # governance
    JobStore: lambda s: JobStore(s.uow),
    RemovalGuard: lambda s: RemovalGuard(s.uow, s.get(OrganizationService)),
    Holds: lambda s: Holds(s.uow, s.get(Outbox)),
    SeatPool: lambda s: SeatPool(s.uow, s.get(JobStore), s.get(RemovalGuard), s.get(Holds)),
    EntitlementService: lambda s: EntitlementService(
        s.uow, s.get(SeatPool), s.get(JobStore), s.get(RemovalGuard), s.get(Holds)
    ),
    JobSteps: lambda s: JobSteps(s.get(JobStore), s.get(EntitlementService), s.get(SeatPool)),
    HeldChangeService: lambda s: HeldChangeService(
        s.uow,
        s.get(EntitlementService),
        s.get(SeatPool),
        s.get(SeatService),
        guard=s.get(RemovalGuard),
        held=s.get(Holds),
    ),
    RoleService: lambda s: RoleService(s.uow, s.get(EntitlementService), s.get(Holds)),
    MappingVersions: lambda s: MappingVersions(s.uow),
    MappingService: lambda s: MappingService(
        s.uow, s.get(EntitlementService), s.get(MappingVersions), s.get(Holds)
    ),
    PlanService: lambda s: PlanService(
        s.uow, s.get(MappingService), s.get(EntitlementService), s.get(SeatPool), s.get(JobStore)
    ),
    SeatService: lambda s: SeatService(s.uow, s.get(EntitlementService)),
    LimitService: lambda s: LimitService(
        s.uow, s.get(DirectoryQueries), s.get(OrganizationService), s.get(CounterReader)
    ),
    LimitIncreaseService: lambda s: LimitIncreaseService(s.uow, s.get(DirectoryQueries), s.get(LimitService)),
    ExplainService: lambda s: ExplainService(
        s.uow,
        s.get(DirectoryQueries),
        s.get(EntitlementService),
        s.get(LimitService),
        s.get(SeatService),
    ),
    TimelineService: lambda s: TimelineService(s.uow),
    DriftService: lambda s: DriftService(s.uow, s.get(EntitlementService), s.get(SeatPool), s.get(Holds)),
    Reconciliation: lambda s: Reconciliation(s.uow, s.get(DriftService), s.get(Outbox)),
    # spend
    CounterReader: lambda s: CounterReader(s.uow),
    PriceBook: lambda s: PriceBook(s.uow),
    PriceImport: lambda s: PriceImport(s.uow, s.get(PriceBook)),
    AuthorizationService: lambda s: AuthorizationService(
        s.uow,
        POSTINGS[s.uow.dialect](s.uow),
        s.get(PriceBook),
        Estimator(s.uow, s.get(CounterReader)),
    ),
    Reservations: lambda s: Reservations(
        s.uow, POSTINGS[s.uow.dialect](s.uow), s.get(PriceBook), s.get(Outbox)
    ),
    SpendCheck: lambda s: SpendCheck(s.uow),
    UsageBooking: lambda s: UsageBooking(
        s.uow,
        Endings(s.uow),
        s.get(LimitService),
        s.get(OrganizationService),
        s.get(Outbox),
    ),
    UsageEvents: lambda s: UsageEvents(s.uow, s.get(UsageBooking), s.get(OrganizationService)),
    RollUps: lambda s: RollUps(s.uow, s.get(OrganizationService)),
    Analytics: lambda s: Analytics(s.uow, s.get(OrganizationService)),
    LimitForecasts: lambda s: LimitForecasts(s.uow, s.get(Outbox), s.get(OrganizationService)),
    Billing: lambda s: Billing(
        s.uow,
        s.get(OrganizationService),
        SeatPeriods(s.uow),
        s.get(RollUps),
        s.get(LimitForecasts),
    ),
    Contracts: lambda s: Contracts(s.uow, s.get(Analytics)),
    # scim
    Registry: lambda s: s.container.registry,
    # Nothing is tolerated before a token says what is.
    Tolerances: lambda _: Tolerances(),
    UserReader: lambda s: UserReader(
        s.uow, USERS, s.container.registry.user, s.container.urls, s.get(Tolerances)
    ),
    UserResources: lambda s: UserResources(
        s.get(UserReader), s.get(UserService), s.get(RequestTrace), s.settle
    ),
    GroupReader: lambda s: GroupReader(
        s.uow, GROUPS, s.container.registry.group, s.container.urls, s.get(Tolerances)
    ),
    GroupResources: lambda s: GroupResources(
        s.get(GroupReader), s.get(GroupService), s.get(DirectoryQueries), s.get(RequestTrace)
    ),
    PageCursors: lambda s: PageCursors(s.uow, s.container.cursors),
    SearchService: lambda s: SearchService(
        s.uow,
        s.get(PageCursors),
        (s.get(UserReader), s.get(GroupReader)),
        Milestones(s.uow, s.container.known_directories),
    ),
    RoleResources: lambda s: RoleResources(
        s.uow, s.get(PageCursors), s.container.registry.role, s.container.urls, s.get(Tolerances)
    ),
    BulkService: lambda s: BulkService(
        s.savepoint, s.get(UserResources), s.get(GroupResources), s.container.registry, s.container.urls
    ),
    RequestTrace: lambda s: RequestTrace(s.container.traces.queue, s.uow.now),
    TraceStore: lambda s: TraceStore(s.uow, timedelta(days=s.container.settings.scim_trace_days)),
    # sso
    Families: lambda s: Families(s.uow),
    DomainOwnership: lambda s: DomainOwnership(s.uow, s.get(Families)),
    DomainService: lambda s: DomainService(
        s.uow,
        s.get(DomainOwnership),
        s.get(Families),
        s.container.environment.randomness,
        s.container.urls.host,
    ),
    DomainChecks: lambda s: DomainChecks(
        s.uow,
        s.get(DomainService),
        s.container.environment.txt_resolver,
        s.container.environment.fetch,
    ),
    **SIGN_IN,
    BreakGlass: lambda s: BreakGlass(s.uow, s.container.environment.randomness, s.get(SessionService)),
    Discovery: lambda s: Discovery(s.uow, s.get(DomainOwnership)),
    EnforcementReminders: lambda s: EnforcementReminders(s.uow),
    Enforcement: lambda s: Enforcement(
        s.uow, s.get(ConnectionService), s.get(IdpCertificates), s.get(DomainOwnership)
    ),
    **OAUTH,
    # api
    IdempotencyStore: lambda s: IdempotencyStore(s.uow),
}
