"""XML signatures: their shape and algorithms before any cryptography, then the first verifier, signxml; pure.

Libraries execute what an unverified signature asks for (XSLT, XPath, thousands of references), so only one
shape of Signature reaches them: one Reference to its own parent, enveloped-signature then exclusive
canonicalization, algorithms from a list. Its KeyInfo only helps to choose among the trusted certificates.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from app.sso.saml.certificates import Certificate, fingerprint_of
from app.sso.saml.library_errors import LibraryError, library_errors
from app.sso.saml.names import EXC_C14N, Element, children, tag, text_of
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

MAX_CERTIFICATES_TRIED = 4
MAX_PREFIXES = 20
MAX_KEY_INFO_ELEMENTS = 20
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SIGNATURE_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGEST_ALGORITHMS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHOD_NAMES = frozenset(method.value for method in SIGNATURE_METHODS)
_DIGEST_NAMES = frozenset(algorithm.value for algorithm in DIGEST_ALGORITHMS)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_SIGNATURES = etree.XPath("//ds:Signature", namespaces={"ds": "http://www.w3.org/2000/09/xmldsig#"})


@dataclass(frozen=True, slots=True)
class SignedSubtree:
    """What a signature covers, parsed from the very bytes that were hashed (without the signature itself)."""

    element: Element
    certificate: Certificate


def signatures_in(root: Element) -> list[Element]:
    """Every Signature of the document, wherever it stands."""
    return list(_SIGNATURES(root))


def check_shape(signature: Element) -> None:
    """Refuse any Signature but the one simple form, before anything in it is executed."""
    parts = list(signature)
    expected = [tag("ds:SignedInfo"), tag("ds:SignatureValue"), tag("ds:KeyInfo")]
    if [part.tag for part in parts] not in (expected, expected[:2]):
        raise _misshapen("Signature")
    signed_info = _exactly(parts[0], "ds:CanonicalizationMethod", "ds:SignatureMethod", "ds:Reference")
    _check_prefixes(signed_info[0])
    _exactly(signed_info[1])
    _check_reference(signed_info[2], signature.getparent().get("ID"))
    _check_base64(parts[1])
    if len(parts) == len(expected) and sum(1 for _ in parts[2].iter()) > MAX_KEY_INFO_ELEMENTS:
        raise _misshapen("KeyInfo")


def check_algorithms(signature: Element) -> None:
    """Refuse SHA-1, MD5, HMAC, DSA, inclusive canonicalization and whatever is not on the lists."""
    for path, allowed, reason in (
        ("ds:CanonicalizationMethod", {EXC_C14N}, ReasonCode.CANONICALIZATION_ALGORITHM),
        ("ds:SignatureMethod", _METHOD_NAMES, ReasonCode.SIGNATURE_ALGORITHM),
        ("ds:Reference/ds:DigestMethod", _DIGEST_NAMES, ReasonCode.DIGEST_ALGORITHM),
    ):
        steps = "/".join(tag(step) for step in ("ds:SignedInfo", *path.split("/")))
        received = signature.find(steps).get("Algorithm", "")
        if received not in allowed:
            raise RefusedError(
                reason, Step.ALGORITHMS, expected=", ".join(sorted(allowed)), received=received
            )


def verify_signature(
    root: Element, signature: Element, certificates: Sequence[Certificate], now: datetime
) -> SignedSubtree:
    """Verify a Signature of known shape with the first trusted certificate that fits; raises `RefusedError`.

    It stands in `root` or in the assertion below it.
    """
    shown = [fingerprint_of(element.text or "") for element in signature.iter(tag("ds:X509Certificate"))]
    trusted = list(dict.fromkeys(certificates))
    candidates = [known for known in trusted if known.fingerprint in shown] or trusted
    parent = signature.getparent()
    location = "./" if parent is root else f"./{parent.tag}/"
    for certificate in candidates[:MAX_CERTIFICATES_TRIED]:
        element = _signed_by(root, location, certificate, now)
        if element is not None:
            return SignedSubtree(element, certificate)
    known = {certificate.fingerprint for certificate in certificates}
    raise RefusedError(
        ReasonCode.SIGNATURE_INVALID if known.issuperset(shown) else ReasonCode.CERTIFICATE_UNKNOWN,
        Step.SIGNATURE,
        expected=", ".join(sorted(known)),
        received=", ".join(shown),
    )


def _signed_by(root: Element, location: str, certificate: Certificate, now: datetime) -> Element | None:
    """The signed subtree, or `None` when this certificate did not sign it.

    Whether an expired certificate may still sign is the connection's choice, so signxml is told a time at
    which the certificate was valid.
    """
    config = SignatureConfiguration(
        location=location,
        expect_references=1,
        signature_methods=SIGNATURE_METHODS,
        digest_algorithms=DIGEST_ALGORITHMS,
        ignore_ambiguous_key_info=True,
        verification_time=min(max(now, certificate.not_before), certificate.not_after),
    )
    try:
        with library_errors():
            result = XMLVerifier().verify(
                root, x509_cert=certificate.parsed, id_attribute="ID", expect_config=config
            )
    except LibraryError:
        return None
    # One expected reference gives one result.
    return None if isinstance(result, list) else result.signed_xml


def _check_reference(reference: Element, parent_id: str | None) -> None:
    transforms, digest_method, digest_value = _exactly(
        reference, "ds:Transforms", "ds:DigestMethod", "ds:DigestValue"
    )
    if reference.get("URI") != f"#{parent_id}":
        raise RefusedError(
            ReasonCode.SIGNATURE_REFERENCE,
            Step.SHAPE,
            expected=f"#{parent_id}",
            received=reference.get("URI", ""),
        )
    received = [transform.get("Algorithm", "") for transform in children(transforms, "ds:Transform")]
    if received != [ENVELOPED, EXC_C14N] or len(transforms) != len(received):
        raise RefusedError(
            ReasonCode.SIGNATURE_TRANSFORMS,
            Step.SHAPE,
            expected=f"{ENVELOPED} {EXC_C14N}",
            received=" ".join(received),
        )
    _exactly(transforms[0])
    _check_prefixes(transforms[1])
    _exactly(digest_method)
    _check_base64(digest_value)


def _check_prefixes(element: Element) -> None:
    """Exclusive canonicalization may name prefixes that it shall treat as inclusive; each costs."""
    parts = _exactly(element, "ec:InclusiveNamespaces") if len(element) else []
    for part in parts:
        _exactly(part)
        if len(part.get("PrefixList", "").split()) > MAX_PREFIXES:
            raise _misshapen("InclusiveNamespaces")


def _exactly(element: Element, *names: str) -> list[Element]:
    parts = list(element)
    if [part.tag for part in parts] != [tag(name) for name in names]:
        raise _misshapen(etree.QName(element).localname)
    return parts


def _check_base64(element: Element) -> None:
    if not _is_base64("".join(text_of(element).split())):
        raise _misshapen(etree.QName(element).localname)


def _is_base64(value: str) -> bool:
    if not _BASE64.fullmatch(value):
        return False
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        return False
    return True


def _misshapen(name: str) -> RefusedError:
    return RefusedError(ReasonCode.SIGNATURE_SHAPE, Step.SHAPE, received=name)
