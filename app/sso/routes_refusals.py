"""What outlives a refused sign-in, and what its browser gets to see of it.

The person reads one constant sentence and a reference number; the trace behind that number, written in a
transaction of its own, says the rest to the administrator.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.sso.answers import Answer
from app.sso.disclosure import Disclosure, UnprovedTraces
from app.sso.login_requests import LoginRequests
from app.sso.metadata_polls import MetadataPolls
from app.sso.ownership import DomainOwnership, Holder
from app.sso.refusals import Refusal, SignInPageError
from app.sso.saml.reasons import ReasonCode
from app.sso.sign_in import DomainRefusedError, SignInService
from app.sso.traces import Attempt, LoginTraces
from app.sso.trusted_connections import TrustedConnection
from app.web.context import Services, service, state

Task = Callable[[Services], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the trace shows of the message, masked."""

    xml: str | None = None
    claims: str | None = None


def refused(
    connection: TrustedConnection,
    refusal: Refusal,
    *,
    shown: Shown = Shown(),
    answer: Answer | None = None,
    login_id: str | None = None,
) -> SignInPageError:
    """The error to raise; `answer` is what was believed of the message before it was refused.

    `login_id` is the login whose own browser brought the answer: it has had it.
    """
    current = state()
    current.org_id = connection.org_id
    is_proved = answer is not None or service(UnprovedTraces).has_room(connection.id)
    attempt = _attempt(connection, refusal, shown, answer) if is_proved else None
    if is_proved or login_id is not None:
        current.afterwards.append(_keep(connection, refusal, attempt, answer, login_id))
    if isinstance(refusal, DomainRefusedError) and refusal.owner is not None:
        current.afterwards.append(_count_for(refusal.owner))
    header = service(Disclosure).header(connection.mode, refusal.reason.value)
    return SignInPageError(refusal.status, header)


def _attempt(connection: TrustedConnection, refusal: Refusal, shown: Shown, answer: Answer | None) -> Attempt:
    return Attempt(
        connection_id=connection.id,
        outcome="refused",
        step=refusal.step.value,
        reason=refusal.reason.value,
        reference=state().request_id,
        email=answer.asserted.email if answer is not None else None,
        expected=refusal.expected or None,
        received=refusal.received or None,
        hint=refusal.hint or None,
        xml=shown.xml,
        claims=shown.claims,
    )


def _keep(
    connection: TrustedConnection,
    refusal: Refusal,
    attempt: Attempt | None,
    answer: Answer | None,
    login_id: str | None,
) -> Task:
    def keep(services: Services) -> None:
        services.uow.enter(connection.org_id)
        if attempt is not None:
            services.get(LoginTraces).add(attempt)
        if refusal.reason is ReasonCode.CERTIFICATE_UNKNOWN:
            # The IdP may have changed its key; its metadata says so.
            services.get(MetadataPolls).ask_now(connection.id)
        if answer is not None:
            services.get(SignInService).spend_refused(answer)
        elif login_id is not None:
            services.get(LoginRequests).consume(login_id, None)

    return keep


def _count_for(owner: Holder) -> Task:
    def count(services: Services) -> None:
        services.uow.enter(owner.org_id)
        services.get(DomainOwnership).count_refusal(owner.domain_id)

    return count
