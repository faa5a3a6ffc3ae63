"""How a login ends, whatever the protocol: a trace is written, the browser that began it has a session."""

from flask import Response

from app.core.context import Actor
from app.sso.answers import Accepted, Answer
from app.sso.login_requests import LoginRequests
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.routes_cookies import BROWSER, SESSION, Cookies
from app.sso.routes_messages import see_other
from app.sso.routes_refusals import refused
from app.sso.sessions import SessionService
from app.sso.traces import Attempt, LoginTraces
from app.sso.trusted_connections import TrustedConnection
from app.web.context import identify, service, state


def hand_over(connection: TrustedConnection, given: str) -> Response:
    """Give the session that waits for a code to the browser that began the login."""
    requests, sessions, cookies = service(LoginRequests), service(SessionService), service(Cookies)
    found = requests.of_code(connection.id, given)
    if found is None:
        raise refused(connection, SignInRefusedError(Reason.REQUEST_UNKNOWN, Step.BROWSER))
    login, code = found
    browser, presented = cookies.read(BROWSER), sessions.presented(cookies.read(SESSION))
    if login.redeemed_at is not None and presented == login.session_id:
        # The page was loaded again; the session is there.
        return see_other(login.return_to)
    if browser is None or not requests.is_bound(login, browser):
        raise refused(connection, SignInRefusedError(Reason.OTHER_BROWSER, Step.BROWSER))
    if not requests.redeem(login.id, browser):
        raise refused(connection, SignInRefusedError(Reason.CODE_SPENT, Step.BROWSER))
    secret = sessions.hand_out(login.session_id, code)
    if secret is None:
        raise refused(connection, SignInRefusedError(Reason.CODE_SPENT, Step.SESSION))
    if presented is not None:
        sessions.replace(presented)
    response = see_other(login.return_to)
    cookies.give(response, SESSION, secret)
    return response


def trace_accepted(answer: Answer, accepted: Accepted) -> None:
    """From here on the request is the person's."""
    identify(Actor("user", accepted.user_id), answer.connection.org_id)
    _trace(answer, "accepted", Step.SESSION, None, accepted)


def trace_bounced(answer: Answer) -> None:
    _trace(answer, "bounced", Step.REQUEST, Reason.UNSOLICITED)


def _trace(
    answer: Answer, outcome: str, step: Step, reason: Reason | None, accepted: Accepted | None = None
) -> None:
    attempt = Attempt(
        connection_id=answer.connection.id,
        outcome=outcome,
        step=step.value,
        reason=None if reason is None else reason.value,
        reference=state().request_id,
        email=answer.asserted.email,
        user_id=accepted.user_id if accepted is not None else None,
        session_id=accepted.session_id if accepted is not None else None,
        received=accepted.groups if accepted is not None else None,
    )
    service(LoginTraces).add(attempt)
