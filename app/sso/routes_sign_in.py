"""The way in by SAML: a login begins, its answer comes to the ACS, its browser fetches the session.

The answer is a cross-site POST, with which browsers send no cookie. So the POST only lets a session wait,
and leads to a GET on this site, where the cookie of the browser that began the login is there to be seen.
"""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from app.core.ids import edge_id
from app.core.rate_limit import SignInRate
from app.sso.answers import Answer, asserted_by_saml
from app.sso.login_requests import LoginRequests
from app.sso.redaction import redacted
from app.sso.refusals import Bounced, SignInRefusedError
from app.sso.routes_cookies import BROWSER, Cookies
from app.sso.routes_login_end import hand_over, trace_accepted, trace_bounced
from app.sso.routes_login_start import client_at_hand, start_login
from app.sso.routes_messages import form_fields, pause, see_other
from app.sso.routes_refusals import Shown, refused
from app.sso.saml.attributes import read_profile
from app.sso.saml.bindings import read_acs_form
from app.sso.saml.reasons import RefusedError
from app.sso.saml.response import verify
from app.sso.sign_in import SignInService
from app.sso.trusted_connections import TrustedConnections
from app.web.context import service
from app.web.transaction import writes

blueprint = Blueprint("sign_in", __name__, url_prefix="/sso")


@blueprint.get("/saml/<connection_id>/login")
@writes
def begin_login(connection_id: str) -> Response:
    """Ask the identity provider who this is."""
    service(SignInRate).check_address(request.remote_addr)
    return start_login(service(TrustedConnections).enter_saml(connection_id))


@blueprint.post("/saml/<connection_id>/acs")
def consume_response(connection_id: str) -> Response:
    """Take the identity provider's answer."""
    connection = service(TrustedConnections).enter_saml(connection_id)
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
        raise refused(connection, refusal, shown=Shown(xml=redacted(message))) from refusal
    answer = Answer(connection, asserted_by_saml(assertion, profile), form.relay_state)
    client = client_at_hand()
    try:
        outcome = service(SignInService).accept(answer, client)
    except SignInRefusedError as refusal:
        shown = Shown(xml=redacted(message))
        raise refused(connection, refusal, shown=shown, answer=answer) from refusal
    root = f"/sso/saml/{edge_id('conn', connection.id)}"
    if isinstance(outcome, Bounced):
        trace_bounced(answer)
        return see_other(f"{root}/login?{urlencode({'bounced': '1', 'return_to': outcome.return_to})}")
    trace_accepted(answer, outcome)
    response = see_other(f"{root}/acs?{urlencode({'code': outcome.code})}")
    if client.secret is None and answer.asserted.login_id is None:
        # An unasked answer binds the browser that brings it; for an asked one there is nothing to bind.
        service(Cookies).give(response, BROWSER, client.fresh_secret)
    return response


@blueprint.get("/saml/<connection_id>/acs")
@writes
def fetch_session(connection_id: str) -> Response:
    """Give the session that waits to the browser that began the login."""
    connection = service(TrustedConnections).enter_saml(connection_id)
    return hand_over(connection, request.args.get("code", ""))
