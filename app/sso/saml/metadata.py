"""Metadata of an identity provider, read; pure, nothing is fetched.

A key without `use` counts as both, `use="encryption"` never for signing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.errors import UnprocessableError
from app.sso.saml.certificates import Certificate

MAX_METADATA_BYTES = 1_048_576


class Binding(StrEnum):
    REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


class MetadataFault(StrEnum):
    TOO_LARGE = "metadata_too_large"
    NOT_METADATA = "not_metadata"
    SEVERAL_IDPS = "several_idps"
    IDP_NOT_FOUND = "idp_not_found"
    EXPIRED = "metadata_expired"
    NO_CERTIFICATE = "no_certificate"
    NO_SSO_URL = "no_sso_url"
    URL_NOT_HTTPS = "url_not_https"
    URL_MALFORMED = "url_malformed"


class MetadataError(UnprocessableError):
    """Metadata cannot make a connection; `code` is the value of `fault`, `detail` names the cause."""

    def __init__(self, fault: MetadataFault, detail: str) -> None:
        super().__init__(detail, code=fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class IdpMetadata:
    """What a connection needs of its identity provider. Absent URLs are empty.

    `sso_binding` is Redirect where both are offered. `slo_response_url` is where LogoutResponses go;
    it equals `slo_url` unless the metadata names another. `valid_until` is aware UTC.
    """

    entity_id: str
    sso_url: str
    sso_binding: Binding
    slo_url: str
    slo_binding: Binding
    slo_response_url: str
    certificates: tuple[Certificate, ...]
    want_authn_requests_signed: bool
    valid_until: datetime | None


def parse_idp_metadata(
    xml: bytes, now: datetime, *, idp_entity_id: str | None = None, allow_http: bool = False
) -> IdpMetadata:
    """Read an EntityDescriptor, or the one entity of an EntitiesDescriptor that is meant.

    `idp_entity_id` chooses among several identity providers. `allow_http` is for development only.
    Raises `MetadataError`, and `CertificateError` for a signing key that cannot be trusted.
    """
    raise MetadataError(MetadataFault.NOT_METADATA, f"{xml!r} {now} {idp_entity_id} {allow_http}")


def check_fields(
    *, entity_id: str, sso_url: str, certificates: Sequence[str], allow_http: bool = False
) -> IdpMetadata:
    """The same from single fields as an administrator types them; certificates are PEM texts."""
    raise MetadataError(MetadataFault.NOT_METADATA, f"{entity_id} {sso_url} {certificates} {allow_http}")
