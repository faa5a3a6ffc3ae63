"""The signature of the HTTP-Redirect binding, over the query as it travels (bindings 3.4.4.1); pure."""

from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from app.sso.saml.certificates import Certificate, SpKey
from app.sso.saml.reasons import ReasonCode, RefusedError, Step
from app.sso.saml.signatures import MAX_CERTIFICATES_TRIED

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256 = f"{_MORE}rsa-sha256"
_RSA: Mapping[str, hashes.HashAlgorithm] = {
    RSA_SHA256: hashes.SHA256(),
    f"{_MORE}rsa-sha384": hashes.SHA384(),
    f"{_MORE}rsa-sha512": hashes.SHA512(),
}
_ECDSA: Mapping[str, hashes.HashAlgorithm] = {
    f"{_MORE}ecdsa-sha256": hashes.SHA256(),
    f"{_MORE}ecdsa-sha384": hashes.SHA384(),
    f"{_MORE}ecdsa-sha512": hashes.SHA512(),
}


def sign_query(query: bytes, key: SpKey) -> bytes:
    """RSA-SHA256 over `query`, which ends with `SigAlg`."""
    return key.private_key().sign(query, padding.PKCS1v15(), hashes.SHA256())


def verify_query(
    query: bytes, signature: bytes, algorithm: str, certificates: Sequence[Certificate]
) -> Certificate:
    """The trusted certificate that signed `query`; raises `RefusedError`."""
    if algorithm not in _RSA and algorithm not in _ECDSA:
        raise RefusedError(
            ReasonCode.SIGNATURE_ALGORITHM,
            Step.ALGORITHMS,
            expected=", ".join([*_RSA, *_ECDSA]),
            received=algorithm,
        )
    for certificate in certificates[:MAX_CERTIFICATES_TRIED]:
        if _holds(query, signature, algorithm, certificate.parsed):
            return certificate
    raise RefusedError(
        ReasonCode.SIGNATURE_INVALID,
        Step.SIGNATURE,
        expected=", ".join(certificate.fingerprint for certificate in certificates),
    )


def _holds(query: bytes, signature: bytes, algorithm: str, certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA:
            key.verify(signature, query, padding.PKCS1v15(), _RSA[algorithm])
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            # XML signatures join r and s; the library wants them in DER.
            half = (key.key_size + 7) // 8
            if len(signature) != 2 * half:
                return False
            pair = (int.from_bytes(part) for part in (signature[:half], signature[half:]))
            key.verify(utils.encode_dss_signature(*pair), query, ec.ECDSA(_ECDSA[algorithm]))
            return True
    except InvalidSignature:
        return False
    return False
