"""How a login begins, whatever the protocol: a row is written, and the browser is sent to its provider."""

from flask import Response, request

from app.core.tokens import Randomness, new_token
from app.sso.answers import Client
from app.sso.login_requests import LoginRequests, Started
from app.sso.oidc.authorization import authorization_url, login_secrets
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.return_paths import safe_path
from app.sso.routes_cookies import BROWSER, Cookies
from app.sso.routes_messages import see_other, send
from app.sso.routes_refusals import refused
from app.sso.saml.authn_request import AuthnRequest
from app.sso.trusted_connections import OidcConnection, Outgoing, SamlConnection, TrustedConnections
from app.web.context import service

MAX_BOUNCES = 2
# Whoever sends this along wants the person to prove themselves anew.
REAUTHENTICATE = "reauthenticate"


def start_login(connection: SamlConnection | OidcConnection) -> Response:
    """Send the browser to the identity provider of a connection, and remember that it was sent."""
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
    if isinstance(connection, OidcConnection):
        response = see_other(_authorization_url(connection, started, browser))
    else:
        response = send(_authn_request(connection, started), started.relay_state)
    service(Cookies).give(response, BROWSER, browser)
    return response


def client_at_hand() -> Client:
    """The browser of this request."""
    return Client(
        secret=service(Cookies).read(BROWSER),
        fresh_secret=_new_browser(),
        user_agent=request.headers.get("User-Agent"),
        address=request.remote_addr,
    )


def _authn_request(connection: SamlConnection, started: Started) -> Outgoing:
    message = AuthnRequest(
        id=started.request_id,
        destination=connection.sso_url,
        sp_entity_id=connection.provider.entity_id,
        acs_url=connection.provider.acs_url,
        issued_at=service(LoginRequests).now,
        force_authn=REAUTHENTICATE in request.args,
    ).xml()
    key = service(TrustedConnections).signing_key(connection) if connection.signs_requests else None
    return Outgoing(connection.sso_binding, connection.sso_url, "SAMLRequest", message, key)


def _authorization_url(connection: OidcConnection, started: Started, browser: str) -> str:
    return authorization_url(
        connection.authorization_endpoint,
        client_id=connection.client.client_id,
        callback_url=connection.client.callback_url,
        scopes=connection.scopes,
        state=started.relay_state,
        secrets=login_secrets(browser, started.relay_state),
        anew=REAUTHENTICATE in request.args,
    )


def _new_browser() -> str:
    return new_token("browser", service(Randomness))  # type: ignore[type-abstract]  # built like any service
