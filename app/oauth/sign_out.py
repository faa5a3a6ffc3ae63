"""A sign-out that an application begins: OpenID Connect RP-Initiated Logout 1.0, judged.

Only an ID token of the very session that is to end shows that the person's own application asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.unit_of_work import UnitOfWork
from app.oauth.applications import client_id_of
from app.oauth.clients import Client, Clients
from app.oauth.refusals import OAuthError
from app.oauth.signing_keys import SigningKeys


@dataclass(frozen=True, slots=True)
class SignOut:
    """The session that an application vouches for, and where the browser goes afterwards."""

    session_id: str | None
    redirect_uri: str | None


class SignOuts:
    def __init__(self, uow: UnitOfWork, clients: Clients, keys: SigningKeys, issuer: str) -> None:
        self._uow = uow
        self._clients = clients
        self._keys = keys
        self._issuer = issuer

    def read(self, parameters: Mapping[str, str]) -> SignOut:
        """What is asked for; raises `OAuthError`, of which only the person at the browser may be told."""
        hint = self._hint(parameters)
        client_id = parameters.get("client_id", hint.get("aud"))
        client = None if client_id is None else self._clients.enter(client_id)
        if hint and (client is None or client_id_of(client.id) != hint["aud"]):
            raise OAuthError("The id_token_hint was not given to this application.")
        return SignOut(hint.get("sid"), self._redirect_uri(parameters, client))

    def _hint(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        token = parameters.get("id_token_hint")
        if token is None:
            return {}
        # Its time may be over: it shows where the person was, not what they may.
        claims = self._keys.verified(token)
        if claims is None or claims.get("iss") != self._issuer or "sid" not in claims:
            raise OAuthError("The id_token_hint is no ID token of this server.")
        return claims

    def _redirect_uri(self, parameters: Mapping[str, str], client: Client | None) -> str | None:
        uri = parameters.get("post_logout_redirect_uri")
        if uri is not None and (client is None or uri not in client.post_logout_redirect_uris):
            raise OAuthError("The post_logout_redirect_uri is not registered for this application.")
        return uri
