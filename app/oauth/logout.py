"""Sign-outs that go on to applications: OpenID Connect Back-Channel Logout 1.0, by way of the outbox.

Whoever ends a session or a person puts down, in the same transaction, one message for each application that
the session was carried into; the worker signs a fresh token and posts it. A message may go out twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, delete

from app.audit.outbox import Outbox
from app.core.errors import NotFoundError
from app.core.guarded_fetch import FetchRefusedError, GuardedFetch
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.oauth.applications import ApplicationService, client_id_of
from app.oauth.models import application_sessions
from app.oauth.people import subject
from app.oauth.signing_keys import SigningKeys

KIND = "application.backchannel_logout"
TOKEN_TYPE = "logout+jwt"  # noqa: S105 - the type of a token, no secret
LIFETIME = timedelta(minutes=2)
REST = timedelta(seconds=20)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_TAKEN = (200, 204)
_EVENT = "http://schemas.openid.net/event/backchannel-logout"

# Until when this process leaves an application alone that did not answer, by its id.
Resting = dict[str, datetime]

_sessions = application_sessions.c


def _taking(condition: ColumnElement[bool]) -> Any:
    return (
        delete(application_sessions)
        .where(_sessions.org_id == ORG_ID, condition)
        .returning(_sessions.application_id, _sessions.user_id, _sessions.session_id)
    )


_OF_SESSIONS = _taking(is_one_of(_sessions.session_id, "session_ids"))
_OF_PEOPLE = _taking(is_one_of(_sessions.user_id, "user_ids"))


class BackchannelLogout:
    def __init__(
        self,
        uow: UnitOfWork,
        *,
        applications: ApplicationService,
        keys: SigningKeys,
        outbox: Outbox,
        fetch: GuardedFetch,
        resting: Resting,
        issuer: str,
    ) -> None:
        self._uow = uow
        self._applications = applications
        self._keys = keys
        self._outbox = outbox
        self._fetch = fetch
        self._resting = resting
        self._issuer = issuer

    def announce_sessions(self, session_ids: Sequence[str]) -> None:
        """These sessions are over; each application is told of its own."""
        rows = self._uow.execute(_OF_SESSIONS, {"session_ids": list(session_ids)}).all()
        self._put(sorted((row.application_id, row.user_id, row.session_id) for row in rows))

    def announce_people(self, user_ids: Sequence[str]) -> None:
        """These people are out, whatever sessions they have or had: each application is told once."""
        rows = self._uow.execute(_OF_PEOPLE, {"user_ids": list(user_ids)}).all()
        self._put([(*pair, None) for pair in sorted({(row.application_id, row.user_id) for row in rows})])

    def _put(self, found: Sequence[tuple[str, str, str | None]]) -> None:
        names = ("application_id", "user_id", "session_id")
        self._outbox.put_all(KIND, [dict(zip(names, each, strict=True)) for each in found])

    def deliver(self, payload: Mapping[str, Any]) -> None:
        """Post a logout token; raises `FetchRefusedError` where the application does not take it."""
        try:
            uri = self._applications.get(payload["application_id"]).backchannel_logout_uri
        except NotFoundError:
            return
        if uri is None:
            return
        token = self._keys.sign(self._claims(payload), type_=TOKEN_TYPE)
        # The application may be slow; nobody who writes shall wait for it.
        self._uow.pause()
        self._post(payload["application_id"], uri, token)

    def _post(self, application_id: str, uri: str, token: str) -> None:
        """One that has just failed is left in peace, so that it holds up nobody else's messages."""
        now = self._uow.now
        if now < self._resting.get(application_id, now):
            raise FetchRefusedError("The application did not take a message a moment ago.")
        # Until it has taken this one.
        self._resting[application_id] = now + REST
        sent = urlencode({"logout_token": token}).encode()
        answered = self._fetch.send("POST", uri, headers=_FORM, body=sent)
        if answered.status not in _TAKEN:
            raise FetchRefusedError(f"The application answers with status {answered.status}.")
        self._resting.pop(application_id, None)

    def _claims(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        now = int(self._uow.now.timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": client_id_of(payload["application_id"]),
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
            "jti": self._uow.ids.new(),
            "sub": subject(payload["user_id"]),
            "events": {_EVENT: {}},
        }
        if payload["session_id"] is not None:
            claims["sid"] = payload["session_id"]
        return claims
