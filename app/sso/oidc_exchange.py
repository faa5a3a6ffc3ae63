"""From the code that a browser brought to what its provider asserts: the requests to the provider, paused.

What the tokens say is judged in `oidc`; an unknown key lets the provider's key set be read once. It must not
know browsers, nor what comes of the sign-in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from app.core.errors import UsherError
from app.core.guarded_fetch import GuardedFetch
from app.core.rate_limit import RateLimiter
from app.core.unit_of_work import UnitOfWork
from app.sso.answers import asserted_by_oidc
from app.sso.asserted import Asserted
from app.sso.connections import ConnectionService
from app.sso.oidc.authorization import LoginSecrets, token_request
from app.sso.oidc.callback import Tokens, read_tokens, read_userinfo
from app.sso.oidc.id_token import verify_id_token
from app.sso.oidc.keys import Jwk
from app.sso.oidc.logout_token import LogoutToken, verify_logout_token
from app.sso.oidc.profile import read_profile, read_subject
from app.sso.oidc.reasons import OidcRefusedError, ReasonCode, Step
from app.sso.oidc.tokens import Expectation, Token
from app.sso.provider_settings import ProviderSettingsReader
from app.sso.trusted_connections import OidcConnection

# Key sets read because a token named an unknown key, for each connection and process.
REFRESHES_PER_SECOND, REFRESHES_AT_ONCE = 1 / 60, 3
# A longer ID token makes no address that a browser could be sent to.
MAX_HINT_LENGTH = 4_096

T = TypeVar("T")


class KeyRefreshes(RateLimiter):
    """Anybody can send a token that names an unknown key; that must not make us ask the provider all day."""


class OidcExchange:
    def __init__(
        self,
        uow: UnitOfWork,
        fetch: GuardedFetch,
        *,
        reader: ProviderSettingsReader,
        connections: ConnectionService,
        refreshes: KeyRefreshes,
    ) -> None:
        self._uow = uow
        self._fetch = fetch
        self._reader = reader
        self._connections = connections
        self._refreshes = refreshes

    def tokens(self, connection: OidcConnection, code: str, secrets: LoginSecrets) -> Tokens:
        """What the provider gives for the code, asked in a pause; raises `OidcRefusedError`."""
        self._uow.pause()
        headers, body = token_request(connection.client, code, secrets.verifier)
        try:
            answered = self._fetch.send("POST", connection.token_endpoint, headers=headers, body=body)
        except UsherError as error:
            raise OidcRefusedError(
                ReasonCode.TOKEN_REQUEST_FAILED, Step.TOKEN_REQUEST, received=error.detail
            ) from error
        return read_tokens(answered.status, answered.body)

    def believe(
        self, connection: OidcConnection, tokens: Tokens, *, code: str, secrets: LoginSecrets, login_id: str
    ) -> Asserted:
        """What the tokens assert, if they answer this login; raises `OidcRefusedError`."""
        now, issuer = self._uow.now, connection.expectation.issuer

        def judge(expected: Expectation) -> Token:
            return verify_id_token(tokens, code, secrets.nonce, expected, now)

        token, fresh = self._judged(connection, judge)
        subject = read_subject(token.claims, issuer)
        claims = token.claims
        if claims.get("email") is None:
            # A provider that follows the letter of Core 5.4 tells the rest at UserInfo only.
            told = {name: value for name, value in claims.items() if value is not None}
            claims = {**self._userinfo(connection, tokens, subject.sub), **told}
        asserted = asserted_by_oidc(
            token,
            subject,
            read_profile(claims, issuer, connection.attributes),
            login_id=login_id,
            id_token=tokens.id_token if len(tokens.id_token) <= MAX_HINT_LENGTH else None,
            now=now,
        )
        self._keep(connection, fresh)
        return asserted

    def believe_logout(self, connection: OidcConnection, text: str) -> LogoutToken:
        """Whose sessions a logout token ends; raises `OidcRefusedError`."""
        self._uow.pause()
        now = self._uow.now
        token, fresh = self._judged(connection, lambda expected: verify_logout_token(text, expected, now))
        self._keep(connection, fresh)
        return token

    def _judged(
        self, connection: OidcConnection, judge: Callable[[Expectation], T]
    ) -> tuple[T, Sequence[Jwk]]:
        """Judge by the keys that are known, and once more by fresh ones if the token names another."""
        expected = connection.expectation
        try:
            return judge(expected), ()
        except OidcRefusedError as refusal:
            is_unknown = refusal.reason is ReasonCode.TOKEN_KEY_UNKNOWN
            if not is_unknown or not self._refreshes.has_room(connection.id):
                raise
            try:
                fresh = self._reader.keys(connection.jwks_uri)
            except UsherError:
                raise refusal from None
        return judge(replace(expected, keys=fresh)), fresh

    def _keep(self, connection: OidcConnection, fresh: Sequence[Jwk]) -> None:
        if fresh:
            self._connections.store(connection.id, {"jwks": [dict(key) for key in fresh]}, None)

    def _userinfo(self, connection: OidcConnection, tokens: Tokens, sub: str) -> Mapping[str, Any]:
        """What the provider tells beside the token (Core 5.3); nothing where there is no such place."""
        if connection.userinfo_endpoint is None or tokens.access_token is None:
            return {}
        headers = {"Authorization": f"Bearer {tokens.access_token}", "Accept": "application/json"}
        try:
            answered = self._fetch.send("GET", connection.userinfo_endpoint, headers=headers)
        except UsherError as error:
            raise OidcRefusedError(
                ReasonCode.USERINFO_FAILED, Step.USERINFO, received=error.detail
            ) from error
        return read_userinfo(answered.status, answered.body, sub)
