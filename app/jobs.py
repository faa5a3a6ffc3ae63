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
from app.scim.trace_store import TraceStore
from app.sso.domain_checks import DomainChecks
from app.sso.idp_certificates import IdpCertificates
from app.sso.leftovers import Leftovers
from app.sso.metadata_polls import MetadataPolls
from app.worker import Job


def _give_notices(services: Any) -> bool:
    services.get(CredentialExpiry).give_notices()
    return False


def _warn_of_certificates(services: Any) -> bool:
    services.get(IdpCertificates).give_notices()
    return False


def _turn_due_seat_pool(services: Any) -> bool:
    services.get(SeatPool).turn()
    return False


def _apply_due_mappings(services: Any) -> bool:
    services.get(MappingService).apply_due()
    return False


JOBS = (
    # Rights that end come before everything else.
    Job(
        "group_mappings.due",
        is_due=lambda services: services.get(MappingService).has_due(),
        run=_apply_due_mappings,
    ),
    Job(
        "jobs.step",
        is_due=lambda services: services.get(JobSteps).has_work(),
        run=lambda services: services.get(JobSteps).step(),
    ),
    Job(
        "seat_pool.turn",
        is_due=lambda services: services.get(SeatPool).has_turned(),
        run=_turn_due_seat_pool,
    ),
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
        "certificate.expiry",
        is_due=lambda services: services.get(IdpCertificates).has_due(),
        run=_warn_of_certificates,
    ),
    Job(
        "metadata.polls",
        is_due=lambda services: services.get(MetadataPolls).has_due(),
        run=lambda services: services.get(MetadataPolls).run_due(),
    ),
    Job(
        "domain.checks",
        is_due=lambda services: services.get(DomainChecks).has_due(),
        run=lambda services: services.get(DomainChecks).run_due(),
    ),
    Job(
        "idempotency.purge",
        is_due=lambda services: services.get(IdempotencyStore).has_old(),
        run=lambda services: services.get(IdempotencyStore).purge(),
    ),
    Job(
        "jit_seats.lapse",
        is_due=lambda services: services.get(JitSeats).has_lapsed(),
        run=lambda services: services.get(JitSeats).release_lapsed(),
    ),
    Job(
        "sso.purge",
        is_due=lambda services: services.get(Leftovers).has_old(),
        run=lambda services: services.get(Leftovers).purge(),
    ),
    Job(
        "scim_requests.purge",
        is_due=lambda services: services.get(TraceStore).has_old(),
        run=lambda services: services.get(TraceStore).purge(),
    ),
    Job(
        "reconciliation",
        is_due=lambda services: services.get(Reconciliation).is_due(),
        run=lambda services: services.get(Reconciliation).step(),
    ),
)
