"""Why an answer of an OpenID provider is refused: a closed list of codes, each with a hint.

Only what the answer itself says is judged here; open logins, replays, domains and people are the caller's.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.core.errors import TracedRefusalError


class Step(StrEnum):
    """How far an answer came, in the order in which it is judged."""

    CALLBACK = "callback"
    TOKEN_REQUEST = "token_request"  # noqa: S105 - a step's name
    TOKEN = "token"  # noqa: S105 - a step's name
    SIGNATURE = "signature"
    CLAIMS = "claims"
    USERINFO = "userinfo"


class ReasonCode(StrEnum):
    # Malformed: nothing that a provider sends (400).
    CALLBACK_MALFORMED = "callback_malformed"
    # Refused (403).
    PROVIDER_REFUSED = "provider_refused"
    RESPONSE_ISSUER_MISSING = "response_issuer_missing"
    RESPONSE_ISSUER_MISMATCH = "response_issuer_mismatch"
    TOKEN_REQUEST_FAILED = "token_request_failed"  # noqa: S105 - a reason's name, like those below
    TOKEN_REQUEST_REFUSED = "token_request_refused"  # noqa: S105
    TOKEN_ANSWER_MALFORMED = "token_answer_malformed"  # noqa: S105
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105
    TOKEN_TYPE = "token_type"  # noqa: S105
    TOKEN_ALGORITHM = "token_algorithm"  # noqa: S105
    TOKEN_KEY_UNKNOWN = "token_key_unknown"  # noqa: S105
    TOKEN_SIGNATURE_INVALID = "token_signature_invalid"  # noqa: S105
    TOKEN_ISSUER_MISMATCH = "token_issuer_mismatch"  # noqa: S105
    TOKEN_AUDIENCE_MISMATCH = "token_audience_mismatch"  # noqa: S105
    TOKEN_TIME_MALFORMED = "token_time_malformed"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105
    TOKEN_LIVES_TOO_LONG = "token_lives_too_long"  # noqa: S105
    TOKEN_NONCE_MISMATCH = "token_nonce_mismatch"  # noqa: S105
    TOKEN_HASH_MISMATCH = "token_hash_mismatch"  # noqa: S105
    TOKEN_SUBJECT_MALFORMED = "token_subject_malformed"  # noqa: S105
    TOKEN_TENANT_MISMATCH = "token_tenant_mismatch"  # noqa: S105
    CLAIM_MALFORMED = "claim_malformed"
    USERINFO_FAILED = "userinfo_failed"
    USERINFO_SUBJECT_MISMATCH = "userinfo_subject_mismatch"
    LOGOUT_TOKEN_EVENT = "logout_token_event"  # noqa: S105
    LOGOUT_TOKEN_NONCE = "logout_token_nonce"  # noqa: S105
    LOGOUT_TOKEN_ID = "logout_token_id"  # noqa: S105
    LOGOUT_TOKEN_SUBJECT = "logout_token_subject"  # noqa: S105


class OidcRefusedError(TracedRefusalError):
    """An answer was refused; the only exception that leaves this package's judges."""

    reason: ReasonCode

    def __init__(self, reason: ReasonCode, step: Step, *, expected: str = "", received: str = "") -> None:
        sentence, hint = "The identity provider's answer was refused.", HINTS.get(reason, _ATTACK_OR_BUG)
        super().__init__(sentence, reason, step, expected=expected, received=received, hint=hint)
        self.status = 400 if reason is ReasonCode.CALLBACK_MALFORMED else 403


_ATTACK_OR_BUG = (
    "No large identity provider sends this: look at its version and for a proxy, else suspect an attack."
)
HINTS: Mapping[ReasonCode, str] = {
    ReasonCode.CALLBACK_MALFORMED: "Open the connection's login_url; nobody opens callback_url by hand.",
    ReasonCode.PROVIDER_REFUSED: (
        "The identity provider refused; often the person is not assigned to the app, or "
        "callback_url is not among its redirect URIs."
    ),
    ReasonCode.RESPONSE_ISSUER_MISSING: (
        "The identity provider promised to name itself in its answer (RFC 9207) and did not: look "
        "for a proxy that removes iss, else suspect an attack."
    ),
    ReasonCode.RESPONSE_ISSUER_MISMATCH: "Another identity provider answered: suspect a mix-up attack.",
    ReasonCode.TOKEN_REQUEST_FAILED: (
        "The token endpoint cannot be reached or is out of order; see received, then try again."
    ),
    ReasonCode.TOKEN_REQUEST_REFUSED: (
        "Check the client secret (it may have expired) and that callback_url is registered as it is"
        " shown here; then sign in again."
    ),
    ReasonCode.TOKEN_ANSWER_MALFORMED: (
        "The token endpoint must answer JSON with an id_token; check that the app is of the type "
        "web application."
    ),
    ReasonCode.TOKEN_ALGORITHM: "Set the ID token's signature to RS256 or ES256 at the identity provider.",
    ReasonCode.TOKEN_KEY_UNKNOWN: (
        "The key is not among those that the identity provider publishes now; try again in a minute."
    ),
    ReasonCode.TOKEN_ISSUER_MISMATCH: (
        "The discovery URL is that of another tenant or version; make a connection with the right one."
    ),
    ReasonCode.TOKEN_AUDIENCE_MISMATCH: (
        "The token is for another app: compare client_id with the identity provider's."
    ),
    ReasonCode.TOKEN_EXPIRED: "Sign in again; if it happens each time, compare the clocks of both sides.",
    ReasonCode.TOKEN_NOT_YET_VALID: "The identity provider's clock is ahead of ours; check both.",
    ReasonCode.TOKEN_TENANT_MISMATCH: (
        "Entra: use the discovery URL of your own tenant (v2.0), and let the token carry oid and tid."
    ),
    ReasonCode.CLAIM_MALFORMED: "Send texts, and groups as a list of texts.",
    ReasonCode.USERINFO_FAILED: (
        "The ID token has no e-mail and UserInfo did not answer; put the claim email into the ID token."
    ),
}
