"""The attack corpus against the pure verifier: no hostile response is believed, no sound one refused."""

import time
from dataclasses import replace

import pytest
from lxml import etree

from app.sso.saml.assertion import SignaturePolicy
from app.sso.saml.certificates import load_certificate
from app.sso.saml.reasons import ReasonCode, RefusedError
from app.sso.saml.response import verify
from tests.support.saml_corpus import corpus, manifest
from tests.support.saml_corpus.case import ACCEPTED, Case, Judge
from tests.support.saml_corpus.manifest import PATH
from tests.support.saml_idp import DS, Scene, encode, encrypt, find, key_pair, sign
from tests.support.saml_judging import expectation, judged, verdict

SCENE = Scene()


@pytest.mark.parametrize("case", corpus(), ids=lambda case: f"{case.family}:{case.name}")
def test_each_case_gets_its_verdict(case: Case) -> None:
    expected = ACCEPTED if case.judge is Judge.ACS else case.expected
    assert verdict(case.fields(SCENE), SCENE) == expected


def test_the_corpus_has_a_hundred_cases_or_more_each_with_its_own_name() -> None:
    assert len({(case.family, case.name) for case in corpus()}) == len(corpus()) >= 100


def test_the_manifest_lists_what_the_generator_makes() -> None:
    assert PATH.read_text() == manifest()


def test_malformed_is_told_from_refused() -> None:
    statuses = {reason: RefusedError(reason, "parsing").status for reason in ReasonCode}  # type: ignore[arg-type]  # Any step does.
    assert statuses[ReasonCode.NOT_XML] == 400
    assert statuses[ReasonCode.EXPIRED] == 403


def test_a_refusal_says_what_was_expected_and_received_and_how_to_mend_it() -> None:
    with pytest.raises(RefusedError) as caught:
        judged([("SAMLResponse", encode(SCENE.signed(SCENE.answer(audiences=(("https://x/",),)))))], SCENE)
    assert (caught.value.expected, caught.value.received) == (SCENE.sp_entity_id, "https://x/")
    assert "slash" in caught.value.hint
    assert "https://x/" not in caught.value.detail


def test_an_accepted_answer_is_read_from_the_signed_subtree() -> None:
    assertion = judged([("SAMLResponse", encode(SCENE.signed()))], SCENE)
    assert (assertion.name_id, assertion.in_response_to) == ("anna@example.com", "_request")
    assert assertion.attributes == {"email": ("anna@example.com",), "groups": ("Sales", "Everyone")}
    assert assertion.session_index == "_session"
    assert (assertion.replay_until - SCENE.now).total_seconds() == 480


def test_an_elliptic_curve_signs_as_well() -> None:
    from xmlsec import constants

    from tests.support.saml_idp import SignOptions

    scene = replace(SCENE, idp=key_pair("idp-ec", "ec"))
    root = scene.signed(options=SignOptions(method=constants.TransformEcdsaSha256))
    assert verdict([("SAMLResponse", encode(root))], scene) == ACCEPTED


def test_each_of_several_certificates_is_trusted() -> None:
    others = tuple(load_certificate(key_pair(name).certificate_pem) for name in ("other-1", "other-2"))
    expected = expectation(SCENE)
    expected = replace(expected, certificates=(*others, *expected.certificates))
    assert verify(encode(SCENE.signed(response=True)), expected, SCENE.now).name_id == "anna@example.com"


@pytest.mark.parametrize(
    ("policy", "response", "verdict_"),
    [
        (SignaturePolicy.ASSERTION, False, ACCEPTED),
        (SignaturePolicy.ASSERTION, True, ReasonCode.SIGNATURE_MISSING),
        (SignaturePolicy.RESPONSE, False, ReasonCode.SIGNATURE_MISSING),
        (SignaturePolicy.RESPONSE, True, ACCEPTED),
    ],
)
def test_the_connection_says_what_must_be_signed(
    policy: SignaturePolicy, response: bool, verdict_: str
) -> None:
    root = SCENE.signed(assertion=not response, response=response)
    assert verdict([("SAMLResponse", encode(root))], SCENE, signature_policy=policy) == verdict_


def test_an_expired_certificate_is_a_warning_unless_the_connection_refuses_it() -> None:
    scene = replace(SCENE, idp=key_pair("idp-expired", "old"))
    encoded = encode(scene.signed())
    assert verify(encoded, expectation(scene), scene.now).certificate_expired
    with pytest.raises(RefusedError) as caught:
        verify(encoded, replace(expectation(scene), refuse_expired_certificates=True), scene.now)
    assert caught.value.reason is ReasonCode.CERTIFICATE_EXPIRED


def test_an_encrypted_answer_with_both_signatures_is_read() -> None:
    root = sign(encrypt(SCENE.signed(), SCENE.sp_keys[1]), "/samlp:Response", SCENE.idp)
    assertion = judged([("SAMLResponse", encode(root))], SCENE)
    assert assertion.encrypted
    assert assertion.name_id == "anna@example.com"


def test_an_encrypted_key_beside_its_data_is_found() -> None:
    """Shibboleth puts it there and points to it; the pointer is not followed."""
    root = encrypt(SCENE.signed(), SCENE.sp_keys[0])
    key = find(root, "//xenc:EncryptedKey")
    etree.SubElement(key.getparent(), f"{{{DS}}}RetrievalMethod", URI="#elsewhere", Type="urn:x")
    find(root, "//saml:EncryptedAssertion").append(key)
    assert verdict([("SAMLResponse", encode(root))], SCENE) == ACCEPTED


def test_bombs_are_refused_before_a_library_runs_them() -> None:
    """The XSLT doubles 20 times: seconds in a library, nothing here. Two seconds are far from both."""
    started = time.process_time()
    for case in corpus():
        if case.family == "transform bomb":
            verdict(case.fields(SCENE), SCENE)
    assert time.process_time() - started < 2
