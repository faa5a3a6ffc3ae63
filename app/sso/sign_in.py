"""From a believed answer to a session: one walk for every protocol, in which each step can refuse.

What the answer says was judged before, outside any transaction that writes. Here it is bound to its
request and its browser, spent, and turned into a person, a seat and a session, all in one transaction.
"""

from datetime import timedelta

from sqlalchemy import bindparam, select

from app.core.clock import CLOCK_SKEW
from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.errors import ConflictError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.users import UserService
from app.sso.addresses import EmailAddress, InvalidEmailError, parse_email
from app.sso.answers import Accepted, Answer, Client, claim_of, told_of, why_not
from app.sso.asserted import Asserted
from app.sso.asserted_people import AssertedPeople, Told
from app.sso.enforcement_day import is_enforced_elsewhere
from app.sso.events import UserSignedIn
from app.sso.identities import Found, IdentityService
from app.sso.login_requests import LoginRequests, code_of
from app.sso.models import connections
from app.sso.ownership import DomainOwnership, Holder, Ownership
from app.sso.refusals import Bounced, Reason, SignInRefusedError, Step
from app.sso.replays import spend
from app.sso.return_paths import safe_path
from app.sso.sessions import NewSession, SessionService
from app.sso.trusted_connections import TrustedConnection

# An unasked answer is good for so long, however long its own limits are.
UNASKED_LIFETIME = timedelta(minutes=5)
# What an index can hold, and far more than a name has.
MAX_SUBJECT_LENGTH = 500

# Shared, so that whoever switches the connection off waits and then ends this session as well.
_MODE = (
    select(
        connections.c.mode,
        is_enforced_elsewhere(bindparam("moment", type_=UtcDateTime())).label("is_outside"),
    )
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("id"))
    .with_for_update(read=True)
)


class DomainRefusedError(SignInRefusedError):
    """The organization may not vouch for an address; `owner` is the other one that owns its domain."""

    def __init__(self, ownership: Ownership, address: EmailAddress, owner: Holder | None) -> None:
        super().__init__(
            Reason(ownership.value),
            Step.DOMAIN,
            expected="a domain verified by this organization",
            received=address.domain,
        )
        self.owner = owner


