"""Single logout: ours is told to the identity provider, and the identity provider's ends sessions here.

It must not know how messages travel; it makes them and acts on those that were believed.
"""

from datetime import timedelta

from sqlalchemy import and_, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.tenancy import ORG_ID
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.models_sign_in import consumed_assertions, identities, sessions
from app.sso.refusals import Reason, SignInRefusedError, Step
from app.sso.saml.assertion import CLOCK_SKEW
from app.sso.saml.authn_request import request_id
from app.sso.saml.logout import LogoutRequest, LogoutResponse
from app.sso.sessions import SessionService
from app.sso.trusted_connections import Outgoing, TrustedConnection, TrustedConnections

# A request that sets itself no end is remembered for so long.
REMEMBERED = timedelta(hours=24)

_SUBJECT = (
    select(
        *(sessions.c[name] for name in ("connection_id", "name_id", "session_index")),
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
_SPEND = upsert(consumed_assertions).on_conflict_do_nothing()


class SingleLogout:
    def __init__(self, uow: UnitOfWork, connections: TrustedConnections, sessions: SessionService) -> None:
        self._uow = uow
        self._connections = connections
        self._sessions = sessions

    def request_for(self, session_id: str) -> Outgoing | None:
        """What tells the identity provider that this session is over; null where it does not want to know."""
        uow = self._uow
        subject = uow.execute(_SUBJECT, {"id": session_id}).first()
        if subject is None:
            return None
        connection = self._connections.get(subject.connection_id)
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

    def obey(self, connection: TrustedConnection, request: LogoutRequest) -> Outgoing | None:
        """End what a believed request names; answers the response, null where there is no place for it."""
        uow = self._uow
        values = {
            "connection_id": connection.id,
            "assertion_hash": hash_token(request.id),
            "consumed_at": uow.now,
            "expires_at": (request.not_on_or_after or uow.now + REMEMBERED) + CLOCK_SKEW,
        }
        if uow.execute(_SPEND, values).rowcount != 1:
            raise SignInRefusedError(Reason.LOGOUT_REPLAYED, Step.REPLAY, received=request.id)
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

    def _outgoing(
        self, connection: TrustedConnection, destination: str, parameter: str, xml: bytes
    ) -> Outgoing:
        key = self._connections.signing_key(connection)
        return Outgoing(connection.slo_binding, destination, parameter, xml, key)
