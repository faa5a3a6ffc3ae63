"""What a connection needs to know of an OpenID provider: its discovery document and its keys.

No transaction is open while an address is read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.connection import Row
from app.core.guarded_fetch import GuardedFetch
from app.core.unit_of_work import UnitOfWork
from app.sso.idp_settings import IdpSettings, IdpSourceError
from app.sso.oidc.keys import Jwk, read_keys
from app.sso.oidc.provider import WELL_KNOWN, discovery_url, issuers_at, read_provider


class ProviderSettingsReader:
    """`allow_http` lets the browser visit a provider on plain http; for development only."""

    sources = ("issuer", "discovery_url")

    def __init__(self, uow: UnitOfWork, fetch: GuardedFetch, *, allow_http: bool) -> None:
        self._uow = uow
        self._fetch = fetch
        self._allow_http = allow_http

    def read(self, given: Mapping[str, Any]) -> IdpSettings:
        """From `issuer`, `discovery_url` or both.

        Raises `IdpSourceError`, `FetchRefusedError`, `DiscoveryError` and `UrlRefusedError`.
        """
        issuer, url = given.get("issuer"), given.get("discovery_url")
        if url is None:
            if issuer is None:
                raise IdpSourceError("Say who the identity provider is by its issuer or its discovery_url.")
            url = discovery_url(issuer)
        issuers = issuers_at(url) if issuer is None else (issuer,)
        if not issuers:
            raise IdpSourceError(f"This discovery_url does not end in {WELL_KNOWN}; give the issuer as well.")
        self._uow.pause()
        return self._fetched(url, issuers)

    def read_again(self, connection: Row) -> IdpSettings:
        """The same document and keys as they are now; uses no transaction."""
        return self._fetched(connection.metadata_url, (connection.idp_entity_id,))

    def keys(self, jwks_uri: str) -> list[Jwk]:
        """The keys as they are now; uses no transaction."""
        return read_keys(self._fetch.read(jwks_uri))

    def _fetched(self, url: str, issuers: Sequence[str]) -> IdpSettings:
        provider = read_provider(self._fetch.read(url), issuers, allow_http=self._allow_http)
        columns = {
            "idp_entity_id": provider.issuer,
            "sso_url": provider.authorization_endpoint,
            "slo_url": provider.end_session_endpoint,
            "token_endpoint": provider.token_endpoint,
            "secret_method": provider.secret_method,
            "userinfo_endpoint": provider.userinfo_endpoint,
            "jwks_uri": provider.jwks_uri,
            "jwks": [dict(key) for key in self.keys(provider.jwks_uri)],
            "names_itself": provider.names_itself,
            "tells_logouts": provider.tells_logouts,
        }
        return IdpSettings(columns, (), url, {"scopes": provider.scopes})
