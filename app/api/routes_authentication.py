"""Who asks, in which organization, at what rate and with which scopes.

`authenticate` judges a bearer and does not care how it was recognized: an API key is shown, a signed-in
person's browser sends its cookie along. A SCIM token is a stranger here. The scope is judged before anything
of the organization is read.
"""

from dataclasses import dataclass

from flask import request

from app.api.scopes import BREAK_GLASS_SCOPES, SPEND_AUTHORIZE, allows, scopes_of
from app.core.context import Actor
from app.core.errors import ForbiddenError, UnauthenticatedError
from app.core.rate_limit import ApiRate
from app.directory.recognition import TOKEN_KINDS, Recognition, Recognized
from app.sso.routes_cookies import SESSION, Cookies
from app.sso.routes_same_origin import require_same_origin
from app.sso.routes_session import signed_in
from app.web.context import Services, identify, service, state

KIND = "api_key"
HEADER = "x-api-key"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever is asking, by this credential or session; `token` is its secret and stays in this request."""

    id: str
    actor: Actor
    org_id: str
    scopes: frozenset[str]
    token: str


class ScopeMissingError(ForbiddenError):
    code = "scope_missing"


def authenticate(scope: str, *, writes: bool) -> Bearer:
    """Enter the bearer's organization; raises when they are unknown, too fast or lack the scope.

    A browser sends its cookie along whoever made it ask, so what `writes` must come from a page of ours.
    """
    bearer = _recognize(writes=writes)
    identify(bearer.actor, bearer.org_id)
    # Gateways ask for every call that they let through; their keys are bounded by what they cost.
    if SPEND_AUTHORIZE not in bearer.scopes:
        service(ApiRate).check(bearer.actor.id)
    if not allows(bearer.scopes, scope):
        raise ScopeMissingError(f"The scope {scope} is missing; ask with an API key or a role that has it.")
    return bearer


def _recognize(*, writes: bool) -> Bearer:
    token = _presented()
    if token is None:
        return _signed_in(writes=writes)
    if token.startswith(f"usher_{TOKEN_KINDS['scim_token']}_"):
        raise UnauthenticatedError("A SCIM token is good for /scim only; use an API key here.")
    credential = service(Recognition).recognize(KIND, token)
    if credential.stale_last_used:
        _note_use(credential)
    return Bearer(credential.id, Actor(KIND, credential.id), credential.org_id, credential.scopes, token)


def _signed_in(*, writes: bool) -> Bearer:
    person = signed_in()
    if person is None:
        raise UnauthenticatedError(
            f"Send an API key, as 'Authorization: Bearer …' or '{HEADER}: …', or sign in."
        )
    if writes:
        require_same_origin()
    scopes = BREAK_GLASS_SCOPES if person.is_break_glass else scopes_of(person.permissions)
    secret = service(Cookies).read(SESSION) or ""
    return Bearer(person.session_id, Actor("user", person.user_id), person.org_id, scopes, secret)


def _presented() -> str | None:
    """The API key of the request, if it has one."""
    given = request.headers.get("Authorization")
    key = request.headers.get(HEADER)
    if given is None:
        return key
    scheme, _, token = given.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("The Authorization header must read 'Bearer' and an API key.")
    if key not in (None, token):
        raise UnauthenticatedError(f"Authorization and {HEADER} carry different keys; send one.")
    return token


def _note_use(credential: Recognized) -> None:
    def mark(services: Services) -> None:
        services.uow.enter(credential.org_id)
        services.get(Recognition).mark_used(credential.id)

    state().afterwards.append(mark)
