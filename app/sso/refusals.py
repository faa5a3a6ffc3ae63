"""Why a sign-in is refused although its message is genuine: a closed list, with a hint for each.

What the message itself says is judged in `saml` and `oidc`; here stand the reasons that only the open
logins, the used assertions, the domains and the people of an organization can give.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import TracedRefusalError, UsherError
from app.sso.oidc.reasons import OidcRefusedError
from app.sso.saml.reasons import RefusedError

# The one sentence that a refused person reads; the reference number says the rest to who may know it.
SENTENCE = "The sign-in was refused. Try again, or give the reference number below to your administrator."


class Step(StrEnum):
    """How far a sign-in came once its message was believed."""

    CONNECTION = "connection"
    REPLAY = "replay"
    REQUEST = "request"
    DOMAIN = "domain"
    IDENTITY = "identity"
    BROWSER = "browser"
    SESSION = "session"


class Reason(StrEnum):
    CONNECTION_OFF = "connection_off"
    ENFORCED_ELSEWHERE = "enforced_elsewhere"
    NOT_A_TESTER = "not_a_tester"
    ASSERTION_REPLAYED = "assertion_replayed"
    LOGOUT_REPLAYED = "logout_replayed"
    UNSOLICITED = "unsolicited"
    UNSOLICITED_TOO_OLD = "unsolicited_too_old"
    BOUNCE_LOOP = "bounce_loop"
    IN_RESPONSE_TO_MISSING = "in_response_to_missing"
    REQUEST_UNKNOWN = "request_unknown"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_CONSUMED = "request_consumed"
    OTHER_BROWSER = "other_browser"
    CODE_SPENT = "code_spent"
    SUBJECT_TOO_LONG = "subject_too_long"
    EMAIL_MISSING = "email_missing"
    EMAIL_MALFORMED = "email_malformed"
    EMAIL_UNVERIFIED = "email_unverified"
    DOMAIN_NOT_VERIFIED = "domain_not_verified"
    DOMAIN_CAPTURED_ELSEWHERE = "domain_captured_elsewhere"
    DOMAIN_LAPSED = "domain_lapsed"
    USER_UNKNOWN = "user_unknown"
    USER_DELETED = "user_deleted"
    USER_INACTIVE = "user_inactive"
    IDENTITY_AMBIGUOUS = "identity_ambiguous"
    IDENTITY_CONFLICT = "identity_conflict"


_HINTS: Mapping[Reason, str] = {
    Reason.CONNECTION_OFF: "The connection is off. Set its mode to test, optional or enforced.",
    Reason.ENFORCED_ELSEWHERE: "Sign-on is enforced by another connection, so this one lets only testers in. "
    "Set its mode to enforced as well, or to test while it is being set up.",
    Reason.NOT_A_TESTER: "The connection is in test mode. Add this address to its testers, or set its mode "
    "to optional.",
    Reason.ASSERTION_REPLAYED: "The same answer was posted twice: somebody reloaded the page of the "
    "identity provider, or it was stolen. Start the sign-in again.",
    Reason.LOGOUT_REPLAYED: "The same logout request came twice; it was obeyed the first time.",
    Reason.UNSOLICITED: "The identity provider answered unasked (its dashboard tile). Start from the "
    "connection's login_url, or set idp_initiated to bounce.",
    Reason.UNSOLICITED_TOO_OLD: "The unasked answer is older than five minutes; start again from the tile.",
    Reason.BOUNCE_LOOP: "The identity provider answers unasked even when it is asked. Check that it "
    "supports sign-ins begun by the service and returns InResponseTo.",
    Reason.IN_RESPONSE_TO_MISSING: "The answer came back without InResponseTo in its signed confirmation. "
    "Something between removes it, or the identity provider does not support asked sign-ins.",
    Reason.REQUEST_UNKNOWN: "The answer is for a login that was not begun here or at another connection.",
    Reason.REQUEST_EXPIRED: "The sign-in took more than ten minutes at the identity provider; start again.",
    Reason.REQUEST_CONSUMED: "This login has had its answer; start again.",
    Reason.OTHER_BROWSER: "The answer arrived in another browser than the one that began the login. "
    "Use one browser, and allow cookies for this site.",
    Reason.CODE_SPENT: "The last step of the sign-in was done already or took more than two minutes.",
    Reason.SUBJECT_TOO_LONG: "The NameID or stable id is longer than any name; map a shorter attribute.",
    Reason.EMAIL_MISSING: "No e-mail address came. Send one as an attribute, or name the attribute in the "
    "connection's attributes.email.",
    Reason.EMAIL_MALFORMED: "The value is no e-mail address. Map the attribute that holds the address, "
    "often user.mail instead of the user principal name.",
    Reason.EMAIL_UNVERIFIED: "The identity provider does not say that the address is verified. Let its ID "
    "token carry email_verified as true; Entra: add the optional claim xms_edov.",
    Reason.DOMAIN_NOT_VERIFIED: "Nobody has proved to own this domain. Add and verify it, or send another "
    "attribute as the address (an alias or UPN often has another domain).",
    Reason.DOMAIN_CAPTURED_ELSEWHERE: "Another organization has verified this domain. If it is yours, "
    "claim it to start a dispute; if it is your company's, the operator can make that organization your "
    "parent.",
    Reason.DOMAIN_LAPSED: "The proof of this domain is gone, so nobody new comes in. Publish the TXT "
    "record again and have it checked.",
    Reason.USER_UNKNOWN: "No such person is provisioned and the connection does not create people. Assign "
    "the person in the identity provider, or switch jit on.",
    Reason.USER_DELETED: "The identity provider has deleted this person here. Provision them again; a "
    "sign-in brings nobody back.",
    Reason.USER_INACTIVE: "The person is inactive. Reactivate them in the identity provider, or lift the "
    "administrator's block.",
    Reason.IDENTITY_AMBIGUOUS: "The name and address belong to different people here. Send a stable id "
    "that equals the externalId of one of them.",
    Reason.IDENTITY_CONFLICT: "This person signs in here under another stable id. Check which attribute "
    "the connection takes for stable_id.",
}


class SignInRefusedError(TracedRefusalError):
    """A genuine message does not sign its subject in; `expected` and `received` are for the trace only."""

    status = 403

    def __init__(self, reason: Reason, step: Step, *, expected: str = "", received: str = "") -> None:
        hint = _HINTS[reason]
        super().__init__(SENTENCE, reason, step, expected=expected, received=received, hint=hint)


class SignInPageError(UsherError):
    """What the browser gets of any refusal: the constant sentence, whatever the reason."""

    status = 403
    code = "sign_in_refused"

    def __init__(self, status: int, reason: str | None) -> None:
        super().__init__(SENTENCE)
        self.status = status
        self.headers = {} if reason is None else {"X-Usher-Reason": reason}
        # An undisclosed reason is not to be read from a link either.
        self.help_topic = reason or "reference"


Refusal = RefusedError | OidcRefusedError | SignInRefusedError


@dataclass(frozen=True, slots=True)
class Bounced:
    """An unasked answer is not believed; the login begins anew, going to this place afterwards."""

    return_to: str
