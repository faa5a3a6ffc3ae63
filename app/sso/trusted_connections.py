"""A connection with all that judging its messages and answering them needs; found by its URL alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from app.core.errors import NotFoundError
from app.core.ids import edge_id, parse_edge_id
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.models import certificates, connections
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.saml.assertion import Expectation, SignaturePolicy
from app.sso.saml.certificates import SpKey, load_certificate
from app.sso.saml.logout import LogoutExpectation
from app.sso.saml.sp_metadata import ServiceProvider

_OWNER = select(lookups.c.org_id).where(
    lookups.c.kind == "connection", lookups.c.key_hash == bindparam("key_hash")
)
_CONNECTION = select(connections).where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("id"))
_CERTIFICATES = (
    select(certificates)
    .where(certificates.c.org_id == ORG_ID, certificates.c.connection_id == bindparam("connection_id"))
    .order_by(certificates.c.created_at.desc(), certificates.c.id.desc())
)


@dataclass(frozen=True, slots=True)
class TrustedConnection:
    """`attributes` are our names of values to the IdP's; `testers` are folded addresses.

    `signing_key` is our current key, whether or not requests are to be signed by it.
    """

    id: str
    org_id: str
    name: str
    mode: str
    idp_initiated: str
    jit: bool
    attributes: Mapping[str, str]
    testers: Sequence[str]
    provider: ServiceProvider
    sso_url: str
    sso_binding: str
    slo_url: str | None
    slo_binding: str | None
    slo_response_url: str | None
    signs_requests: bool
    signing_key: SpKey | None
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
    def __init__(self, uow: UnitOfWork, base_url: str) -> None:
        self._uow = uow
        self._base_url = base_url

    def enter(self, text: str) -> TrustedConnection:
        """Enter the organization of the connection in a URL; raises `NotFoundError`."""
        uow = self._uow
        connection_id = parse_edge_id("conn", text)
        found = uow.execute_unscoped(_OWNER, {"key_hash": hash_token(connection_id)}).first()
        if found is None:
            raise NotFoundError("There is no such connection.")
        uow.enter(found.org_id)
        return self.get(connection_id)

    def get(self, connection_id: str) -> TrustedConnection:
        """A connection of the entered organization; raises `NotFoundError`."""
        uow = self._uow
        row = uow.execute(_CONNECTION, {"id": connection_id}).first()
        if row is None:
            raise NotFoundError("There is no such connection.")
        rows = uow.execute(_CERTIFICATES, {"connection_id": connection_id}).all()
        provider = self._provider(connection_id)
        trusted = tuple(
            load_certificate(item.pem) for item in rows if item.side == "idp" and item.use != "encryption"
        )
        return TrustedConnection(
            id=row.id,
            org_id=uow.org_id,
            name=row.name,
            mode=row.mode,
            idp_initiated=row.idp_initiated,
            jit=row.jit,
            attributes=row.attributes,
            testers=row.testers,
            provider=provider,
            sso_url=row.sso_url,
            sso_binding=row.sso_binding,
            slo_url=row.slo_url,
            slo_binding=row.slo_binding,
            slo_response_url=row.slo_response_url or row.slo_url,
            signs_requests=row.wants_signed_requests,
            signing_key=None,
            expectation=Expectation(
                idp_entity_id=row.idp_entity_id,
                certificates=trusted,
                sp_entity_id=provider.entity_id,
                acs_url=provider.acs_url,
                decryption_keys=(),
                signature_policy=SignaturePolicy(_POLICIES[row.signed]),
                refuse_expired_certificates=row.refuse_expired_certificates,
            ),
        )

    def _provider(self, connection_id: str) -> ServiceProvider:
        root = f"{self._base_url}/sso/saml/{edge_id('conn', connection_id)}"
        return ServiceProvider(f"{root}/metadata", f"{root}/acs", f"{root}/slo")


_POLICIES = {"any": "either", "assertion": "assertion", "response": "response", "both": "response"}
