"""`/sso/break-glass`: an owner comes in by a code while the identity provider is down."""

from flask import Blueprint, Response, request
from markupsafe import Markup

from app.core.rate_limit import SignInRate
from app.sso.break_glass import BreakGlass
from app.sso.return_paths import HOME
from app.sso.routes_cookies import SESSION, Cookies
from app.sso.routes_messages import see_other
from app.sso.routes_pages import page
from app.sso.routes_same_origin import require_same_origin
from app.web.context import service

MAX_CODE_LENGTH = 200
_ASK = Markup(
    '<form method="post" action="/sso/break-glass"><label>Code '
    '<input name="code" autocomplete="off" required></label><button>Sign in</button></form>'
)

blueprint = Blueprint("break_glass", __name__, url_prefix="/sso")


@blueprint.get("/break-glass")
def ask_for_code() -> Response:
    """A form for a code."""
    return page("Emergency sign-in", "Each code works once, while sign-on is enforced.", _ASK)


@blueprint.post("/break-glass")
def redeem_code() -> Response:
    """Begin a session of an hour; what happened is in the audit log."""
    require_same_origin()
    service(SignInRate).check_address(request.remote_addr)
    secret = service(BreakGlass).redeem(
        request.form.get("code", "").strip()[:MAX_CODE_LENGTH],
        user_agent=request.headers.get("User-Agent"),
        address=request.remote_addr,
    )
    response = see_other(HOME)
    service(Cookies).give(response, SESSION, secret)
    return response
