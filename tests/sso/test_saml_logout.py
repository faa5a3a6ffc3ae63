"""Single logout messages: signed or refused, read over the raw query, inflated with a cap."""

import base64
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from app.sso.saml.bindings import post_form, redirect_url
from app.sso.saml.certificates import SpKey, load_certificate
from app.sso.saml.logout import LogoutExpectation, LogoutRequest, LogoutResponse, verify_post, verify_redirect
from app.sso.saml.query_signature import RSA_SHA256, sign_query
from app.sso.saml.reasons import ReasonCode, RefusedError
from tests.support.saml_idp import Scene, key_pair

SCENE = Scene()
NOW = SCENE.now
SLO = "https://usher.example/sso/saml/conn_1/slo"
KEY = SpKey(SCENE.idp.private_pem, SCENE.idp.certificate_pem)
STRANGER = SpKey(SCENE.stranger.private_pem, SCENE.stranger.certificate_pem)
EXPECTED = LogoutExpectation(SCENE.idp_entity_id, (load_certificate(KEY.certificate_pem),), SLO)
REQUEST = LogoutRequest(
    id="_logout",
    issuer=SCENE.idp_entity_id,
    destination=SLO,
    issued_at=NOW,
    name_id="anna@example.com",
    session_indexes=("s1", "s2"),
    not_on_or_after=NOW + timedelta(minutes=2),
)
RESPONSE = LogoutResponse("_answer", SCENE.idp_entity_id, SLO, NOW, in_response_to="_ours")


def query_of(message: Any, key: SpKey | None = KEY, parameter: str = "SAMLRequest") -> str:
    return urlsplit(redirect_url(SLO, parameter, message.xml(), relay_state="a b", key=key)).query


def form_of(message: Any, key: SpKey | None = KEY, parameter: str = "SAMLRequest") -> list[tuple[str, str]]:
    return list(post_form(SLO, parameter, message.xml(), relay_state="a b", key=key).fields.items())


def reason_of(query: str | list[tuple[str, str]]) -> ReasonCode:
    with pytest.raises(RefusedError) as caught:
        _ = (
            verify_redirect(query, EXPECTED, NOW)
            if isinstance(query, str)
            else verify_post(query, EXPECTED, NOW)
        )
    return caught.value.reason


def test_a_signed_request_is_read_by_redirect_and_by_post() -> None:
    for received in (
        verify_redirect(query_of(REQUEST), EXPECTED, NOW),
        verify_post(form_of(REQUEST), EXPECTED, NOW),
    ):
        assert received.message == REQUEST
        assert received.relay_state == "a b"
        assert received.replay_until == NOW + timedelta(minutes=8)


def test_a_signed_response_is_read_by_redirect_and_by_post() -> None:
    by_redirect = verify_redirect(query_of(RESPONSE, parameter="SAMLResponse"), EXPECTED, NOW)
    by_post = verify_post(form_of(RESPONSE, parameter="SAMLResponse"), EXPECTED, NOW)
    assert by_redirect.message == by_post.message == RESPONSE


def test_lower_case_escapes_are_verified_as_they_came() -> None:
    """Entra escapes in lower case and signs that."""
    deflated = zlib.compress(REQUEST.xml(), wbits=-15)
    value = quote(base64.b64encode(deflated), safe="").replace("%2B", "%2b").replace("%2F", "%2f")
    signed = f"SAMLRequest={value}&SigAlg={quote(RSA_SHA256, safe='').lower()}"
    signature = quote(base64.b64encode(sign_query(signed.encode(), KEY)), safe="")
    assert verify_redirect(f"{signed}&Signature={signature}", EXPECTED, NOW).message == REQUEST


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuer": "https://evil/"}, ReasonCode.ISSUER_MISMATCH),
        ({"destination": f"{SLO}/1"}, ReasonCode.DESTINATION_MISMATCH),
        ({"destination": ""}, ReasonCode.DESTINATION_MISSING),
        ({"issued_at": NOW - timedelta(minutes=8)}, ReasonCode.EXPIRED),
        ({"issued_at": NOW + timedelta(minutes=4)}, ReasonCode.NOT_YET_VALID),
        ({"not_on_or_after": NOW - timedelta(minutes=3)}, ReasonCode.EXPIRED),
        ({"name_id": ""}, ReasonCode.NAME_ID_MISSING),
        ({"id": "1digit"}, ReasonCode.ID_MALFORMED),
    ],
)
def test_a_request_for_others_or_another_time_is_refused(change: dict[str, Any], reason: ReasonCode) -> None:
    message = replace(REQUEST, **change)
    assert reason_of(query_of(message)) is reason
    assert reason_of(form_of(message)) is reason


def test_an_unsigned_message_is_refused() -> None:
    assert reason_of(query_of(REQUEST, key=None)) is ReasonCode.SIGNATURE_MISSING
    assert reason_of(form_of(REQUEST, key=None)) is ReasonCode.SIGNATURE_MISSING