class SignInService:
    def __init__(
        self,
        uow: UnitOfWork,
        *,
        requests: LoginRequests,
        ownership: DomainOwnership,
        identities: IdentityService,
        users: UserService,
        people: AssertedPeople,
        sessions: SessionService,
        base_url: str,
    ) -> None:
        self._uow = uow
        self._requests = requests
        self._ownership = ownership
        self._identities = identities
        self._users = users
        self._people = people
        self._sessions = sessions
        self._base_url = base_url

    def accept(self, answer: Answer, client: Client) -> Accepted | Bounced:
        """Sign the subject in, or begin anew; raises `SignInRefusedError`."""
        connection, asserted = answer.connection, answer.asserted
        self._require_connection(connection)
        request = self._request(answer, client)
        if request is None and connection.idp_initiated == "bounce":
            return Bounced(safe_path(answer.relay_state, self._base_url))
        self._spend(connection, asserted)
        _require_short(answer)
        email = self._email(answer)
        self._require_tester(connection, email)
        is_open_to_new = self._require_domains(answer, email)
        told = told_of(answer, email)
        user, identity_id, counted = self._person(answer, email, told, is_open_to_new=is_open_to_new)
        session_id, code = self._sessions.await_browser(
            NewSession(
                kind="sso",
                user_id=user.id,
                principal_id=user.principal_id,
                connection_id=connection.id,
                identity_id=identity_id,
                name_id=asserted.name_id,
                session_index=asserted.session_index or None,
                authenticated_at=asserted.authenticated_at,
                ends_at=asserted.session_ends_at,
                id_token=asserted.id_token,
                user_agent=client.user_agent,
                address=client.address,
            )
        )
        login_id = self._answered(answer, request, client, session_id)
        data = {
            "connection_id": connection.id,
            "session_id": session_id,
            "configuration_hash": connection.configuration_hash,
        }
        self._uow.add(UserSignedIn(user.id, data))
        groups = f"{len(told.groups or ())} groups" if counted else why_not(told)
        return Accepted(code_of(login_id, code), session_id, user.id, groups)

    def spend_refused(self, answer: Answer) -> None:
        """After a refusal: what was believed once must not be believed later, in better circumstances."""
        self._put_spent(answer.connection, answer.asserted)
        login_id = answer.asserted.login_id
        request = self._requests.get(answer.connection.id, login_id) if login_id is not None else None
        if request is not None:
            self._requests.consume(request.id, None)

    def _require_connection(self, connection: TrustedConnection) -> None:
        row = self._uow.execute(_MODE, {"id": connection.id, "moment": self._uow.now}).first()
        mode = "deleted" if row is None else row.mode
        if row is None or mode == "off":
            raise SignInRefusedError(Reason.CONNECTION_OFF, Step.CONNECTION, received=mode)
        if row.is_outside and mode != "test":
            raise SignInRefusedError(Reason.ENFORCED_ELSEWHERE, Step.CONNECTION, received=mode)

    def _request(self, answer: Answer, client: Client) -> Row | None:
        """The open login that was answered; null for an unasked answer that may come."""
        asked, connection = answer.asserted.login_id, answer.connection
        if asked is None:
            self._require_unasked(answer)
            return None
        # No cookie comes along with a cross-site POST; the second step demands it.
        return self._requests.require_open(self._requests.get(connection.id, asked), client.secret, asked)

    def _require_unasked(self, answer: Answer) -> None:
        connection, asserted = answer.connection, answer.asserted
        if self._requests.handled(connection.id, answer.relay_state) is not None:
            raise SignInRefusedError(Reason.IN_RESPONSE_TO_MISSING, Step.REQUEST, expected="InResponseTo")
        if connection.idp_initiated == "refuse":
            raise SignInRefusedError(Reason.UNSOLICITED, Step.REQUEST, expected="InResponseTo")
        age = self._uow.now - asserted.issued_at
        if connection.idp_initiated == "accept" and age > UNASKED_LIFETIME + CLOCK_SKEW:
            raise SignInRefusedError(
                Reason.UNSOLICITED_TOO_OLD,
                Step.REQUEST,
                expected=f"at most {int(UNASKED_LIFETIME.total_seconds())} s old",
                received=f"{int(age.total_seconds())} s old",
            )

    def _spend(self, connection: TrustedConnection, asserted: Asserted) -> None:
        if not self._put_spent(connection, asserted):
            raise SignInRefusedError(Reason.ASSERTION_REPLAYED, Step.REPLAY, received=asserted.replay_key)

    def _put_spent(self, connection: TrustedConnection, asserted: Asserted) -> bool:
        return spend(self._uow, connection.id, asserted.replay_key, asserted.replay_until)

    def _email(self, answer: Answer) -> EmailAddress:
        text = answer.asserted.email
        if not text:
            named = ", ".join(answer.asserted.sent) or "none"
            raise SignInRefusedError(
                Reason.EMAIL_MISSING,
                Step.DOMAIN,
                expected=answer.connection.attributes.get("email", "an e-mail attribute"),
                received=f"attributes: {named}",
            )
        if not answer.asserted.is_email_verified:
            raise SignInRefusedError(
                Reason.EMAIL_UNVERIFIED, Step.DOMAIN, expected="email_verified true", received=text
            )
        return _parsed(text)

    def _require_tester(self, connection: TrustedConnection, email: EmailAddress) -> None:
        if connection.mode == "test" and email.key not in connection.testers:
            raise SignInRefusedError(
                Reason.NOT_A_TESTER, Step.DOMAIN, expected="a tester", received=email.raw
            )

    def _require_domains(self, answer: Answer, email: EmailAddress) -> bool:
        """Every address in the assertion is this organization's; answers whether newcomers may come in."""
        addresses = [email]
        name = answer.asserted.name
        if "@" in name and name != email.raw:
            addresses.append(_parsed(name))
        is_open = True
        for address in addresses:
            judgement = self._ownership.judge(address)
            if judgement.ownership is Ownership.LAPSED:
                is_open = False
            elif judgement.ownership is not Ownership.OK:
                raise DomainRefusedError(judgement.ownership, address, judgement.owner)
        return is_open

    def _person(
        self, answer: Answer, email: EmailAddress, told: Told, *, is_open_to_new: bool
    ) -> tuple[Row, str, bool]:
        """The person, locked, their identity, and whether the assertion's groups count."""
        claim = claim_of(answer, email)
        found = self._identities.find(claim)
        is_new = found is None
        if found is None:
            if not answer.connection.jit:
                raise SignInRefusedError(Reason.USER_UNKNOWN, Step.IDENTITY, received=claim.name)
            if not is_open_to_new:
                raise SignInRefusedError(Reason.DOMAIN_LAPSED, Step.DOMAIN, received=email.domain)
            found = Found(self._newcomer(told), None)
        counted = self._people.join_groups(found.user_id, told)
        user = self._users.lock(found.user_id)
        if not user.principal_active:
            raise SignInRefusedError(Reason.USER_INACTIVE, Step.IDENTITY, received=user.user_name)
        if not is_new:
            self._people.follow(user, told)
        return user, self._identities.keep(claim, found, jit=is_new), counted

    def _newcomer(self, told: Told) -> str:
        try:
            return self._people.create(told)
        except ConflictError as error:
            # Somebody is called the same but for how it is written, and they are not the same.
            raise SignInRefusedError(
                Reason.IDENTITY_AMBIGUOUS, Step.IDENTITY, expected="a new name", received=told.user_name
            ) from error

    def _answered(self, answer: Answer, request: Row | None, client: Client, session_id: str) -> str:
        if request is None:
            return self._requests.begin_unasked(
                answer.connection.id,
                browser=client.secret or client.fresh_secret,
                return_to=safe_path(answer.relay_state, self._base_url),
                session_id=session_id,
            )
        if not self._requests.consume(request.id, session_id):
            raise SignInRefusedError(Reason.REQUEST_CONSUMED, Step.REQUEST, received=request.request_id)
        return str(request.id)


def _parsed(address: str) -> EmailAddress:
    try:
        return parse_email(address)
    except InvalidEmailError as error:
        raise SignInRefusedError(
            Reason.EMAIL_MALFORMED, Step.DOMAIN, expected="an e-mail address", received=address
        ) from error


def _require_short(answer: Answer) -> None:
    for text in (answer.asserted.name_id, answer.asserted.subject):
        if len(text) > MAX_SUBJECT_LENGTH:
            raise SignInRefusedError(
                Reason.SUBJECT_TOO_LONG,
                Step.IDENTITY,
                expected=f"at most {MAX_SUBJECT_LENGTH} characters",
                received=f"{len(text)} characters",
            )
