"""`/oauth/logout`: an application's person signs out of it and of us."""

from flask import Blueprint, Response, request

from app.oauth.parameters import read_parameters
from app.oauth.routes_answers import form, see_other
from app.oauth.sign_out import SignOuts
from app.oauth.visits import Visits
from app.web.context import service
from app.web.transaction import writes

LOGOUT = "/oauth/logout"
# Asks the person, and says so when nobody is signed in.
CONFIRM = "/sso/logout"

blueprint = Blueprint("end_session", __name__, url_prefix="/oauth")


@blueprint.get("/logout")
@writes
def sign_out() -> Response:
    """End the session that the application vouches for; ask the person about any other."""
    parameters = read_parameters(request.query_string)
    asked = service(SignOuts).read(parameters)
    visitor = service(Visits).at_hand() if asked.session_id is not None else None
    if visitor is not None and visitor.session_id == asked.session_id:
        service(Visits).end(visitor.session_id)
        visitor = None
    if asked.session_id is None or visitor is not None or asked.redirect_uri is None:
        return see_other(CONFIRM, {})
    state = {name: parameters[name] for name in ("state",) if name in parameters}
    return see_other(asked.redirect_uri, state)


@blueprint.post("/logout")
def sign_out_by_form() -> Response:
    """The same as a form: with a POST from another site browsers send no session, with a GET they do."""
    return see_other(LOGOUT, form())