def test_a_strangers_signature_is_refused() -> None:
    assert reason_of(query_of(REQUEST, key=STRANGER)) is ReasonCode.SIGNATURE_INVALID
    assert reason_of(form_of(REQUEST, key=STRANGER)) is ReasonCode.CERTIFICATE_UNKNOWN


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("RelayState=a%20b", "RelayState=a%20c", ReasonCode.SIGNATURE_INVALID),
        ("RelayState=a%20b", "RelayState=a+b", ReasonCode.SIGNATURE_INVALID),
        ("RelayState=a%20b&", "", ReasonCode.SIGNATURE_INVALID),
        ("RelayState=", "SAMLRequest=x&RelayState=", ReasonCode.PARAMETER_REPEATED),
        ("RelayState=", "SAMLResponse=x&RelayState=", ReasonCode.PARAMETER_REPEATED),
        ("SigAlg=", "SigAlg=x&SigAlg=", ReasonCode.PARAMETER_REPEATED),
        ("rsa-sha256", "rsa-sha1", ReasonCode.SIGNATURE_ALGORITHM),
        ("rsa-sha256", "ecdsa-sha256", ReasonCode.SIGNATURE_INVALID),
        ("SAMLRequest=", "SAMLart=", ReasonCode.PARAMETER_MISSING),
        ("SAMLRequest=", "SAMLResponse=", ReasonCode.SIGNATURE_INVALID),
        ("Signature=", "Signature=!", ReasonCode.NOT_BASE64),
        ("RelayState=", "RelayState=ü", ReasonCode.WRONG_ENCODING),
    ],
)
def test_a_changed_query_is_refused(old: str, new: str, reason: ReasonCode) -> None:
    query = query_of(REQUEST)
    assert old in query
    assert reason_of(query.replace(old, new, 1)) is reason


def signed_bytes(deflated: bytes) -> str:
    value = quote(base64.b64encode(deflated), safe="")
    signed = f"SAMLRequest={value}&SigAlg={quote(RSA_SHA256, safe='')}"
    return f"{signed}&Signature={quote(base64.b64encode(sign_query(signed.encode(), KEY)), safe='')}"


@pytest.mark.parametrize(
    ("deflated", "reason"),
    [
        (zlib.compress(b" " * 50_000_000, wbits=-15), ReasonCode.TOO_LARGE),
        (b"not deflated", ReasonCode.NOT_DEFLATED),
        (zlib.compress(REQUEST.xml(), wbits=-15)[:-4], ReasonCode.NOT_DEFLATED),
        (zlib.compress(REQUEST.xml(), wbits=-15) + b"more", ReasonCode.NOT_DEFLATED),
        (zlib.compress(b"<!DOCTYPE a><a/>", wbits=-15), ReasonCode.DOCTYPE),
        (zlib.compress(RESPONSE.xml(), wbits=-15), ReasonCode.WRONG_MESSAGE),
    ],
)
def test_a_bomb_or_another_message_is_refused_though_signed(deflated: bytes, reason: ReasonCode) -> None:
    assert reason_of(signed_bytes(deflated)) is reason


def test_a_query_over_the_cap_is_refused() -> None:
    assert reason_of("SAMLRequest=" + "A" * 262_144) is ReasonCode.TOO_LARGE


def test_a_posted_message_changed_after_signing_is_refused() -> None:
    fields = dict(form_of(REQUEST))
    xml = base64.b64decode(fields["SAMLRequest"]).replace(b"anna@", b"boss@")
    assert reason_of([("SAMLRequest", base64.b64encode(xml).decode())]) is ReasonCode.SIGNATURE_INVALID


def test_an_enveloped_signature_by_redirect_is_refused() -> None:
    enveloped = base64.b64decode(dict(form_of(REQUEST))["SAMLRequest"])
    assert reason_of(signed_bytes(zlib.compress(enveloped, wbits=-15))) is ReasonCode.SIGNATURE_MISPLACED


def test_an_elliptic_curve_signs_a_query() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pair = key_pair("idp-ec", "ec")
    private = load_pem_private_key(pair.private_pem.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    value = quote(base64.b64encode(zlib.compress(REQUEST.xml(), wbits=-15)), safe="")
    algorithm = RSA_SHA256.replace("rsa", "ecdsa", 1).replace("xmldsig-more#ecdsa", "xmldsig-more#ecdsa")
    signed = f"SAMLRequest={value}&SigAlg={quote(algorithm, safe='')}"
    r, s = utils.decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = quote(base64.b64encode(r.to_bytes(32) + s.to_bytes(32)), safe="")
    expected = replace(EXPECTED, certificates=(load_certificate(pair.certificate_pem),))
    assert verify_redirect(f"{signed}&Signature={signature}", expected, NOW).message == REQUEST
