"""The request that a browser brings: judged in the order in which its answers become possible, then a code.

First who asks and where the answer may go, which without both goes nowhere; then what is asked for, whose
refusals go back to the application; then whether this person, at this browser, may.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import insert

from app.core.clock import CLOCK_SKEW
from app.core.tokens import Randomness, hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.oauth.clients import Client, Clients
from app.oauth.models import authorization_codes
from app.oauth.parameters import required, words
from app.oauth.refusals import DeniedError, OAuthError
from app.oauth.visits import Visitor

CODE = "authcode"
CODE_LIFETIME = timedelta(seconds=60)
AUTHORIZE = "/oauth/authorize"
# As far as single sign-on remembers a way back.
MAX_WAY_BACK = 2_048
MAX_STATE_LENGTH = 1_024
MAX_NONCE_LENGTH = 512
# The time at which we sent the person to sign in anew; with it, nobody is sent a second time.
SENT_AT = "usher_sent_at"
# Where a person without a seat reads why: what their seat is, and where they stand in line.
SEAT_PAGE = "/sso/me"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_AGE = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
# OpenID Connect sections 3.1.2.6 and 6; what could say everything anew is not read at all.
_NOT_SUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
_NO_SEAT = {
    "waitlisted": "This person waits for a free seat.",
    "suspended": "The seat of this person is suspended.",
}

_INSERT = insert(authorization_codes)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks and where the answer goes; both are proved to belong together."""

    client: Client
    redirect_uri: str
    state: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, in a form that can be granted."""

    scopes: frozenset[str]
    nonce: str | None
    code_challenge: str
    prompts: frozenset[str]
    max_age: timedelta | None
    sent_at: datetime | None
    login_hint: str | None

    @property
    def asks_anew(self) -> bool:
        """Whether a sign-in is demanded even of who has signed in."""
        return not self.prompts.isdisjoint(("login", "select_account"))


class Authorization:
    def __init__(self, uow: UnitOfWork, clients: Clients, randomness: Randomness) -> None:
        self._uow = uow
        self._clients = clients
        self._randomness = randomness

    @property
    def now(self) -> datetime:
        return self._uow.now

    def enter(self, parameters: Mapping[str, str]) -> Asking:
        """Who asks; raises `OAuthError`, of which only the person at the browser may be told."""
        client = self._clients.enter(required(parameters, "client_id"))
        if client is None:
            raise OAuthError("There is no such application; its client_id is wrong, or it was removed.")
        redirect_uri = required(parameters, "redirect_uri")
        if redirect_uri not in client.redirect_uris:
            raise OAuthError("The redirect_uri is not registered for this application, letter by letter.")
        state = parameters.get("state")
        if state is not None and len(state) > MAX_STATE_LENGTH:
            raise OAuthError(f"The state is longer than {MAX_STATE_LENGTH} characters.")
        return Asking(client, redirect_uri, state)

    def judge(self, visitor: Visitor | None, asking: Asking, wish: Wish) -> Visitor | None:
        """The person, if they may use the application; null if they must sign in first.

        Raises `DeniedError`, also for who would have to sign in and may not be asked.
        """
        if visitor is None or not self._is_fresh(visitor, wish):
            if "none" in wish.prompts:
                raise DeniedError("login_required", "Nobody is signed in, or not recently enough.")
            if visitor is not None and wish.sent_at is not None:
                raise DeniedError("login_required", "The identity provider did not ask the person anew.")
            return None
        if visitor.org_id != asking.client.org_id:
            raise DeniedError(
                "access_denied", "This person belongs to another organization than the application."
            )
        if visitor.is_break_glass:
            raise DeniedError(
                "access_denied", "Who came in past the identity provider mends sign-on and uses nothing else."
            )
        if visitor.seat_state != "assigned":
            sentence = _NO_SEAT.get(visitor.seat_state or "", "This person has no seat.")
            raise DeniedError("access_denied", sentence, help_path=SEAT_PAGE)
        return visitor

    def _is_fresh(self, visitor: Visitor, wish: Wish) -> bool:
        """Whether the person signed in as recently as the application demands."""
        # Whom we sent away just now is back as soon as can be, by the clock of the identity provider.
        returned = None if wish.sent_at is None else wish.sent_at - CLOCK_SKEW
        if wish.asks_anew:
            return returned is not None and visitor.authenticated_at >= returned
        if wish.max_age is None:
            return True
        recent = self._uow.now - wish.max_age
        return visitor.authenticated_at >= (recent if returned is None else min(recent, returned))

    def issue_code(self, visitor: Visitor, asking: Asking, wish: Wish) -> str:
        uow = self._uow
        code = new_token(CODE, self._randomness)
        values = {
            "id": uow.ids.new(),
            "application_id": asking.client.id,
            "code_hash": hash_token(code),
            "session_id": visitor.session_id,
            "user_id": visitor.user_id,
            "redirect_uri": asking.redirect_uri,
            "code_challenge": wish.code_challenge,
            "scopes": sorted(wish.scopes),
            "nonce": wish.nonce,
            "authenticated_at": visitor.authenticated_at,
            "session_ends_at": visitor.session_ends_at,
            "created_at": uow.now,
            "expires_at": uow.now + CODE_LIFETIME,
        }
        uow.write(_INSERT, values)
        return code


def read_wish(parameters: Mapping[str, str], client: Client) -> Wish:
    """What is asked for; raises `DeniedError` for what is never granted."""
    for name, error in _NOT_SUPPORTED.items():
        if name in parameters:
            raise DeniedError(error, f"The parameter {name} is not supported; send plain parameters.")
    if parameters.get("response_type") != "code":
        error = "unsupported_response_type" if "response_type" in parameters else "invalid_request"
        raise DeniedError(error, "The only response_type here is code.")
    if parameters.get("response_mode", "query") != "query":
        raise DeniedError("invalid_request", "The only response_mode here is query.")
    scopes = words(parameters.get("scope"))
    if "openid" not in scopes or not scopes <= client.scopes:
        raise DeniedError("invalid_scope", "Ask for openid and no more than the application has registered.")
    return Wish(
        scopes=scopes,
        nonce=_nonce(parameters),
        code_challenge=_challenge(parameters),
        prompts=_prompts(parameters),
        max_age=_max_age(parameters),
        sent_at=_sent_at(parameters),
        login_hint=parameters.get("login_hint"),
    )


def _challenge(parameters: Mapping[str, str]) -> str:
    challenge = parameters.get("code_challenge", "")
    if parameters.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise DeniedError("invalid_request", "PKCE is required: a code_challenge of the method S256.")
    return challenge


def _nonce(parameters: Mapping[str, str]) -> str | None:
    nonce = parameters.get("nonce")
    if nonce is not None and len(nonce) > MAX_NONCE_LENGTH:
        raise DeniedError("invalid_request", f"The nonce is longer than {MAX_NONCE_LENGTH} characters.")
    return nonce


def _prompts(parameters: Mapping[str, str]) -> frozenset[str]:
    prompts = words(parameters.get("prompt"))
    if not prompts <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise DeniedError("invalid_request", "The prompt is none, or of login, consent and select_account.")
    return prompts


def _max_age(parameters: Mapping[str, str]) -> timedelta | None:
    text = parameters.get("max_age")
    if text is None:
        return None
    if not _MAX_AGE.fullmatch(text):
        raise DeniedError("invalid_request", "The max_age is a number of seconds.")
    return timedelta(seconds=int(text))


def _sent_at(parameters: Mapping[str, str]) -> datetime | None:
    text = parameters.get(SENT_AT, "")
    return datetime.fromtimestamp(int(text), UTC) if _SECONDS.fullmatch(text) else None


def way_back(parameters: Mapping[str, str], now: datetime) -> str:
    """Where the person comes back to from signing in: the same request, and when they were sent."""
    sent = parameters if SENT_AT in parameters else {**parameters, SENT_AT: str(int(now.timestamp()))}
    path = f"{AUTHORIZE}?{urlencode(sent)}"
    if len(path) > MAX_WAY_BACK:
        raise DeniedError("invalid_request", "The request is too long to come back to after a sign-in.")
    return path
