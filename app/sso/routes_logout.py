"""`/sso/saml/{connection_id}/slo`: where the identity provider says who is signed out, and hears it."""

from flask import Blueprint, Response, request

from app.core.errors import UnauthenticatedError
from app.sso.login_requests import LoginRequests
from app.sso.refusals import SignInRefusedError
from app.sso.routes_messages import form_fields, pause, see_other, send
from app.sso.routes_pages import page
from app.sso.routes_refusals import refused
from app.sso.saml.logout import LogoutRequest, Received, verify_post, verify_redirect
from app.sso.saml.reasons import RefusedError
from app.sso.session_recognition import SignedIn
from app.sso.single_logout import SingleLogout
from app.sso.trusted_connections import SamlConnection, TrustedConnections
from app.sso.universal_logout import UniversalLogout
from app.web.context import service
from app.web.transaction import writes

blueprint = Blueprint("logout", __name__, url_prefix="/sso")


@blueprint.route("/saml/<connection_id>/slo", methods=["GET", "POST"])
@writes
def take_logout(connection_id: str) -> Response:
    """Obey a logout request, or show that the identity provider has done what we asked."""
    connection = service(TrustedConnections).enter_saml(connection_id)
    try:
        pause()
        received = _verify(connection)
        if not isinstance(received.message, LogoutRequest):
            return page("Signed out", "You are signed out.")
        answer = service(SingleLogout).obey(connection, received.message)
    except (RefusedError, SignInRefusedError) as refusal:
        raise refused(connection, refusal) from refusal
    if answer is None:
        return page("Signed out", "You are signed out.")
    return send(answer, received.relay_state)


@blueprint.post("/saml/<connection_id>/universal_logout")
def end_everywhere(connection_id: str) -> Response:
    """Okta's Universal Logout: end every session of a person at once."""
    connection = service(TrustedConnections).enter_saml(connection_id)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("Send a JWT as bearer token.")
    address = connection.provider.slo_url.removesuffix("slo") + "universal_logout"
    service(UniversalLogout).revoke(connection, address, token.strip(), request.get_data())
    return Response(status=204)


def lead_to_idp(person: SignedIn) -> Response | None:
    """What takes the browser to the identity provider to end the session there as well, if that is set up."""
    told = service(SingleLogout).request_for(person.session_id)
    if told is None:
        return None
    return see_other(told) if isinstance(told, str) else send(told, "")


def _verify(connection: SamlConnection) -> Received:
    now = service(LoginRequests).now
    if request.method == "POST":
        return verify_post(form_fields(), connection.logout_expectation, now)
    query = request.query_string.decode("utf-8", "replace")
    return verify_redirect(query, connection.logout_expectation, now)
