"""The way in by OpenID Connect, and the provider's word that somebody is signed out.

The answer comes by a link, with which browsers send the cookie of the login, so one request ends it.
"""

import json
from collections.abc import Sequence

from flask import Blueprint, Response, request

from app.core.rate_limit import SignInRate
from app.sso.answers import Answer
from app.sso.login_requests import LoginRequests
from app.sso.oidc.authorization import LoginSecrets, login_secrets
from app.sso.oidc.callback import Callback, Tokens, check_issuer, code_of, read_callback
from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step
from app.sso.oidc_exchange import OidcExchange
from app.sso.redaction import redacted_token
from app.sso.refusals import Bounced, SignInRefusedError
from app.sso.routes_cookies import BROWSER, SESSION, Cookies
from app.sso.routes_login_end import hand_over, trace_accepted
from app.sso.routes_login_start import client_at_hand, start_login
from app.sso.routes_messages import fields_of, form_fields, see_other
from app.sso.routes_refusals import Shown, refused
from app.sso.sessions import SessionService
from app.sso.sign_in import SignInService
from app.sso.single_logout import SingleLogout
from app.sso.trusted_connections import OidcConnection, TrustedConnections
from app.web.context import service, state
from app.web.transaction import writes

blueprint = Blueprint("oidc", __name__, url_prefix="/sso")


@blueprint.get("/oidc/<connection_id>/login")
@writes
def begin_login(connection_id: str) -> Response:
    """Ask the identity provider who this is."""
    service(SignInRate).check_address(request.remote_addr)
    return start_login(service(TrustedConnections).enter_oidc(connection_id))


@blueprint.get("/oidc/<connection_id>/callback")
@writes
def take_answer(connection_id: str) -> Response:
    """Take the identity provider's answer, and sign its subject in."""
    connection = service(TrustedConnections).enter_oidc(connection_id)
    try:
        connection.require_on()
        callback = read_callback(fields_of(request.query_string))
    except (OidcRefusedError, SignInRefusedError) as refusal:
        raise refused(connection, refusal) from refusal
    requests, browser = service(LoginRequests), service(Cookies).read(BROWSER)
    # Without the secret behind it, which no trace shall hold.
    named = callback.state.partition(".")[0]
    login = requests.handled(connection.id, callback.state)
    if login is not None and login.redeemed_at is not None and _presented() == login.session_id:
        # The page was loaded again; the session is there.
        return see_other(login.return_to)
    try:
        # Without its cookie, which a link brings along, a browser is another one.
        login = requests.require_open(login, browser or "", named)
    except SignInRefusedError as refusal:
        raise refused(connection, refusal) from refusal
    return _end_login(connection, callback, login.id, browser or "")


def _end_login(connection: OidcConnection, callback: Callback, login_id: str, browser: str) -> Response:
    """The login is open and this browser's; whatever becomes of it, it has had its answer."""
    exchange, secrets = service(OidcExchange), login_secrets(browser, callback.state)
    shown = Shown()
    try:
        check_issuer(callback, connection.expectation.issuer, required=connection.names_itself)
        code = code_of(callback)
        tokens = _tokens(connection, code, secrets)
        shown = Shown(claims=redacted_token(tokens.id_token))
        asserted = exchange.believe(connection, tokens, code=code, secrets=secrets, login_id=login_id)
    except OidcRefusedError as refusal:
        raise refused(connection, refusal, shown=shown, login_id=login_id) from refusal
    answer = Answer(connection, asserted, callback.state)
    try:
        outcome = service(SignInService).accept(answer, client_at_hand())
    except SignInRefusedError as refusal:
        raise refused(connection, refusal, shown=shown, answer=answer) from refusal
    if isinstance(outcome, Bounced):
        raise TypeError("An answer to a login is never unasked.")
    trace_accepted(answer, outcome)
    return hand_over(connection, outcome.code)


@blueprint.post("/oidc/<connection_id>/backchannel-logout")
def end_sessions(connection_id: str) -> Response:
    """OpenID Connect Back-Channel Logout 1.0: end the sessions that a logout token names."""
    connection = service(TrustedConnections).enter_oidc(connection_id)
    tokens = [value for name, value in form_fields() if name == "logout_token"]
    shown = Shown(claims=redacted_token(tokens[0])) if tokens else Shown()
    try:
        token = service(OidcExchange).believe_logout(connection, _only(tokens))
        service(SingleLogout).obey_token(connection, token)
    except (OidcRefusedError, SignInRefusedError) as refusal:
        refused(connection, refusal, shown=shown)
        body = {"error": "invalid_request", "error_description": refusal.reason.value}
        return _unstored(Response(json.dumps(body), 400, content_type="application/json"))
    return _unstored(Response(status=200))


def _tokens(connection: OidcConnection, code: str, secrets: LoginSecrets) -> Tokens:
    """What the provider gives for the code, once: a view that lost a race is repeated, a code is not."""
    current = state()
    if not isinstance(current.carried, Tokens):
        current.carried = service(OidcExchange).tokens(connection, code, secrets)
    return current.carried


def _only(tokens: Sequence[str]) -> str:
    if len(tokens) != 1:
        raise OidcRefusedError(ReasonCode.CALLBACK_MALFORMED, Step.CALLBACK, expected="logout_token, once")
    return tokens[0]


def _presented() -> str | None:
    return service(SessionService).presented(service(Cookies).read(SESSION))


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
