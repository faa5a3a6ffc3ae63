"""Single logout: ours is told to the identity provider, and the identity provider's ends sessions here.

It must not know how messages travel; it makes them and acts on those that were believed.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, select

from app.core.clock import CLOCK_SKEW
from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.core.urls import PublicUrls
from app.sso.models_sign_in import identities, sessions
from app.sso.oidc.authorization import end_session_url
from app.sso.oidc.logout_token import LogoutToken
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.replays import spend
from app.sso.saml.authn_request import request_id
from app.sso.saml.logout import LogoutRequest, LogoutResponse
from app.sso.sessions import SessionService
from app.sso.trusted_connections import (
    OidcConnection,
    Outgoing,
    SamlConnection,
    TrustedConnection,
    TrustedConnections,
)

# A request that sets itself no end is remembered for so long.
REMEMBERED = timedelta(hours=24)

_SUBJECT = (
    select(
        *(
            sessions.c[name]
            for name in (
                *("id", "connection_id", "name_id", "session_index"),
                *("sealed_id_token", "sealing_key_id"),
            )
        ),
        identities.c.name_id_format,
    )
    .select_from(
        sessions.join(
            identities,
            and_(identities.c.org_id == sessions.c.org_id, identities.c.id == sessions.c.identity_id),
        )
    )
    .where(sessions.c.org_id == ORG_ID, sessions.c.id == bindparam("id"))
)


class SingleLogout:
    def __init__(
        self, uow: UnitOfWork, connections: TrustedConnections, sessions: SessionService, urls: PublicUrls
    ) -> None:
        self._uow = uow
        self._connections = connections
        self._sessions = sessions
        self._urls = urls

    def request_for(self, session_id: str) -> Outgoing | str | None:
        """What tells the identity provider that this session is over; null where it does not want to know.

        A message, or with OpenID Connect the address that the browser goes to.
        """
        uow = self._uow
        subject = uow.execute(_SUBJECT, {"id": session_id}).first()
        if subject is None:
            return None
        connection = self._connections.get(subject.connection_id)
        if isinstance(connection, OidcConnection):
            return self._end_session_url(connection, subject)
        if connection.slo_url is None:
            return None
        message = LogoutRequest(
            id=request_id(uow.ids.new()),
            issuer=connection.provider.entity_id,
            destination=connection.slo_url,
            issued_at=uow.now,
            name_id=subject.name_id,
            name_id_format=subject.name_id_format or "",
            session_indexes=(subject.session_index,) if subject.session_index else (),
            not_on_or_after=uow.now + CLOCK_SKEW,
        )
        return self._outgoing(connection, connection.slo_url, "SAMLRequest", message.xml())

    def obey(self, connection: SamlConnection, request: LogoutRequest) -> Outgoing | None:
        """End what a believed request names; answers the response, null where there is no place for it."""
        uow = self._uow
        until = (request.not_on_or_after or uow.now + REMEMBERED) + CLOCK_SKEW
        self._spend(connection, request.id, until)
        self._sessions.revoke_subject(
            connection.id, request.name_id, request.session_indexes, "single_logout"
        )
        if connection.slo_response_url is None:
            return None
        message = LogoutResponse(
            id=request_id(uow.ids.new()),
            issuer=connection.provider.entity_id,
            destination=connection.slo_response_url,
            issued_at=uow.now,
            in_response_to=request.id,
        )
        return self._outgoing(connection, connection.slo_response_url, "SAMLResponse", message.xml())

    def obey_token(self, connection: OidcConnection, token: LogoutToken) -> None:
        """End what a believed logout token names; a session that is none of ours ends nothing."""
        self._spend(connection, f"logout {token.token_id}", token.replay_until)
        index = token.session_index
        if token.subject is not None:
            indexes = () if index is None else (index,)
            self._sessions.revoke_subject(connection.id, token.subject, indexes, "single_logout")
        elif index is not None:
            self._sessions.revoke_session_index(connection.id, index, "single_logout")

    def _end_session_url(self, connection: OidcConnection, session: Row) -> str | None:
        if connection.end_session_endpoint is None:
            return None
        return end_session_url(
            connection.end_session_endpoint,
            client_id=connection.client.client_id,
            back_to=self._urls.signed_out,
            id_token=self._sessions.id_token(session),
        )

    def _spend(self, connection: TrustedConnection, message_id: str, until: datetime) -> None:
        if not spend(self._uow, connection.id, message_id, until):
            raise SignInRefusedError(Reason.LOGOUT_REPLAYED, Step.REPLAY, received=message_id)

    def _outgoing(self, connection: SamlConnection, destination: str, parameter: str, xml: bytes) -> Outgoing:
        key = self._connections.signing_key(connection)
        return Outgoing(connection.slo_binding, destination, parameter, xml, key)
