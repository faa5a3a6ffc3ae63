"""A connection with all that judging its messages and answering them needs; found by its URL alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.connection import Row
from app.core.errors import NotFoundError
from app.core.ids import parse_edge_id
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.sso.client_secrets import ClientSecrets
from app.sso.connections import ConnectionService
from app.sso.idp_certificates import IdpCertificates
from app.sso.oidc.authorization import Client
from app.sso.oidc.tokens import Expectation as TokenExpectation
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.saml.assertion import Expectation, SignaturePolicy
from app.sso.saml.certificates import SpKey, load_certificate
from app.sso.saml.logout import LogoutExpectation
from app.sso.saml.sp_metadata import ServiceProvider
from app.sso.sp_keys import SpKeys

_POLICIES = {
    "any": SignaturePolicy.EITHER,
    "assertion": SignaturePolicy.ASSERTION,
    "response": SignaturePolicy.RESPONSE,
    "both": SignaturePolicy.BOTH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedConnection:
    """`attributes` are our names of values to the IdP's; `testers` are folded addresses.

    `idp_initiated` says what becomes of answers that nobody asked for.
    """

    id: str
    org_id: str
    mode: str
    idp_initiated: str
    jit: bool
    attributes: Mapping[str, str]
    testers: Sequence[str]
    configuration_hash: str

    def require_on(self) -> None:
        if self.mode == "off":
            raise SignInRefusedError(Reason.CONNECTION_OFF, Step.CONNECTION, received="off")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlConnection(TrustedConnection):
    provider: ServiceProvider
    sso_url: str
    sso_binding: str
    slo_url: str | None
    slo_binding: str | None
    slo_response_url: str | None
    signs_requests: bool
    expectation: Expectation

    @property
    def logout_expectation(self) -> LogoutExpectation:
        expected = self.expectation
        return LogoutExpectation(expected.idp_entity_id, expected.certificates, self.provider.slo_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcConnection(TrustedConnection):
    """`names_itself` says that the provider's answers carry `iss` (RFC 9207)."""

    client: Client
    expectation: TokenExpectation
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    jwks_uri: str
    scopes: str
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to the identity provider, signed when there is a key: by which binding, where and as what."""

    binding: str | None
    destination: str
    parameter: str
    xml: bytes
    key: SpKey | None


class TrustedConnections:
    def __init__(
        self,
        uow: UnitOfWork,
        service: ConnectionService,
        *,
        certificates: IdpCertificates,
        sp_keys: SpKeys,
        secrets: ClientSecrets,
        urls: PublicUrls,
    ) -> None:
        self._uow = uow
        self._service = service
        self._certificates = certificates
        self._sp_keys = sp_keys
        self._secrets = secrets
        self._urls = urls

    def enter(self, text: str) -> SamlConnection | OidcConnection:
        """Enter the organization of the connection in a URL; raises `NotFoundError`."""
        return self._trusted(self._service.enter(parse_edge_id("conn", text)))

    def enter_saml(self, text: str) -> SamlConnection:
        """The same; a connection of another protocol is not found."""
        found = self.enter(text)
        if not isinstance(found, SamlConnection):
            raise _not_found(text)
        return found

    def enter_oidc(self, text: str) -> OidcConnection:
        found = self.enter(text)
        if not isinstance(found, OidcConnection):
            raise _not_found(text)
        return found

    def get(self, connection_id: str) -> SamlConnection | OidcConnection:
        """A connection of the entered organization; raises `NotFoundError`."""
        return self._trusted(self._service.row(connection_id))

    def signing_key(self, connection: SamlConnection) -> SpKey:
        return self._sp_keys.signing_key(connection.id)

    def _trusted(self, row: Row) -> SamlConnection | OidcConnection:
        common: dict[str, Any] = {
            "id": row.id,
            "org_id": row.org_id,
            "mode": row.mode,
            "jit": row.jit,
            "attributes": row.attributes,
            "testers": row.testers,
            "configuration_hash": row.configuration_hash,
        }
        return self._saml(row, common) if row.protocol == "saml" else self._oidc(row, common)

    def _saml(self, row: Row, common: Mapping[str, Any]) -> SamlConnection:
        certificates = self._certificates.of([row.id])[row.id]
        provider = ServiceProvider(*(self._urls.saml(row.id, end) for end in ("metadata", "acs", "slo")))
        return SamlConnection(
            **common,
            idp_initiated=row.idp_initiated,
            provider=provider,
            sso_url=row.sso_url,
            sso_binding=row.sso_binding,
            slo_url=row.slo_url,
            slo_binding=row.slo_binding,
            slo_response_url=row.slo_response_url or row.slo_url,
            signs_requests=row.wants_signed_requests,
            expectation=Expectation(
                idp_entity_id=row.idp_entity_id,
                certificates=tuple(load_certificate(found.pem) for found in certificates),
                sp_entity_id=provider.entity_id,
                acs_url=provider.acs_url,
                decryption_keys=tuple(self._sp_keys.decryption_keys(row.id)),
                signature_policy=_POLICIES[row.signed],
                refuse_expired_certificates=row.refuse_expired_certificates,
            ),
        )

    def _oidc(self, row: Row, common: Mapping[str, Any]) -> OidcConnection:
        return OidcConnection(
            **common,
            # What comes without our state is no answer at all.
            idp_initiated="refuse",
            client=Client(
                client_id=row.client_id,
                secret=self._secrets.opened(row),
                secret_method=row.secret_method,
                callback_url=self._urls.oidc(row.id, "callback"),
            ),
            expectation=TokenExpectation(row.idp_entity_id, row.client_id, tuple(row.jwks)),
            authorization_endpoint=row.sso_url,
            token_endpoint=row.token_endpoint,
            userinfo_endpoint=row.userinfo_endpoint,
            end_session_endpoint=row.slo_url,
            jwks_uri=row.jwks_uri,
            scopes=row.scopes,
            names_itself=row.names_itself,
        )


def _not_found(text: str) -> NotFoundError:
    return NotFoundError(
        f"There is no connection of this protocol with the id {text[:80]!r}.", code="connection_not_found"
    )
