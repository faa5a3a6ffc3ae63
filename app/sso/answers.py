"""What a sign-in is about: the answer that is believed, the browser that brought it, what comes of it.

Here an assertion of SAML and a token of OpenID Connect become the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.sso.addresses import EmailAddress
from app.sso.asserted import Asserted
from app.sso.asserted_people import Told
from app.sso.identities import Claim
from app.sso.oidc.id_token import authenticated_at
from app.sso.oidc.profile import Profile as TokenProfile
from app.sso.oidc.profile import Subject, session_index
from app.sso.oidc.tokens import Token
from app.sso.saml.assertion import Assertion
from app.sso.saml.attributes import Profile
from app.sso.saml.authn_request import login_id_of
from app.sso.trusted_connections import TrustedConnection

# An ID token answers the nonce of one login, which is over long before.
TOKEN_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Client:
    """The browser that brought the answer; `secret` is what binds it, if it was sent along."""

    secret: str | None
    fresh_secret: str
    user_agent: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is believed of an answer, and the state that came along with it."""

    connection: TrustedConnection
    asserted: Asserted
    relay_state: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A session waits for its browser, which fetches it with `code`; `groups` says what became of them."""

    code: str
    session_id: str
    user_id: str
    groups: str


def asserted_by_saml(assertion: Assertion, profile: Profile) -> Asserted:
    asked = assertion.in_response_to
    return Asserted(
        login_id=None if asked is None else login_id_of(asked),
        replay_key=assertion.assertion_id,
        replay_until=assertion.replay_until,
        issued_at=assertion.issued_at,
        subject=profile.stable_id,
        subject_source="name_id" if profile.stable_id == assertion.name_id else "attribute",
        name_id=assertion.name_id,
        name_id_format=assertion.name_id_format,
        name=assertion.name_id,
        external_id=profile.stable_id,
        email=profile.email,
        # The assertion is signed, and the domain is the organization's own.
        is_email_verified=True,
        first_name=profile.first_name,
        last_name=profile.last_name,
        display_name=profile.display_name,
        groups=profile.groups,
        authenticated_at=assertion.authn_instant,
        session_index=assertion.session_index,
        session_ends_at=assertion.session_not_on_or_after,
        sent=sorted(assertion.attributes),
    )


def asserted_by_oidc(
    token: Token,
    subject: Subject,
    profile: TokenProfile,
    *,
    login_id: str,
    id_token: str | None,
    now: datetime,
) -> Asserted:
    """`login_id` is the login whose nonce is in the token."""
    return Asserted(
        login_id=login_id,
        replay_key=f"nonce {token.claims['nonce']}",
        replay_until=now + TOKEN_REMEMBERED,
        issued_at=token.issued_at,
        subject=subject.key,
        subject_source="attribute",
        name_id=subject.sub,
        name_id_format="",
        # A subject is no name: nobody is found by it as by a userName.
        name=profile.email,
        external_id=subject.external_id,
        email=profile.email,
        is_email_verified=profile.is_email_verified,
        first_name=profile.first_name,
        last_name=profile.last_name,
        display_name=profile.display_name,
        groups=profile.groups,
        authenticated_at=authenticated_at(token, now),
        session_index=session_index(token.claims),
        session_ends_at=None,
        sent=sorted(token.claims),
        id_token=id_token,
    )


def claim_of(answer: Answer, email: EmailAddress) -> Claim:
    asserted = answer.asserted
    return Claim(
        connection_id=answer.connection.id,
        subject=asserted.subject,
        subject_source=asserted.subject_source,
        external_id=asserted.external_id,
        name=asserted.name,
        name_id=asserted.name_id,
        name_id_format=asserted.name_id_format,
        email=email,
    )


def told_of(answer: Answer, email: EmailAddress) -> Told:
    asserted = answer.asserted
    return Told(
        # As the IdP's provisioning would call them.
        user_name=asserted.name if "@" in asserted.name else email.raw,
        email=email.raw,
        first_name=asserted.first_name,
        last_name=asserted.last_name,
        display_name=asserted.display_name,
        groups=asserted.groups,
    )


def why_not(told: Told) -> str:
    return "groups unknown" if told.groups is None else "groups come from provisioning"
