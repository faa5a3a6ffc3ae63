"""Why a SAML message is refused: a closed list of codes, each with the step and a hint for the administrator.

Only what the message itself says is judged here; requests, replays, domains and people are the caller's.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.core.errors import TracedRefusalError


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


class RefusedError(TracedRefusalError):
    """A SAML message was refused; the only exception that leaves this package's judges."""

    reason: ReasonCode

    def __init__(self, reason: ReasonCode, step: Step, *, expected: str = "", received: str = "") -> None:
        sentence, hint = "The identity provider's message was refused.", HINTS.get(reason, _ATTACK_OR_BUG)
        super().__init__(sentence, reason, step, expected=expected, received=received, hint=hint)
        self.status = 400 if reason.malformed else 403


_ATTACK_OR_BUG = (
    "No large identity provider sends this: look for a proxy that changes messages, else suspect an attack."
)
HINTS: Mapping[ReasonCode, str] = {
    ReasonCode.PARAMETER_MISSING: "Send SAMLResponse to the ACS URL, not to another page.",
    ReasonCode.TOO_LARGE: "Send fewer groups: filter the group statement.",
    ReasonCode.TOO_COMPLEX: "Send fewer groups: filter the group statement.",
    ReasonCode.SIGNATURE_MISSING: "Let the identity provider sign the assertion or the response.",
    ReasonCode.SIGNATURE_ALGORITHM: "Set the signature algorithm to RSA-SHA256 at the identity provider.",
    ReasonCode.DIGEST_ALGORITHM: "Set the digest algorithm to SHA256 at the identity provider.",
    ReasonCode.CANONICALIZATION_ALGORITHM: "Set the canonicalization to exclusive at the identity provider.",
    ReasonCode.SIGNATURE_INVALID: "It was changed on its way, or the trusted certificate is another's.",
    ReasonCode.CERTIFICATE_UNKNOWN: "The signing certificate was probably rotated: refresh the metadata now.",
    ReasonCode.CERTIFICATE_EXPIRED: "Renew the signing certificate and refresh the metadata.",
    ReasonCode.ENCRYPTION_ALGORITHM: "Set encryption to AES-256 with the key transport RSA-OAEP.",
    ReasonCode.DECRYPTION_FAILED: "Give the identity provider our present encryption certificate.",
    ReasonCode.STATUS_NOT_SUCCESS: "The identity provider refused; often the user is not assigned.",
    ReasonCode.ISSUER_MISSING: "The identity provider must name itself in Issuer.",
    ReasonCode.ISSUER_MISMATCH: "The metadata is that of another app; import the right one.",
    ReasonCode.DESTINATION_MISSING: "Set the destination (Okta: Destination URL) to the ACS URL.",
    ReasonCode.DESTINATION_MISMATCH: "Copy the ACS URL to the identity provider anew.",
    ReasonCode.AUDIENCE_MISSING: "Set the audience (Entra: Identifier, Okta: Audience URI) to our entity id.",
    ReasonCode.AUDIENCE_MISMATCH: "Copy our entity id anew; a trailing slash counts.",
    ReasonCode.TIME_LIMIT_MISSING: "The identity provider must limit the assertion's life (NotOnOrAfter).",
    ReasonCode.NOT_YET_VALID: "The identity provider's clock is ahead of ours; check both.",
    ReasonCode.EXPIRED: "Sign in again; if it happens each time, compare the clocks of both sides.",
    ReasonCode.VALIDITY_TOO_LONG: "Let the identity provider limit assertions to 24 hours or less.",
    ReasonCode.NAME_ID_MISSING: "Map the NameID; this person may lack the mapped field.",
    ReasonCode.NAME_ID_ENCRYPTED: "Encrypt the whole assertion instead of the NameID.",
    ReasonCode.NAME_ID_TRANSIENT: "Send a persistent NameID, an address, or a user id as an attribute.",
    ReasonCode.RECIPIENT_MISSING: "Set the recipient (Okta: Recipient URL) to the ACS URL.",
    ReasonCode.RECIPIENT_MISMATCH: "Copy the ACS URL to the identity provider's recipient anew.",
    ReasonCode.SESSION_EXPIRED: "The identity provider says that its own session is over: sign in again.",
    ReasonCode.ATTRIBUTE_ENCRYPTED: "Encrypt the whole assertion instead of single attributes.",
    ReasonCode.ATTRIBUTE_MALFORMED: "Send attributes as texts.",
    ReasonCode.ATTRIBUTE_AMBIGUOUS: "Map the attribute to one value per person.",
}
