"""What outlives a refused sign-in, and what its browser gets to see of it.

The person reads one constant sentence and a reference number; the trace behind that number, written in a
transaction of its own, says the rest to the administrator.
"""

from collections.abc import Callable

from app.sso.answers import Answer
from app.sso.disclosure import Disclosure, UnprovedTraces
from app.sso.metadata_polls import MetadataPolls
from app.sso.ownership import DomainOwnership, Holder
from app.sso.redaction import redacted
from app.sso.refusals import Refusal, SignInPageError
from app.sso.saml.reasons import ReasonCode
from app.sso.sign_in import DomainRefusedError, SignInService
from app.sso.traces import Attempt, LoginTraces
from app.sso.trusted_connections import TrustedConnection
from app.web.context import Services, service, state

Task = Callable[[Services], None]


def refused(
    connection: TrustedConnection, refusal: Refusal, *, message: str = "", answer: Answer | None = None
) -> SignInPageError:
    """The error to raise; `answer` is what was believed of the message before it was refused."""
    current = state()
    current.org_id = connection.org_id
    if answer is not None or service(UnprovedTraces).has_room(connection.id):
        current.afterwards.append(_note(connection, refusal, current.request_id, message, answer))
    if isinstance(refusal, DomainRefusedError) and refusal.owner is not None:
        current.afterwards.append(_count_for(refusal.owner))
    shown = service(Disclosure).header(connection.mode, refusal.reason.value)
    return SignInPageError(refusal.status, shown)


def _note(
    connection: TrustedConnection, refusal: Refusal, reference: str, message: str, answer: Answer | None
) -> Task:
    attempt = Attempt(
        connection_id=connection.id,
        outcome="refused",
        step=refusal.step.value,
        reason=refusal.reason.value,
        reference=reference,
        email=answer.profile.email if answer is not None else None,
        expected=refusal.expected or None,
        received=refusal.received or None,
        hint=refusal.hint or None,
        xml=redacted(message),
    )

    def note(services: Services) -> None:
        services.uow.enter(connection.org_id)
        services.get(LoginTraces).add(attempt)
        if refusal.reason is ReasonCode.CERTIFICATE_UNKNOWN:
            # The IdP may have changed its key; its metadata says so.
            services.get(MetadataPolls).ask_now(connection.id)
        if answer is not None:
            services.get(SignInService).spend_refused(answer)

    return note


def _count_for(owner: Holder) -> Task:
    def count(services: Services) -> None:
        services.uow.enter(owner.org_id)
        services.get(DomainOwnership).count_refusal(owner.domain_id)

    return count
