"""`/authorizations`: may this person spend this now, and what did it cost?"""

from app.api import scopes
from app.api.declarations import Endpoints, Shown
from app.api.schemas.authorizations import (
    AuthorizationSchema,
    GrantedAuthorization,
    NewAuthorization,
    Settlement,
    refused_members,
    show_granted,
)
from app.audit.outbox import Outbox
from app.core.connection import Row
from app.spend.authorizations import AuthorizationService, SpendLimitReachedError
from app.spend.notices import announce_used_up, is_used_up
from app.spend.requests import Call, Cost
from app.spend.reservations import Reservations
from app.web.context import Services, service, state

authorizations = Endpoints("Authorizations")


@authorizations.endpoint(
    "POST",
    "/authorizations",
    scope=scopes.SPEND_AUTHORIZE,
    body=NewAuthorization(),
    example={
        "user": {"user_name": "ada@example.com"},
        "surface": "code",
        "model": "claude-opus-5-5",
        "estimate": {"input_tokens": 12000, "output_tokens": 4000},
    },
    answer=GrantedAuthorization(),
    status=201,
    refusals={"402": "A hard limit is reached; `scope`, `window` and `resets_at` name it."},
)
def authorize(body: Call) -> Shown:
    """Hold the money for a call of a person, if every limit has room for it."""
    try:
        return Shown(show_granted(service(AuthorizationService).authorize(body)))
    except SpendLimitReachedError as refusal:
        refusal.members = refused_members(refusal.user_id, refusal.used, refusal.affordable)
        if is_used_up(refusal.moved):
            _announce_afterwards(refusal)
        raise


@authorizations.endpoint(
    "GET",
    "/authorizations/<authorization_id>",
    scope=scopes.SPEND_AUTHORIZE,
    answer=AuthorizationSchema(),
)
def get_authorization(authorization_id: str) -> Row:
    """Show an authorization; `revoked` says that a running call should be broken off."""
    return service(Reservations).get(authorization_id)


@authorizations.endpoint(
    "POST",
    "/authorizations/<authorization_id>/settle",
    scope=scopes.SPEND_AUTHORIZE,
    body=Settlement(),
    example={"usage": {"input_tokens": 11874, "output_tokens": 3120, "cache_read_input_tokens": 9000}},
    answer=AuthorizationSchema(),
)
def settle_authorization(authorization_id: str, body: Cost) -> Row:
    """Report what the call cost, by its tokens or as an amount; what was held beyond it is free again."""
    return service(Reservations).settle(authorization_id, body)


@authorizations.endpoint(
    "POST",
    "/authorizations/<authorization_id>/void",
    scope=scopes.SPEND_AUTHORIZE,
    answer=AuthorizationSchema(),
)
def void_authorization(authorization_id: str) -> Row:
    """Free the money of a call that was not made."""
    return service(Reservations).void(authorization_id)


@authorizations.endpoint(
    "POST",
    "/authorizations/<authorization_id>/extend",
    scope=scopes.SPEND_AUTHORIZE,
    answer=AuthorizationSchema(),
)
def extend_authorization(authorization_id: str) -> Row:
    """Keep the money of a running call longer; from now on it counts as sent."""
    return service(Reservations).extend(authorization_id)


def _announce_afterwards(refusal: SpendLimitReachedError) -> None:
    """A refusal rolls back, so what is to be told of it is told in a transaction of its own."""
    org_id = state().org_id

    def announce(services: Services) -> None:
        services.uow.enter(str(org_id))
        announce_used_up(services.uow, services.get(Outbox), refusal.moved, refusal.user_id)

    state().afterwards.append(announce)
