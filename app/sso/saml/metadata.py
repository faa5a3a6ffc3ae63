"""Metadata of an identity provider, read; pure, nothing is fetched.

A key without `use` counts as both, `use="encryption"` never for signing. Its own signature is not looked at:
metadata is believed because an administrator gave it, or its address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.browser_urls import UrlRefusedError, check_browser_url
from app.core.errors import UnprocessableError
from app.sso.saml.certificates import Certificate, load_certificate
from app.sso.saml.names import SAMLP, Element, children, tag
from app.sso.saml.parsing import hardened, utc

MAX_METADATA_BYTES = 1_048_576
MAX_CERTIFICATES = 10
MAX_ENTITY_ID_CHARACTERS = 1_024
_MAX_NAMED = 10


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
    TOO_MANY_CERTIFICATES = "too_many_certificates"
    NO_SSO_URL = "no_sso_url"
    URL_NOT_HTTPS = "url_not_https"
    URL_SCHEME = "url_scheme_refused"
    URL_MALFORMED = "url_malformed"
    ENTITY_ID_MALFORMED = "entity_id_malformed"


class MetadataError(UnprocessableError):
    """Metadata cannot make a connection; `code` is the value of `fault`, `detail` names the cause."""

    def __init__(self, fault: MetadataFault, detail: str) -> None:
        super().__init__(detail, code=fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class IdpMetadata:
    """What a connection needs of its identity provider. Absent URLs are empty.

    The bindings are Redirect where both are offered. `slo_response_url` is where LogoutResponses go; it
    equals `slo_url` unless the metadata names another. `valid_until` is aware UTC.
    """

    entity_id: str
    sso_url: str
    sso_binding: Binding
    certificates: tuple[Certificate, ...]
    slo_url: str = ""
    slo_binding: Binding = Binding.REDIRECT
    slo_response_url: str = ""
    want_authn_requests_signed: bool = False
    valid_until: datetime | None = None


def parse_idp_metadata(
    xml: bytes, now: datetime, *, idp_entity_id: str | None = None, allow_http: bool = False
) -> IdpMetadata:
    """Read an EntityDescriptor, or the one entity of an EntitiesDescriptor that is meant.

    `idp_entity_id` chooses among several identity providers. `allow_http` is for development only.
    Raises `MetadataError`, and `CertificateError` for a signing key that cannot be trusted.
    """
    descriptor = _idp_descriptor(_parse(xml), idp_entity_id)
    valid_until = _valid_until(descriptor, now)
    sso = _endpoint(descriptor, "md:SingleSignOnService")
    if sso is None:
        raise MetadataError(
            MetadataFault.NO_SSO_URL, "The metadata names no sign-on URL for HTTP-Redirect or HTTP-POST."
        )
    slo = _endpoint(descriptor, "md:SingleLogoutService")
    slo_url = "" if slo is None else check_url(slo.get("Location", ""), allow_http)
    slo_response_url = "" if slo is None else slo.get("ResponseLocation") or slo_url
    return IdpMetadata(
        entity_id=_check_entity_id(descriptor.getparent().get("entityID", "")),
        sso_url=check_url(sso.get("Location", ""), allow_http),
        sso_binding=Binding(sso.get("Binding")),
        certificates=_trusted(_signing_certificates(descriptor)),
        slo_url=slo_url,
        slo_binding=Binding.REDIRECT if slo is None else Binding(slo.get("Binding")),
        slo_response_url=slo_response_url and check_url(slo_response_url, allow_http),
        want_authn_requests_signed=descriptor.get("WantAuthnRequestsSigned") in ("true", "1"),
        valid_until=valid_until,
    )


def check_fields(
    *, entity_id: str, sso_url: str, certificates: Sequence[str], allow_http: bool = False
) -> IdpMetadata:
    """The same from single fields as an administrator types them; certificates are PEM texts."""
    return IdpMetadata(
        entity_id=_check_entity_id(entity_id),
        sso_url=check_url(sso_url, allow_http),
        sso_binding=Binding.REDIRECT,
        certificates=_trusted(certificates),
    )


def check_url(url: str, allow_http: bool) -> str:
    """An address that a browser may be sent to; raises `MetadataError`."""
    try:
        return check_browser_url(url, allow_http=allow_http)
    except UrlRefusedError as error:
        raise MetadataError(MetadataFault(error.code), error.detail) from error


def _parse(xml: bytes) -> Element:
    if len(xml) > MAX_METADATA_BYTES:
        raise MetadataError(
            MetadataFault.TOO_LARGE, f"Metadata may have at most {MAX_METADATA_BYTES:,} bytes."
        )
    root = hardened(xml)
    if root is None:
        raise MetadataError(MetadataFault.NOT_METADATA, "This is no well-formed XML.")
    if root.getroottree().docinfo.doctype:
        raise MetadataError(MetadataFault.NOT_METADATA, "Metadata must not have a DOCTYPE.")
    if root.tag not in (tag("md:EntityDescriptor"), tag("md:EntitiesDescriptor")):
        raise MetadataError(
            MetadataFault.NOT_METADATA, "SAML metadata begins with EntityDescriptor or EntitiesDescriptor."
        )
    return root


def _idp_descriptor(root: Element, idp_entity_id: str | None) -> Element:
    found = [
        descriptor
        for descriptor in root.iter(tag("md:IDPSSODescriptor"))
        if descriptor.getparent().tag == tag("md:EntityDescriptor")
        and SAMLP in descriptor.get("protocolSupportEnumeration", "").split()
    ]
    names = [descriptor.getparent().get("entityID", "") for descriptor in found]
    if not found:
        raise MetadataError(
            MetadataFault.NOT_METADATA, "The metadata describes no identity provider for SAML 2.0."
        )
    if idp_entity_id is not None:
        found = [descriptor for descriptor, name in zip(found, names, strict=True) if name == idp_entity_id]
    shown = ", ".join(sorted(set(names))[:_MAX_NAMED])
    if not found:
        raise MetadataError(
            MetadataFault.IDP_NOT_FOUND, f"The metadata does not describe {idp_entity_id!r}, but: {shown}."
        )
    if len(found) > 1:
        raise MetadataError(
            MetadataFault.SEVERAL_IDPS,
            f"The metadata describes several identity providers; choose one by idp_entity_id: {shown}.",
        )
    return found[0]


def _valid_until(descriptor: Element, now: datetime) -> datetime | None:
    """The earliest of the limits of the descriptor and of what it stands in."""
    texts = [element.get("validUntil") for element in (descriptor, *descriptor.iterancestors())]
    limits = [utc(text) for text in texts if text is not None]
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits):
        raise MetadataError(MetadataFault.NOT_METADATA, "A validUntil of the metadata is no UTC time.")
    if known and min(known) <= now:
        raise MetadataError(
            MetadataFault.EXPIRED, f"The metadata was valid until {min(known).isoformat()}; fetch it anew."
        )
    return min(known, default=None)


def _endpoint(descriptor: Element, name: str) -> Element | None:
    for binding in Binding:
        for endpoint in children(descriptor, name):
            if endpoint.get("Binding") == binding.value:
                return endpoint
    return None


def _signing_certificates(descriptor: Element) -> list[str]:
    return [
        element.text or ""
        for key in children(descriptor, "md:KeyDescriptor")
        if key.get("use", "signing") == "signing"
        for element in key.iter(tag("ds:X509Certificate"))
    ]


def _trusted(texts: Sequence[str]) -> tuple[Certificate, ...]:
    if not texts:
        raise MetadataError(
            MetadataFault.NO_CERTIFICATE, "There is no certificate for signing, so nothing could be verified."
        )
    if len(texts) > MAX_CERTIFICATES:
        raise MetadataError(
            MetadataFault.TOO_MANY_CERTIFICATES, f"At most {MAX_CERTIFICATES} certificates can be trusted."
        )
    return tuple(dict.fromkeys(load_certificate(text) for text in texts))


def _check_entity_id(entity_id: str) -> str:
    if not 0 < len(entity_id) <= MAX_ENTITY_ID_CHARACTERS or entity_id != entity_id.strip():
        raise MetadataError(
            MetadataFault.ENTITY_ID_MALFORMED,
            f"An entity id has 1 to {MAX_ENTITY_ID_CHARACTERS} signs and no white space around it.",
        )
    return entity_id
