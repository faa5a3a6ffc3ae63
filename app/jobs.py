"""What the worker does for each organization, beside delivering messages: one screen shows all of it."""

from typing import Any

from app.api.idempotency import IdempotencyStore
from app.audit.sequencer import STEP, Sequencer
from app.directory.credential_expiry import CredentialExpiry
from app.governance.jit_seats import JitSeats
from app.governance.job_steps import JobSteps
from app.governance.mappings import MappingService
from app.governance.reconciliation import Reconciliation
from app.governance.seat_pool import SeatPool
from app.oauth.leftovers import OAuthLeftovers
from app.oauth.signing_keys import SigningKeys
from app.scim.trace_store import TraceStore
from app.spend.billing import Billing
from app.spend.reservations import Reservations
from app.spend.rollups import STEP as ROLL_UP
from app.spend.rollups import RollUps
from app.spend.usage_events import BATCH, UsageEvents
from app.sso.domain_checks import DomainChecks
from app.sso.enforcement_reminders import EnforcementReminders
from app.sso.idp_certificates import IdpCertificates
from app.sso.leftovers import SignInLeftovers
from app.sso.metadata_polls import MetadataPolls
from app.sso.sessions import SessionService
from app.worker import Job

JOBS: tuple[Job[Any], ...] = (
    # Rights that end come before everything else.
    Job(
        "group_mappings.due",
        MappingService,
        is_due=MappingService.has_due,
        run=MappingService.apply_due,
        organizations=MappingService.organizations_with_due,
    ),
    Job(
        "sessions.enforcement",
        SessionService,
        is_due=SessionService.has_from_before,
        run=SessionService.revoke_from_before,
    ),
    Job("jobs.step", JobSteps, is_due=JobSteps.has_work, run=JobSteps.step),
    Job("seat_pool.turn", SeatPool, is_due=SeatPool.has_turned, run=SeatPool.turn),
    Job(
        "audit.sequence",
        Sequencer,
        is_due=Sequencer.has_work,
        run=lambda sequencer: sequencer.step() == STEP,
        organizations=Sequencer.organizations_with_work,
    ),
    Job(
        "credential.expiry",
        CredentialExpiry,
        is_due=CredentialExpiry.has_due,
        run=CredentialExpiry.give_notices,
    ),
    Job(
        "certificate.expiry",
        IdpCertificates,
        is_due=IdpCertificates.has_due,
        run=IdpCertificates.give_notices,
    ),
    Job("metadata.polls", MetadataPolls, is_due=MetadataPolls.has_due, run=MetadataPolls.run_due),
    Job(
        "enforcement.reminders",
        EnforcementReminders,
        is_due=EnforcementReminders.has_due,
        run=EnforcementReminders.remind,
    ),
    Job("domain.checks", DomainChecks, is_due=DomainChecks.has_due, run=DomainChecks.run_due),
    Job("idempotency.purge", IdempotencyStore, is_due=IdempotencyStore.has_old, run=IdempotencyStore.purge),
    Job("jit_seats.lapse", JitSeats, is_due=JitSeats.has_lapsed, run=JitSeats.release_lapsed),
    Job("sso.purge", SignInLeftovers, is_due=SignInLeftovers.has_old, run=SignInLeftovers.purge),
    Job("oauth.purge", OAuthLeftovers, is_due=OAuthLeftovers.has_old, run=OAuthLeftovers.purge),
    # The keys are of all organizations; whichever comes first turns them.
    Job("signing_keys.turn", SigningKeys, is_due=SigningKeys.is_due, run=SigningKeys.turn),
    Job("reservations.expire", Reservations, is_due=Reservations.has_expired, run=Reservations.expire),
    Job("scim_requests.purge", TraceStore, is_due=TraceStore.has_old, run=TraceStore.purge),
    Job("reconciliation", Reconciliation, is_due=Reconciliation.is_due, run=Reconciliation.step),
    Job("spend.roll_up", RollUps, is_due=RollUps.has_work, run=lambda rolls: rolls.step() == ROLL_UP),
    Job("billing.look", Billing, is_due=Billing.is_due, run=Billing.look),
    Job(
        "usage_events.match",
        UsageEvents,
        is_due=UsageEvents.has_match,
        run=lambda events: events.match() == BATCH,
    ),
)
