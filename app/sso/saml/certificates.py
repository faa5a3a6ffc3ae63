"""Certificates of identity providers and keys of the service provider; pure, reads nothing but its input."""

import binascii
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from app.core.errors import UnprocessableError

MIN_RSA_BITS = 2048
# A larger key only makes each verification slower.
MAX_RSA_BITS = 8192
MAX_CERTIFICATE_CHARACTERS = 32_768
# The curves of ECDSA in XML signatures; all have 256 bits or more.
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_COMMON_NAME_CHARACTERS = 64


class CertificateFault(StrEnum):
    NOT_A_CERTIFICATE = "not_a_certificate"
    WEAK_KEY = "weak_key"
    UNSUPPORTED_KEY = "unsupported_key"


class CertificateError(UnprocessableError):
    """A certificate cannot be trusted; `code` is the value of `fault`."""

    def __init__(self, fault: CertificateFault, detail: str) -> None:
        super().__init__(detail, code=fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that may sign for an identity provider, and the facts an administrator wants to see.

    `fingerprint` is SHA-256 over the DER form, 64 lower-case hexadecimal digits; `key_type` is `RSA` or
    `EC`; the times are aware UTC.
    """

    pem: str
    fingerprint: str
    subject: str
    key_type: str
    key_bits: int
    not_before: datetime
    not_after: datetime
    parsed: x509.Certificate = field(repr=False, compare=False)

    def expired(self, now: datetime) -> bool:
        return now > self.not_after


@dataclass(frozen=True, slots=True)
class SpKey:
    """A key pair of the service provider, for signing and for decryption; both parts as PEM."""

    private_key_pem: str = field(repr=False)
    certificate_pem: str

    def private_key(self) -> rsa.RSAPrivateKey:
        """The key for signing. Not proved anew, which takes 50 ms: it is one that `new_sp_key` made."""
        key = serialization.load_pem_private_key(
            self.private_key_pem.encode(), password=None, unsafe_skip_rsa_key_validation=True
        )
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("A key of the service provider is RSA.")
        return key


def load_certificate(text: str) -> Certificate:
    """Read one certificate, PEM or bare base64 as in metadata.

    Raises `CertificateError`: not exactly one certificate, an RSA key under `MIN_RSA_BITS`, or a key of
    another kind than RSA and the NIST curves from P-256 on. An expired one is read: that is a warning.
    """
    parsed = _parse(text)
    key_type, key_bits = _judge_key(parsed)
    return Certificate(
        pem=parsed.public_bytes(serialization.Encoding.PEM).decode(),
        fingerprint=parsed.fingerprint(hashes.SHA256()).hex(),
        subject=_subject(parsed),
        key_type=key_type,
        key_bits=key_bits,
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        parsed=parsed,
    )


def fingerprint_of(base64_der: str) -> str:
    """The fingerprint of whatever a KeyInfo shows as its certificate, unread; empty when it is no base64."""
    try:
        return hashlib.sha256(binascii.a2b_base64("".join(base64_der.split()))).hexdigest()
    except ValueError:
        return ""


def _parse(text: str) -> x509.Certificate:
    blocks = _PEM.findall(text[:MAX_CERTIFICATE_CHARACTERS])
    if len(blocks) > 1:
        raise CertificateError(
            CertificateFault.NOT_A_CERTIFICATE, "There are several certificates; give them one by one."
        )
    body = "".join((blocks[0] if blocks else text[:MAX_CERTIFICATE_CHARACTERS]).split())
    try:
        return x509.load_der_x509_certificate(binascii.a2b_base64(body, strict_mode=True))
    # Non-ASCII text, bad base64 and bad DER are all ValueErrors.
    except ValueError:
        raise CertificateError(
            CertificateFault.NOT_A_CERTIFICATE, "This is no X.509 certificate in PEM or base64 form."
        ) from None


def _judge_key(parsed: x509.Certificate) -> tuple[str, int]:
    try:
        key = parsed.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            CertificateFault.UNSUPPORTED_KEY, "The certificate's key cannot be read."
        ) from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise CertificateError(
                CertificateFault.WEAK_KEY,
                f"The certificate's RSA key has {key.key_size} bits; {MIN_RSA_BITS} are the least.",
            )
        if key.key_size <= MAX_RSA_BITS:
            return "RSA", key.key_size
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return "EC", key.key_size
    raise CertificateError(
        CertificateFault.UNSUPPORTED_KEY,
        f"The key must be RSA with {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, P-256, P-384 or P-521.",
    )


def _subject(parsed: x509.Certificate) -> str:
    try:
        return parsed.subject.rfc4514_string()
    except ValueError:
        return ""


def new_sp_key(common_name: str, now: datetime, valid_days: int = 3650) -> SpKey:
    """Make an RSA key pair with a self-signed certificate that is valid from `now` on."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=MIN_RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_COMMON_NAME_CHARACTERS])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=valid_days))
        .sign(private, hashes.SHA256())
    )
    return SpKey(
        private_key_pem=private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )
