"""Metadata of identity providers, their certificates, and our own metadata."""

from typing import Any

import pytest
from saml2 import md

from app.sso.saml.certificates import (
    CertificateError,
    CertificateFault,
    SpKey,
    load_certificate,
    new_sp_key,
)
from app.sso.saml.metadata import (
    MAX_METADATA_BYTES,
    Binding,
    MetadataError,
    MetadataFault,
    check_fields,
    parse_idp_metadata,
)
from app.sso.saml.sp_metadata import ServiceProvider, sp_metadata
from tests.support.saml_idp import KeyPair, Scene, key_pair

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
NOW = Scene().now
KEY = key_pair("idp")
REDIRECT, POST = Binding.REDIRECT.value, Binding.POST.value


def key_xml(key: KeyPair, use: str = "") -> str:
    return (
        f"<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds='http://www.w3.org/2000/09/xmldsig#'><ds:X509Data>"
        f"<ds:X509Certificate>{key.certificate_base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</md:KeyDescriptor>"
    )


def entity(**parts: Any) -> str:
    """An EntityDescriptor; parts: `name`, `keys`, `url`, `binding`, `more`, `entity_attributes`."""
    url = parts.get("url", "https://idp.example/sso?a=1&amp;b=2")
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID="{parts.get("name", "https://idp.example/")}"'
        f"{parts.get('entity_attributes', '')}><md:IDPSSODescriptor"
        ' protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f"{parts.get('keys', key_xml(KEY))}"
        f'<md:SingleSignOnService Binding="{parts.get("binding", REDIRECT)}" Location="{url}"/>'
        f"{parts.get('more', '')}</md:IDPSSODescriptor></md:EntityDescriptor>"
    )


def several(*entities: str, attributes: str = "") -> str:
    return f'<md:EntitiesDescriptor xmlns:md="{MD}"{attributes}>{"".join(entities)}</md:EntitiesDescriptor>'


def fault_of(xml: str | bytes, **options: Any) -> str:
    data = xml.encode() if isinstance(xml, str) else xml
    with pytest.raises((MetadataError, CertificateError)) as caught:
        parse_idp_metadata(data, NOW, **options)
    assert caught.value.status == 422
    return caught.value.code


def test_an_entity_is_read_with_url_binding_and_certificate() -> None:
    found = parse_idp_metadata(entity().encode(), NOW)
    assert (found.entity_id, found.sso_url) == ("https://idp.example/", "https://idp.example/sso?a=1&b=2")
    assert (found.sso_binding, found.valid_until) == (Binding.REDIRECT, None)
    assert [known.fingerprint for known in found.certificates] == [
        load_certificate(KEY.certificate_pem).fingerprint
    ]


def test_redirect_is_preferred_and_post_alone_is_taken() -> None:
    both = entity(
        binding=POST, more=f'<md:SingleSignOnService Binding="{REDIRECT}" Location="https://idp.example/r"/>'
    )
    assert parse_idp_metadata(both.encode(), NOW).sso_url == "https://idp.example/r"
    assert parse_idp_metadata(entity(binding=POST).encode(), NOW).sso_binding is Binding.POST


def test_logout_addresses_are_read() -> None:
    more = (
        f'<md:SingleLogoutService Binding="{POST}" Location="https://idp.example/slo"'
        ' ResponseLocation="https://idp.example/slo-back"/>'
    )
    found = parse_idp_metadata(entity(more=more).encode(), NOW)
    assert (found.slo_url, found.slo_response_url) == (
        "https://idp.example/slo",
        "https://idp.example/slo-back",
    )


def test_one_of_several_is_chosen_by_its_entity_id() -> None:
    xml = several(entity(name="urn:a"), entity(name="urn:b")).encode()
    assert parse_idp_metadata(xml, NOW, idp_entity_id="urn:b").entity_id == "urn:b"


def test_a_key_without_use_signs_and_an_encryption_key_never_does() -> None:
    xml = entity(keys=key_xml(KEY) + key_xml(key_pair("stranger"), ' use="encryption"'))
    assert len(parse_idp_metadata(xml.encode(), NOW).certificates) == 1


