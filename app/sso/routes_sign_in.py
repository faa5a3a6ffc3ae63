"""The way in: a login begins at a connection, its answer comes to the ACS, its browser fetches the session.

The answer is a cross-site POST, with which browsers send no cookie. So the POST only lets a session wait,
and leads to a GET on this site, where the cookie of the browser that began the login is there to be seen.
"""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from app.core.context import Actor
from app.core.ids import edge_id
from app.core.rate_limit import SignInRate
from app.core.tokens import Randomness, new_token
from app.sso.answers import Accepted, Answer, Client
from app.sso.login_requests import LoginRequests
from app.sso.refusals import Bounced, Reason, SignInRefusedError, Step
from app.sso.return_paths import safe_path
from app.sso.routes_cookies import BROWSER, SESSION, Cookies
from app.sso.routes_messages import form_fields, pause, see_other, send
from app.sso.routes_refusals import refused
from app.sso.saml.attributes import read_profile
from app.sso.saml.authn_request import AuthnRequest
from app.sso.saml.bindings import read_acs_form
from app.sso.saml.reasons import RefusedError
from app.sso.saml.response import verify
from app.sso.sessions import SessionService
from app.sso.sign_in import SignInService
from app.sso.traces import Attempt, LoginTraces
from app.sso.trusted_connections import Outgoing, TrustedConnections
from app.web.context import identify, service, state
from app.web.transaction import writes

MAX_BOUNCES = 2

blueprint = Blueprint("sign_in", __name__, url_prefix="/sso")


@blueprint.get("/saml/<connection_id>/login")
@writes
def begin_login(connection_id: str) -> Response:
    """Ask the identity provider who this is."""
    service(SignInRate).check_address(request.remote_addr)
    return start_login(connection_id)


def start_login(connection_id: str) -> Response:
    """Send the browser to the identity provider of a connection, and remember that it was sent."""
    connection = service(TrustedConnections).enter(connection_id)
    try:
        connection.require_on()
    except SignInRefusedError as refusal:
        raise refused(connection, refusal) from refusal
    browser = service(Cookies).read(BROWSER) or _new_browser()
    requests = service(LoginRequests)
    bounces = 0
    if "bounced" in request.args:
        bounces = requests.bounces(connection.id, browser) + 1
        if bounces > MAX_BOUNCES:
            raise refused(connection, SignInRefusedError(Reason.BOUNCE_LOOP, Step.REQUEST))
    started = requests.start(
        connection.id,
        browser=browser,
        return_to=safe_path(request.args.get("return_to"), service(Cookies).base_url),
        bounces=bounces,
    )
    message = AuthnRequest(
        id=started.request_id,
        destination=connection.sso_url,
        sp_entity_id=connection.provider.entity_id,
        acs_url=connection.provider.acs_url,
        issued_at=requests.now,
    ).xml()
    key = service(TrustedConnections).signing_key(connection) if connection.signs_requests else None
    asked = Outgoing(connection.sso_binding, connection.sso_url, "SAMLRequest", message, key)
    response = send(asked, started.relay_state)
    service(Cookies).give(response, BROWSER, browser)
    return response


@blueprint.post("/saml/<connection_id>/acs")
def consume_response(connection_id: str) -> Response:
    """Take the identity provider's answer."""
    connection = service(TrustedConnections).enter(connection_id)
    message = ""
    try:
        connection.require_on()
        form = read_acs_form(form_fields())
        message = form.saml_response
        # The slow part, which must hold up nobody who writes.
        pause()
        assertion = verify(message, connection.expectation, service(LoginRequests).now)
        profile = read_profile(assertion, connection.attributes)
    except (RefusedError, SignInRefusedError) as refusal:
        raise refused(connection, refusal, message=message) from refusal
    verdict = Answer(connection, assertion, profile, form.relay_state)
    client = _client()
    try:
        outcome = service(SignInService).accept(verdict, client)
    except SignInRefusedError as refusal:
        raise refused(connection, refusal, message=message, answer=verdict) from refusal
    root = f"/sso/saml/{edge_id('conn', connection.id)}"
    if isinstance(outcome, Bounced):
        _trace(verdict, "bounced", Reason.UNSOLICITED.value)
        return see_other(f"{root}/login?{urlencode({'bounced': '1', 'return_to': outcome.return_to})}")
    identify(Actor("user", outcome.user_id), connection.org_id)
    _trace(verdict, "accepted", None, outcome)
    response = see_other(f"{root}/acs?{urlencode({'code': outcome.code})}")
    if client.secret is None:
        # An unasked answer binds the browser that brings it; for an asked one there is nothing to bind.
        _bind_unasked(response, verdict, client)
    return response


@blueprint.get("/saml/<connection_id>/acs")
@writes
def fetch_session(connection_id: str) -> Response:
    """Give the session that waits to the browser that began the login."""
    connection = service(TrustedConnections).enter(connection_id)
    requests, sessions, cookies = service(LoginRequests), service(SessionService), service(Cookies)
    found = requests.of_code(connection.id, request.args.get("code", ""))
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


def _client() -> Client:
    return Client(
        secret=service(Cookies).read(BROWSER),
        fresh_secret=_new_browser(),
        user_agent=request.headers.get("User-Agent"),
        address=request.remote_addr,
    )


def _bind_unasked(response: Response, answer: Answer, client: Client) -> None:
    if answer.assertion.in_response_to is None:
        service(Cookies).give(response, BROWSER, client.fresh_secret)


def _new_browser() -> str:
    return new_token("browser", service(Randomness))  # type: ignore[type-abstract]  # built like any service


def _trace(answer: Answer, outcome: str, reason: str | None, accepted: Accepted | None = None) -> None:
    attempt = Attempt(
        connection_id=answer.connection.id,
        outcome=outcome,
        step=Step.SESSION.value if accepted is not None else Step.REQUEST.value,
        reason=reason,
        reference=state().request_id,
        email=answer.profile.email,
        user_id=accepted.user_id if accepted is not None else None,
        session_id=accepted.session_id if accepted is not None else None,
        received=accepted.groups if accepted is not None else None,
    )
    service(LoginTraces).add(attempt)
