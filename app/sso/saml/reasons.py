"""Why a SAML message is refused: a closed list of codes, each with the step and a hint for the administrator.

Only what the message itself says is judged here; requests, replays, domains and people are the caller's.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.core.errors import UsherError

MAX_QUOTED_CHARACTERS = 300


class Step(StrEnum):
    """How far a message came, in the order in which it is judged."""

    PARAMETERS = "parameters"
    DECODING = "decoding"
    PARSING = "parsing"
    SHAPE = "shape"
    STATUS = "status"
    ISSUER = "issuer"
    ALGORITHMS = "algorithms"
    SIGNATURE = "signature"
    DECRYPTION = "decryption"
    CONDITIONS = "conditions"
    SUBJECT = "subject"
    SECOND_VERIFIER = "second_verifier"
    ATTRIBUTES = "attributes"


class ReasonCode(StrEnum):
    # Malformed: no SAML message at all (400).
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_REPEATED = "parameter_repeated"
    TOO_LARGE = "too_large"
    NOT_BASE64 = "not_base64"
    NOT_DEFLATED = "not_deflated"
    NOT_XML = "not_xml"
    WRONG_ENCODING = "wrong_encoding"
    DOCTYPE = "doctype"
    COMMENT = "comment"
    PROCESSING_INSTRUCTION = "processing_instruction"
    TOO_COMPLEX = "too_complex"
    NAMESPACE_NOT_ABSOLUTE = "namespace_not_absolute"
    WRONG_MESSAGE = "wrong_message"
    WRONG_VERSION = "wrong_version"
    ID_MALFORMED = "id_malformed"
    TIME_MALFORMED = "time_malformed"
    # Refused (403).
    ID_REPEATED = "id_repeated"
    ASSERTION_COUNT = "assertion_count"
    ASSERTION_MISPLACED = "assertion_misplaced"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MISPLACED = "signature_misplaced"
    SIGNATURE_REPEATED = "signature_repeated"
    SIGNATURE_SHAPE = "signature_shape"
    SIGNATURE_REFERENCE = "signature_reference"
    SIGNATURE_TRANSFORMS = "signature_transforms"
    SIGNATURE_ALGORITHM = "signature_algorithm"
    DIGEST_ALGORITHM = "digest_algorithm"
    CANONICALIZATION_ALGORITHM = "canonicalization_algorithm"
    SIGNATURE_INVALID = "signature_invalid"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_WEAK = "certificate_weak"
    ENCRYPTION_ALGORITHM = "encryption_algorithm"
    ENCRYPTION_SHAPE = "encryption_shape"
    DECRYPTION_FAILED = "decryption_failed"
    STATUS_NOT_SUCCESS = "status_not_success"
    ISSUER_MISSING = "issuer_missing"
    ISSUER_MISMATCH = "issuer_mismatch"
    DESTINATION_MISSING = "destination_missing"
    DESTINATION_MISMATCH = "destination_mismatch"
    CONDITIONS_MISSING = "conditions_missing"
    CONDITION_UNKNOWN = "condition_unknown"
    AUDIENCE_MISSING = "audience_missing"
    AUDIENCE_MISMATCH = "audience_mismatch"
    TIME_LIMIT_MISSING = "time_limit_missing"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    VALIDITY_TOO_LONG = "validity_too_long"
    SUBJECT_MISSING = "subject_missing"
    NAME_ID_MISSING = "name_id_missing"
    NAME_ID_ENCRYPTED = "name_id_encrypted"
    NAME_ID_TRANSIENT = "name_id_transient"
    NAME_QUALIFIER_MISMATCH = "name_qualifier_mismatch"
    CONFIRMATION_COUNT = "confirmation_count"
    RECIPIENT_MISSING = "recipient_missing"
    RECIPIENT_MISMATCH = "recipient_mismatch"
    IN_RESPONSE_TO_MISMATCH = "in_response_to_mismatch"
    AUTHN_STATEMENT_COUNT = "authn_statement_count"
    SESSION_EXPIRED = "session_expired"
    ATTRIBUTE_ENCRYPTED = "attribute_encrypted"
    ATTRIBUTE_MALFORMED = "attribute_malformed"
    ATTRIBUTE_AMBIGUOUS = "attribute_ambiguous"
    VERIFIERS_DISAGREE = "verifiers_disagree"

    @property
    def malformed(self) -> bool:
        """Whether the sender spoke no SAML (400) rather than the wrong thing (403)."""
        return self in _MALFORMED


_MALFORMED = frozenset(
    {
        ReasonCode.PARAMETER_MISSING,
        ReasonCode.PARAMETER_REPEATED,
        ReasonCode.TOO_LARGE,
        ReasonCode.NOT_BASE64,
        ReasonCode.NOT_DEFLATED,
        ReasonCode.NOT_XML,
        ReasonCode.WRONG_ENCODING,
        ReasonCode.DOCTYPE,
        ReasonCode.COMMENT,
        ReasonCode.PROCESSING_INSTRUCTION,
        ReasonCode.TOO_COMPLEX,
        ReasonCode.NAMESPACE_NOT_ABSOLUTE,
        ReasonCode.WRONG_MESSAGE,
        ReasonCode.WRONG_VERSION,
        ReasonCode.ID_MALFORMED,
        ReasonCode.TIME_MALFORMED,
    }
)


class RefusedError(UsherError):
    """A SAML message was refused; the only exception that leaves this package's judges.

    `detail` is one constant public sentence. `expected` and `received` are texts for the trace, cut to
    `MAX_QUOTED_CHARACTERS`; they hold foreign input and personal data and never go to the browser.
    """

    def __init__(self, reason: ReasonCode, step: Step, *, expected: str = "", received: str = "") -> None:
        super().__init__("The identity provider's message was refused.", code=reason.value)
        self.status = 400 if reason.malformed else 403
        self.reason = reason
        self.step = step
        self.expected = expected[:MAX_QUOTED_CHARACTERS]
        self.received = received[:MAX_QUOTED_CHARACTERS]

    @property
    def hint(self) -> str:
        """What the administrator can do about it; empty when only an attack explains it."""
        return HINTS.get(self.reason, "")


HINTS: Mapping[ReasonCode, str] = {}
