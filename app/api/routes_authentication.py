"""Who asks, in which organization, at what rate and with which scopes.

`authenticate` judges a bearer and does not care how it was recognized: that is `_recognize` alone. A SCIM
token is a stranger here. The scope is judged before anything of the organization is read.
"""

from dataclasses import dataclass

from flask import request

from app.api.scopes import SPEND_AUTHORIZE, allows
from app.core.context import Actor
from app.core.errors import ForbiddenError, UnauthenticatedError
from app.core.rate_limit import ApiRate
from app.directory.recognition import TOKEN_KINDS, Recognition, Recognized
from app.web.context import Services, identify, service, state

KIND = "api_key"
HEADER = "x-api-key"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever is asking. `token` is the secret that was shown; it stays inside this request."""

    actor: Actor
    org_id: str
    scopes: frozenset[str]
    token: str


class ScopeMissingError(ForbiddenError):
    code = "scope_missing"


def authenticate(scope: str) -> Bearer:
    """Enter the bearer's organization; raises when they are unknown, too fast or lack the scope."""
    bearer = _recognize()
    identify(bearer.actor, bearer.org_id)
    # Gateways ask for every call that they let through; their keys are bounded by what they cost.
    if SPEND_AUTHORIZE not in bearer.scopes:
        service(ApiRate).check(bearer.actor.id)
    if not allows(bearer.scopes, scope):
        raise ScopeMissingError(f"The scope {scope} is missing; ask with an API key that has it.")
    return bearer


def _recognize() -> Bearer:
    token = _presented()
    if token.startswith(f"usher_{TOKEN_KINDS['scim_token']}_"):
        raise UnauthenticatedError("A SCIM token is good for /scim only; use an API key here.")
    credential = service(Recognition).recognize(KIND, token)
    if credential.stale_last_used:
        _note_use(credential)
    return Bearer(Actor(KIND, credential.id), credential.org_id, credential.scopes, token)


def _presented() -> str:
    given = request.headers.get("Authorization")
    key = request.headers.get(HEADER)
    if given is None and key is None:
        raise UnauthenticatedError(f"Send an API key, as 'Authorization: Bearer …' or '{HEADER}: …'.")
    if given is None:
        return str(key)
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
