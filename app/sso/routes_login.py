"""`/sso/login`: from an e-mail address to its identity provider; and our metadata for each connection.

The page needs no script. Its answer is the same for everybody of a domain, known here or not.
"""

from flask import Blueprint, Response, request
from markupsafe import Markup

from app.core.rate_limit import SignInRate
from app.sso.addresses import InvalidEmailError, parse_email
from app.sso.discovery import Discovery
from app.sso.return_paths import HOME, safe_path
from app.sso.routes_cookies import Cookies
from app.sso.routes_login_start import REAUTHENTICATE, start_login
from app.sso.routes_pages import page
from app.sso.saml.sp_metadata import sp_metadata
from app.sso.sp_keys import SpKeys
from app.sso.trusted_connections import TrustedConnections
from app.web.context import service
from app.web.transaction import writes

MAX_SHOWN = 254
_ASK = Markup(
    '<form method="get" action="/sso/login"><label>E-mail address '
    '<input type="email" name="email" autocomplete="username" required value="{email}"></label>'
    '<input type="hidden" name="return_to" value="{return_to}">{anew}<button>Continue</button></form>'
)
_ANEW = Markup('<input type="hidden" name="{name}" value="1">').format(name=REAUTHENTICATE)

blueprint = Blueprint("discovery", __name__, url_prefix="/sso")


@blueprint.get("/login")
@writes
def sign_in() -> Response:
    """Ask for an address, or lead to the identity provider of its domain."""
    text = request.args.get("email")
    if text is None:
        return _ask("Sign in with your work address.")
    service(SignInRate).check_address(request.remote_addr)
    try:
        email = parse_email(text.strip())
    except InvalidEmailError as error:
        response = _ask(f"That is no e-mail address: {error.detail}", text)
        response.status_code = error.status
        return response
    service(SignInRate).check_email(email.key)
    connection_id = service(Discovery).connection_for(email)
    if connection_id is None:
        return _ask("There is no single sign-on for this address.", text)
    return start_login(service(TrustedConnections).get(connection_id))


@blueprint.get("/saml/<connection_id>/metadata")
def show_metadata(connection_id: str) -> Response:
    """What an identity provider must know of us for this connection."""
    connection = service(TrustedConnections).enter_saml(connection_id)
    document = sp_metadata(connection.provider, service(SpKeys).published(connection.id))
    return Response(document, content_type="application/samlmetadata+xml")


def _ask(sentence: str, email: str = "") -> Response:
    return_to = safe_path(request.args.get("return_to", HOME), service(Cookies).base_url)
    anew = _ANEW if REAUTHENTICATE in request.args else ""
    return page("Sign in", sentence, _ASK.format(email=email[:MAX_SHOWN], return_to=return_to, anew=anew))
