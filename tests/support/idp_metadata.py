"""Metadata as an identity provider serves it."""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from tests.support.saml_idp import KeyPair, key_pair

_TEMPLATE = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
 xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID={entity_id}>
<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
{keys}<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
 Location={sso_url}/>
</md:IDPSSODescriptor></md:EntityDescriptor>"""
_KEY = (
    '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}'
    "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
)


def metadata_xml(
    *,
    entity_id: str = "https://idp.example/metadata",
    sso_url: str = "https://idp.example/sso",
    keys: Sequence[KeyPair] | None = None,
) -> str:
    trusted = [key_pair("idp")] if keys is None else keys
    return _TEMPLATE.format(
        entity_id=quoteattr(entity_id),
        sso_url=quoteattr(sso_url),
        keys="".join(_KEY.format(key.certificate_base64) for key in trusted),
    )
