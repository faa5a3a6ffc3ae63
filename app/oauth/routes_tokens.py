"""`/oauth/token`, `/introspect`, `/revoke` and `/userinfo`: what applications ask without a browser."""

from collections.abc import Mapping

from flask import Blueprint, Response, request

from app.core.context import Actor
from app.oauth.access_tokens import AccessTokens
from app.oauth.clients import Claimed, Client, Clients, read_claim
from app.oauth.parameters import read_parameters, required
from app.oauth.redemption import CodeReplayedError, Redemption, Replay
from app.oauth.refusals import MissingTokenError, OAuthError
from app.oauth.routes_answers import form, json_response
from app.web.context import Services, identify, service, state
from app.web.transaction import reads

GRANT = "authorization_code"
TOKEN = "access_token"  # noqa: S105 - the name of a parameter

blueprint = Blueprint("tokens", __name__, url_prefix="/oauth")


@blueprint.post("/token")
def give_tokens() -> Response:
    """Exchange a code for an access token and an ID token."""
    parameters = form()
    client = _authenticated(parameters)
    if required(parameters, "grant_type") != GRANT:
        raise OAuthError(f"The only grant_type here is {GRANT}.", code="unsupported_grant_type")
    try:
        answer = service(Redemption).redeem(client, parameters)
    except CodeReplayedError as error:
        _end_afterwards(error.replay, client)
        raise
    return json_response(answer)


@blueprint.post("/introspect")
@reads
def introspect() -> Response:
    """RFC 7662: what an application's token is worth at this moment."""
    parameters = form()
    claimed = _claimed(parameters)
    return json_response(service(AccessTokens).introspect(claimed, required(parameters, "token")))


@blueprint.post("/revoke")
def revoke() -> Response:
    """RFC 7009: the application is done with a token; what is no token needs no revoking."""
    parameters = form()
    client = _authenticated(parameters)
    service(AccessTokens).revoke(client, required(parameters, "token"))
    return Response(status=200)


@blueprint.get("/userinfo")
def show_user_info() -> Response:
    """The person whom the token is about, as they are at this moment."""
    return json_response(service(AccessTokens).user_info(_bearer_token()))


@blueprint.post("/userinfo")
@reads
def show_user_info_by_post() -> Response:
    """The same; OpenID Connect wants both."""
    return json_response(service(AccessTokens).user_info(_bearer_token()))


def _claimed(parameters: Mapping[str, str]) -> Claimed:
    return read_claim(request.headers.get("Authorization"), parameters)


def _authenticated(parameters: Mapping[str, str]) -> Client:
    client = service(Clients).authenticate(_claimed(parameters))
    identify(Actor("application", client.id), client.org_id)
    return client


def _bearer_token() -> str:
    """RFC 6750, by the header alone: what stands in an address is kept in histories and logs."""
    bodies = [request.query_string]
    if request.mimetype == "application/x-www-form-urlencoded":
        bodies.append(request.get_data())
    if any(TOKEN in read_parameters(body) for body in bodies):
        raise OAuthError("Send the token in the header Authorization, and nowhere else.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise MissingTokenError("Send the access token as Authorization: Bearer and the token.")
    return token.strip()


def _end_afterwards(replay: Replay, client: Client) -> None:
    """The refusal undoes everything in its own transaction, so what follows from it has another."""

    def end(services: Services) -> None:
        services.uow.enter(client.org_id)
        services.get(AccessTokens).end_replayed(replay)

    state().afterwards.append(end)
