"""`/oauth/authorize`: an application sends a browser here, and gets a code or a reason why not.

The person is asked nothing: who registered the application has consented for the organization.
"""

from collections.abc import Mapping

from flask import Blueprint, Response, request

from app.core.urls import PublicUrls
from app.oauth.authorization import AUTHORIZE, Asking, Authorization, Wish, read_wish, way_back
from app.oauth.parameters import read_parameters
from app.oauth.refusals import DeniedError
from app.oauth.routes_answers import form, see_other
from app.oauth.visits import Visits
from app.web.context import service
from app.web.transaction import writes

SIGN_IN = "/sso/login"

blueprint = Blueprint("authorize", __name__, url_prefix="/oauth")


@blueprint.get("/authorize")
@writes
def authorize() -> Response:
    """Give a code to a person who may use the application, after they have signed in."""
    parameters = read_parameters(request.query_string)
    authorization = service(Authorization)
    asking = authorization.enter(parameters)
    try:
        wish = read_wish(parameters, asking.client)
        back = way_back(parameters, authorization.now)
        visitor = authorization.judge(service(Visits).at_hand(), asking, wish)
    except DeniedError as denied:
        return _answer(asking, _error(denied))
    if visitor is None:
        return see_other(SIGN_IN, {**_signing_in(wish), "return_to": back})
    return _answer(asking, {"code": authorization.issue_code(visitor, asking, wish)})


@blueprint.post("/authorize")
def authorize_by_form() -> Response:
    """The same as a form: with a POST from another site browsers send no session, with a GET they do."""
    return see_other(AUTHORIZE, form())


def _signing_in(wish: Wish) -> Mapping[str, str]:
    """What single sign-on is told: whom to expect, and that a session of theirs is not enough."""
    hint = {} if wish.login_hint is None or "@" not in wish.login_hint else {"email": wish.login_hint}
    return hint | ({} if wish.max_age is None and not wish.asks_anew else {"reauthenticate": "1"})


def _error(denied: DeniedError) -> Mapping[str, str]:
    answer = {"error": denied.code, "error_description": denied.detail}
    if denied.help_path is not None:
        answer["error_uri"] = f"{service(PublicUrls).base_url}{denied.help_path}"
    return answer


def _answer(asking: Asking, answer: Mapping[str, str]) -> Response:
    """Back to the application; RFC 9207: it is told who answers."""
    state = {} if asking.state is None else {"state": asking.state}
    return see_other(asking.redirect_uri, {**answer, **state, "iss": service(PublicUrls).base_url})
