"""Whether a request comes from a page of this server: its browser says so, or it knows the session's token.

Browsers send no session cookie with a POST from another site; this is for what is on the same site and
for browsers that do. Without a session nobody can know a token, so only the browser's word counts.
"""

import hashlib
import hmac

from flask import request

from app.core.errors import ForbiddenError
from app.sso.routes_cookies import SESSION, Cookies
from app.web.context import service

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"


class CrossOriginError(ForbiddenError):
    code = "cross_origin"


def csrf_token() -> str:
    """What a form or script of ours carries: only who reads a page of this session knows it."""
    secret = service(Cookies).read(SESSION)
    if secret is None:
        raise LookupError("There is no session whose token this could be.")
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def require_same_origin() -> None:
    """Raises `CrossOriginError` unless the request was sent by a page of this server."""
    if _says_same_origin() or _knows_token():
        return
    raise CrossOriginError("This request did not come from a page of this server. Open the page again.")


def _knows_token() -> bool:
    if service(Cookies).read(SESSION) is None:
        return False
    shown = request.headers.get(HEADER) or request.form.get(FIELD, "")
    return hmac.compare_digest(shown.encode(), csrf_token().encode())


def _says_same_origin() -> bool:
    fetched = request.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched == "same-origin"
    return request.headers.get("Origin") == service(Cookies).base_url
