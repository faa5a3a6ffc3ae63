"""The verifier of SAML responses: the one door through which an assertion is believed; pure.

In this order: size, strict base64, hardened parse, shape of the document and of its signatures before any
cryptography, status, issuer, algorithms, signxml (after decryption where needed), own conditions, and
python3-saml in strict mode, which must find the same signed subtree. Only that subtree is read.

The caller binds the answer to an open request (`in_response_to`), remembers the assertion against
replays (`assertion_id` until `replay_until`) and judges domains and people.
"""

from datetime import datetime

from app.sso.saml import second_verifier
from app.sso.saml.assertion import Assertion, Expectation, SignaturePolicy
from app.sso.saml.certificates import Certificate
from app.sso.saml.conditions import check_destination, check_status
from app.sso.saml.decryption import decrypted
from app.sso.saml.names import Element, children, tag
from app.sso.saml.parsing import decode_base64, parse_message
from app.sso.saml.reading import read_assertion
from app.sso.saml.reasons import ReasonCode, RefusedError, Step
from app.sso.saml.second_verifier import canonical
from app.sso.saml.shape import check_issuer, check_response, signature_of
from app.sso.saml.signatures import SignedSubtree, check_algorithms, verify_signature


def verify(encoded: str, expectation: Expectation, now: datetime) -> Assertion:
    """Judge the `SAMLResponse` field of a POST; raises `RefusedError` and nothing else."""
    document = parse_message(decode_base64(encoded))
    assertion = check_response(document)
    check_status(document)
    check_issuer(document, expectation.idp_entity_id, required=False)
    response = _verified(document, document, expectation.certificates, expectation, now)
    plain = None
    if assertion.tag == tag("saml:EncryptedAssertion"):
        plain = decrypted(document, expectation.decryption_keys)
        assertion = check_response(plain)
    check_issuer(assertion, expectation.idp_entity_id, required=True)
    # Who signed the response most likely signed the assertion.
    likely = (*((response.certificate,) if response else ()), *expectation.certificates)
    own = _verified(document if plain is None else plain, assertion, likely, expectation, now)
    signed = _believable(response, own, expectation.signature_policy, document, assertion)
    check_destination(document, expectation.acs_url)
    believed = read_assertion(document, signed, expectation, now, encrypted=plain is not None)
    certificates = list(dict.fromkeys(part.certificate for part in (response, own) if part))
    second_verifier.confirm(document, plain, signed.element, certificates, expectation)
    return believed


def _verified(
    root: Element,
    parent: Element,
    certificates: tuple[Certificate, ...],
    expectation: Expectation,
    now: datetime,
) -> SignedSubtree | None:
    """What the signature of `parent` covers; `None` when it has none. One that does not hold is refused."""
    signature = signature_of(parent)
    if signature is None:
        return None
    check_algorithms(signature)
    signed = verify_signature(root, signature, certificates, now)
    if expectation.refuse_expired_certificates and signed.certificate.expired(now):
        raise RefusedError(
            ReasonCode.CERTIFICATE_EXPIRED,
            Step.SIGNATURE,
            expected=f"valid at {now.isoformat()}",
            received=f"until {signed.certificate.not_after.isoformat()}",
        )
    return signed


def _believable(
    response: SignedSubtree | None,
    own: SignedSubtree | None,
    policy: SignaturePolicy,
    document: Element,
    assertion: Element,
) -> SignedSubtree:
    """The assertion as its own signature covers it, else as that of the response does."""
    if policy is SignaturePolicy.BOTH and (own is None or response is None):
        raise RefusedError(ReasonCode.SIGNATURE_MISSING, Step.SIGNATURE, expected=policy.value)
    if own is not None and (response is not None or policy is not SignaturePolicy.RESPONSE):
        return own
    if response is not None and policy is not SignaturePolicy.ASSERTION:
        return _covered(response, document, assertion)
    raise RefusedError(ReasonCode.SIGNATURE_MISSING, Step.SIGNATURE, expected=policy.value)


def _covered(response: SignedSubtree, document: Element, assertion: Element) -> SignedSubtree:
    """The assertion of a response that is signed as a whole.

    `assertion` is the decrypted one, or stands in `document`. A decrypted one is as good as signed when
    the ciphertext that it came from is the signed one.
    """
    encrypted = children(document, "saml:EncryptedAssertion")
    name = "saml:EncryptedAssertion" if encrypted else "saml:Assertion"
    covered = children(response.element, name)
    if len(covered) != 1 or canonical(covered[0]) != canonical(children(document, name)[0]):
        raise RefusedError(ReasonCode.VERIFIERS_DISAGREE, Step.SIGNATURE, expected=name)
    return SignedSubtree(assertion if encrypted else covered[0], response.certificate)
