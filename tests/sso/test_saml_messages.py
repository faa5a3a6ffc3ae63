"""AuthnRequest and its bindings; answers that an independent library wrote."""

import base64
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from saml2 import saml, samlp

from app.sso.saml.authn_request import AuthnRequest, request_id
from app.sso.saml.bindings import post_form, redirect_url
from app.sso.saml.certificates import SpKey, load_certificate
from app.sso.saml.parsing import parse_message
from app.sso.saml.query_signature import verify_query
from app.sso.saml.shape import signature_of
from app.sso.saml.signatures import verify_signature
from tests.support.saml_corpus.case import ACCEPTED
from tests.support.saml_idp import EMAIL_FORMAT, Scene, encode, key_pair, parse, sign
from tests.support.saml_judging import verdict

SCENE = Scene()
KEY = SpKey(key_pair("sp-new").private_pem, key_pair("sp-new").certificate_pem)
REQUEST = AuthnRequest(
    id=request_id("01890000-0000-7000-8000-000000000000"),
    destination='https://idp.example/sso?a=1&b="<2>"',
    sp_entity_id=SCENE.sp_entity_id,
    acs_url=SCENE.acs_url,
    issued_at=SCENE.now,
)


def message_of(url: str) -> Any:
    """What an independent reader, pysaml2, finds in a Redirect."""
    deflated = base64.b64decode(parse_qs(urlsplit(url).query)["SAMLRequest"][0])
    return samlp.authn_request_from_string(zlib.decompress(deflated, -15).decode())


def test_an_independent_reader_finds_what_was_asked() -> None:
    found = message_of(redirect_url(REQUEST.destination, "SAMLRequest", REQUEST.xml()))
    assert (found.id, found.destination) == (REQUEST.id, REQUEST.destination)
    assert found.assertion_consumer_service_url == SCENE.acs_url
    assert found.issuer.text == SCENE.sp_entity_id
    assert found.requested_authn_context is None


def test_a_request_id_never_begins_with_a_digit() -> None:
    assert REQUEST.id[0] == "_"


def test_a_login_hint_cannot_break_out_of_the_message() -> None:
    hostile = replace(REQUEST, sp_entity_id='"><evil/>&amp;')
    found = message_of(redirect_url("https://idp.example/", "SAMLRequest", hostile.xml()))
    assert found.issuer.text == '"><evil/>&amp;'


def test_a_redirect_keeps_the_query_of_the_sign_on_url() -> None:
    url = redirect_url("https://idp.example/sso?idpid=C1", "SAMLRequest", REQUEST.xml(), relay_state="r")
    assert parse_qs(urlsplit(url).query)["idpid"] == ["C1"]


def test_a_redirect_is_signed_over_its_query() -> None:
    url = redirect_url("https://idp.example/", "SAMLRequest", REQUEST.xml(), relay_state="a b&c", key=KEY)
    signed, _, _ = urlsplit(url).query.partition("&Signature=")
    values = parse_qs(urlsplit(url).query)
    certificate = load_certificate(KEY.certificate_pem)
    signature = base64.b64decode(values["Signature"][0])
    assert verify_query(signed.encode(), signature, values["SigAlg"][0], (certificate,)) == certificate
    assert values["RelayState"] == ["a b&c"]


def test_a_posted_request_has_an_enveloped_signature_after_its_issuer() -> None:
    form = post_form("https://idp.example/", "SAMLRequest", REQUEST.xml(), key=KEY)
    root = parse_message(base64.b64decode(form.fields["SAMLRequest"]))
    certificate = load_certificate(KEY.certificate_pem)
    assert [child.tag.rpartition("}")[2] for child in root][:2] == ["Issuer", "Signature"]
    signature = signature_of(root)
    assert verify_signature(root, signature, (certificate,), SCENE.now).element.get("ID") == REQUEST.id


def independent_answer() -> str:
    """A response as pysaml2 writes it, with its own prefixes and order of attributes."""
    answer = SCENE.answer()
    confirmation = saml.SubjectConfirmation(
        method=saml.SCM_BEARER,
        subject_confirmation_data=saml.SubjectConfirmationData(
            not_on_or_after=answer.at(300), recipient=SCENE.acs_url, in_response_to=SCENE.request_id
        ),
    )
    restriction = saml.AudienceRestriction(audience=[saml.Audience(text=SCENE.sp_entity_id)])
    assertion = saml.Assertion(
        version="2.0",
        id="_a",
        issue_instant=answer.at(0),
        issuer=saml.Issuer(text=SCENE.idp_entity_id),
        subject=saml.Subject(
            name_id=saml.NameID(text="anna@example.com", format=EMAIL_FORMAT),
            subject_confirmation=[confirmation],
        ),
        conditions=saml.Conditions(
            not_before=answer.at(-60), not_on_or_after=answer.at(300), audience_restriction=[restriction]
        ),
        authn_statement=[
            saml.AuthnStatement(
                authn_instant=answer.at(-5),
                session_index="s",
                authn_context=saml.AuthnContext(
                    authn_context_class_ref=saml.AuthnContextClassRef(text=saml.AUTHN_PASSWORD)
                ),
            )
        ],
    )
    response = samlp.Response(
        version="2.0",
        id="_r",
        issue_instant=answer.at(0),
        destination=SCENE.acs_url,
        in_response_to=SCENE.request_id,
        issuer=saml.Issuer(text=SCENE.idp_entity_id),
        status=samlp.Status(status_code=samlp.StatusCode(value=samlp.STATUS_SUCCESS)),
        assertion=[assertion],
    )
    return str(response)


def test_an_answer_that_another_library_wrote_is_accepted() -> None:
    """pysaml2 itself signs by a program that is not there, so the test signer signs what it wrote."""
    for path in ("//saml:Assertion", "/samlp:Response"):
        root = sign(parse(independent_answer()), path, SCENE.idp)
        assert verdict([("SAMLResponse", encode(root))], SCENE) == ACCEPTED
