"""Metadata of the service provider, written with lxml; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.sso.saml.certificates import SpKey
from app.sso.saml.decryption import CONTENT_ALGORITHMS, KEY_ALGORITHMS
from app.sso.saml.metadata import Binding
from app.sso.saml.names import EMAIL_ADDRESS, PERSISTENT, SAMLP, UNSPECIFIED, Element
from app.sso.saml.writing import add, root_element, serialized


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """What the identity provider must know of us for one connection; every URL is absolute."""

    entity_id: str
    acs_url: str
    slo_url: str


def sp_metadata(provider: ServiceProvider, keys: Sequence[SpKey]) -> bytes:
    """The EntityDescriptor with each key for signing and encryption, in the order given (newest first)."""
    root = root_element("md:EntityDescriptor", {"entityID": provider.entity_id})
    descriptor = add(
        root,
        "md:SPSSODescriptor",
        AuthnRequestsSigned="true" if keys else "false",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=SAMLP,
    )
    for use in ("signing", "encryption"):
        for key in keys:
            _add_key(descriptor, use, key)
    for binding in Binding:
        add(descriptor, "md:SingleLogoutService", Binding=binding.value, Location=provider.slo_url)
    for name_id_format in (PERSISTENT, EMAIL_ADDRESS, UNSPECIFIED):
        add(descriptor, "md:NameIDFormat", name_id_format)
    add(
        descriptor,
        "md:AssertionConsumerService",
        Binding=Binding.POST.value,
        Location=provider.acs_url,
        index="0",
        isDefault="true",
    )
    return serialized(root)


def _add_key(descriptor: Element, use: str, key: SpKey) -> None:
    described = add(descriptor, "md:KeyDescriptor", use=use)
    data = add(add(described, "ds:KeyInfo"), "ds:X509Data")
    add(data, "ds:X509Certificate", "".join(key.certificate_pem.strip().splitlines()[1:-1]))
    if use == "encryption":
        for algorithm in (*sorted(CONTENT_ALGORITHMS), *sorted(KEY_ALGORITHMS)):
            add(described, "md:EncryptionMethod", Algorithm=algorithm)
