"""What a sign-in is about: the answer that is believed, the browser that brought it, what comes of it."""

from dataclasses import dataclass

from app.sso.addresses import EmailAddress
from app.sso.asserted_people import Told
from app.sso.identities import Claim
from app.sso.saml.assertion import Assertion
from app.sso.saml.attributes import Profile
from app.sso.trusted_connections import TrustedConnection


@dataclass(frozen=True, slots=True)
class Client:
    """The browser that brought the answer; `secret` is what binds it, if it was sent along."""

    secret: str | None
    fresh_secret: str
    user_agent: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that both verifiers believe, with what its claims mean."""

    connection: TrustedConnection
    assertion: Assertion
    profile: Profile
    relay_state: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A session waits for its browser, which fetches it with `code`; `groups` says what became of them."""

    code: str
    session_id: str
    user_id: str
    groups: str


def claim_of(answer: Answer, email: EmailAddress) -> Claim:
    assertion, subject = answer.assertion, answer.profile.stable_id
    return Claim(
        connection_id=answer.connection.id,
        subject=subject,
        subject_source="name_id" if subject == assertion.name_id else "attribute",
        name_id=assertion.name_id,
        name_id_format=assertion.name_id_format,
        email=email,
    )


def told_of(answer: Answer, email: EmailAddress) -> Told:
    profile, name_id = answer.profile, answer.assertion.name_id
    return Told(
        # As the IdP's provisioning would call them.
        user_name=name_id if "@" in name_id else email.raw,
        email=email.raw,
        first_name=profile.first_name,
        last_name=profile.last_name,
        display_name=profile.display_name,
        groups=profile.groups,
    )


def why_not(told: Told) -> str:
    return "groups unknown" if told.groups is None else "groups come from provisioning"