@pytest.mark.parametrize(
    ("xml", "fault"),
    [
        ("", MetadataFault.NOT_METADATA),
        ("<a/>", MetadataFault.NOT_METADATA),
        ("<!DOCTYPE a>" + entity(), MetadataFault.NOT_METADATA),
        (entity().replace("IDPSSODescriptor", "SPSSODescriptor"), MetadataFault.NOT_METADATA),
        ("<" + "x" * MAX_METADATA_BYTES, MetadataFault.TOO_LARGE),
        (several(entity(name="urn:a"), entity(name="urn:b")), MetadataFault.SEVERAL_IDPS),
        (entity(keys=""), MetadataFault.NO_CERTIFICATE),
        (entity(keys=key_xml(KEY, ' use="encryption"')), MetadataFault.NO_CERTIFICATE),
        (entity(keys=key_xml(KEY) * 11), MetadataFault.TOO_MANY_CERTIFICATES),
        (entity(keys=key_xml(key_pair("weak", "weak"))), CertificateFault.WEAK_KEY),
        (
            entity(keys=key_xml(KEY).replace(KEY.certificate_base64, "AAAA")),
            CertificateFault.NOT_A_CERTIFICATE,
        ),
        (entity(binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP"), MetadataFault.NO_SSO_URL),
        (entity(url="http://idp.example/sso"), MetadataFault.URL_NOT_HTTPS),
        (entity(url="javascript:alert(1)"), MetadataFault.URL_SCHEME),
        (entity(url="java&#10;script:alert(1)"), MetadataFault.URL_MALFORMED),
        (entity(url="data:text/html,x"), MetadataFault.URL_SCHEME),
        (entity(url="https:///sso"), MetadataFault.URL_MALFORMED),
        (entity(url="https://user:pw@idp.example/"), MetadataFault.URL_MALFORMED),
        (entity(url="https://idp.example/#x"), MetadataFault.URL_MALFORMED),
        (entity(url="https://[::1/"), MetadataFault.URL_MALFORMED),
        (entity(url=""), MetadataFault.URL_SCHEME),
        (entity(name=""), MetadataFault.ENTITY_ID_MALFORMED),
        (
            entity(entity_attributes=' validUntil="2026-11-25T11:59:59Z"'),
            MetadataFault.EXPIRED,
        ),
        (several(entity(), attributes=' validUntil="2020-01-01T00:00:00Z"'), MetadataFault.EXPIRED),
        (entity(entity_attributes=' validUntil="soon"'), MetadataFault.NOT_METADATA),
        (
            entity(more=f'<md:SingleLogoutService Binding="{POST}" Location="http://idp.example/"/>'),
            MetadataFault.URL_NOT_HTTPS,
        ),
    ],
)
def test_what_cannot_make_a_connection_is_refused_with_its_reason(xml: str, fault: str) -> None:
    assert fault_of(xml) == fault


def test_an_entity_that_is_not_there_is_named() -> None:
    assert fault_of(entity(), idp_entity_id="urn:other") == MetadataFault.IDP_NOT_FOUND


def test_http_is_taken_in_development() -> None:
    found = parse_idp_metadata(entity(url="http://127.0.0.1:7400/").encode(), NOW, allow_http=True)
    assert found.sso_url == "http://127.0.0.1:7400/"


def test_single_fields_are_checked_alike() -> None:
    found = check_fields(
        entity_id="urn:a", sso_url="https://idp.example/", certificates=[KEY.certificate_pem]
    )
    assert (found.entity_id, len(found.certificates)) == ("urn:a", 1)
    with pytest.raises(MetadataError):
        check_fields(entity_id="urn:a", sso_url="https://idp.example/", certificates=[])


def test_an_expired_certificate_is_read_and_says_so() -> None:
    certificate = load_certificate(key_pair("idp-expired", "old").certificate_pem)
    assert certificate.expired(NOW)
    assert (certificate.key_type, certificate.key_bits) == ("RSA", 2048)


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "ü"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(CertificateError):
        load_certificate(text)


def test_two_certificates_in_one_text_are_refused() -> None:
    with pytest.raises(CertificateError):
        load_certificate(KEY.certificate_pem * 2)


def own_metadata(*keys: SpKey) -> Any:
    provider = ServiceProvider("https://u/metadata", "https://u/acs", "https://u/slo")
    return md.entity_descriptor_from_string(sp_metadata(provider, keys).decode())


def test_an_independent_reader_finds_every_key_for_signing_and_encryption() -> None:
    """pysaml2 reads it; both keys of a rollover are published, for both uses."""
    keys = (new_sp_key("usher", NOW), new_sp_key("usher", NOW))
    descriptor = own_metadata(*keys).spsso_descriptor[0]
    assert [key.use for key in descriptor.key_descriptor] == ["signing"] * 2 + ["encryption"] * 2
    assert descriptor.authn_requests_signed == "true"
    first = descriptor.key_descriptor[0].key_info.x509_data[0].x509_certificate.text
    assert load_certificate(first) == load_certificate(keys[0].certificate_pem)


def test_an_independent_reader_finds_our_addresses() -> None:
    found = own_metadata()
    assert found.entity_id == "https://u/metadata"
    descriptor = found.spsso_descriptor[0]
    assert descriptor.assertion_consumer_service[0].location == "https://u/acs"
    assert {service.location for service in descriptor.single_logout_service} == {"https://u/slo"}
