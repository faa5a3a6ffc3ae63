"""A connection with all that judging its messages and answering them needs; found by its URL alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.connection import Row
from app.core.ids import parse_edge_id
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.sso.connections import ConnectionService
from app.sso.idp_certificates import IdpCertificates
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


@dataclass(frozen=True, slots=True)
class TrustedConnection:
    """`attributes` are our names of values to the IdP's; `testers` are folded addresses."""

    id: str
    org_id: str
    mode: str
    idp_initiated: str
    jit: bool
    attributes: Mapping[str, str]
    testers: Sequence[str]
    configuration_hash: str
    provider: ServiceProvider
    sso_url: str
    sso_binding: str
    slo_url: str | None
    slo_binding: str | None
    slo_response_url: str | None
    signs_requests: bool
    expectation: Expectation

    def require_on(self) -> None:
        if self.mode == "off":
            raise SignInRefusedError(Reason.CONNECTION_OFF, Step.CONNECTION, received="off")

    @property
    def logout_expectation(self) -> LogoutExpectation:
        expected = self.expectation
        return LogoutExpectation(expected.idp_entity_id, expected.certificates, self.provider.slo_url)


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
        certificates: IdpCertificates,
        sp_keys: SpKeys,
        urls: PublicUrls,
    ) -> None:
        self._uow = uow
        self._service = service
        self._certificates = certificates
        self._sp_keys = sp_keys
        self._urls = urls

    def enter(self, text: str) -> TrustedConnection:
        """Enter the organization of the connection in a URL; raises `NotFoundError`."""
        return self._trusted(self._service.enter(parse_edge_id("conn", text)))

    def get(self, connection_id: str) -> TrustedConnection:
        """A connection of the entered organization; raises `NotFoundError`."""
        return self._trusted(self._service.row(connection_id))

    def signing_key(self, connection: TrustedConnection) -> SpKey:
        return self._sp_keys.signing_key(connection.id)

    def _trusted(self, row: Row) -> TrustedConnection:
        certificates = self._certificates.of([row.id])[row.id]
        provider = ServiceProvider(*(self._urls.saml(row.id, end) for end in ("metadata", "acs", "slo")))
        return TrustedConnection(
            id=row.id,
            org_id=row.org_id,
            mode=row.mode,
            idp_initiated=row.idp_initiated,
            jit=row.jit,
            attributes=row.attributes,
            testers=row.testers,
            configuration_hash=row.configuration_hash,
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
