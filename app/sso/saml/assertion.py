"""What is expected of an answer, and what an answer says once it is believed; pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.clock import CLOCK_SKEW
from app.sso.saml.certificates import Certificate, SpKey

MAX_VALIDITY = timedelta(hours=24)


class SignaturePolicy(StrEnum):
    """What must be signed at least; any signature that is there must hold."""

    EITHER = "either"
    ASSERTION = "assertion"
    RESPONSE = "response"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the connection (chosen by the ACS URL alone) expects of an answer.

    `decryption_keys` are tried in order, newest first. URLs and entity ids are compared for equality.
    """

    idp_entity_id: str
    certificates: tuple[Certificate, ...]
    sp_entity_id: str
    acs_url: str
    decryption_keys: tuple[SpKey, ...] = ()
    signature_policy: SignaturePolicy = SignaturePolicy.EITHER
    refuse_expired_certificates: bool = False


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the signed subtree says. Times are aware UTC; absent texts are empty, but for `in_response_to`.

    `in_response_to` is the signed confirmation's value, `None` when nobody asked (IdP-initiated).
    `not_on_or_after` is the earlier of the two time limits. `attributes` keeps names and values as sent.
    `signed_by` is the fingerprint of the certificate, `certificate_expired` a warning to show.
    """

    assertion_id: str
    issuer: str
    name_id: str
    name_id_format: str
    name_qualifier: str
    in_response_to: str | None
    issued_at: datetime
    not_on_or_after: datetime
    authn_instant: datetime
    session_index: str
    session_not_on_or_after: datetime | None
    attributes: Mapping[str, tuple[str, ...]]
    signed_by: str
    certificate_expired: bool
    encrypted: bool

    @property
    def replay_until(self) -> datetime:
        """From then on the time limits refuse it anyway."""
        return self.not_on_or_after + CLOCK_SKEW
