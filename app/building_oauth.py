"""How the OpenID Provider's services are built, and how it learns who is at the browser."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from app.audit.outbox import Outbox
from app.core.errors import NotFoundError
from app.core.tenancy import lookups
from app.core.tokens import hash_token, is_well_formed
from app.oauth.access_tokens import AccessTokens
from app.oauth.applications import ApplicationService
from app.oauth.authorization import Authorization
from app.oauth.clients import Clients
from app.oauth.leftovers import OAuthLeftovers
from app.oauth.logout import BackchannelLogout
from app.oauth.redemption import Redemption
from app.oauth.sign_out import SignOuts
from app.oauth.signing_keys import SigningKeys
from app.oauth.visits import Visitor, Visits
from app.sso.routes_cookies import SESSION, Cookies
from app.sso.routes_session import signed_in
from app.sso.session_recognition import SESSION_LOOKUP, SessionRecognition, SignedIn
from app.sso.sessions import SessionService

if TYPE_CHECKING:
    from app.wiring import Services

_WHOSE = select(lookups.c.org_id).where(
    lookups.c.kind == SESSION_LOOKUP, lookups.c.key_hash == bindparam("key_hash")
)


def _at_hand(services: "Services") -> Visitor | None:
    """Who is at the browser. Of another organization's person no more is read than who they are, in a
    transaction of its own, for which this one, in the application's organization, steps aside.
    """
    uow, secret = services.uow, services.get(Cookies).read(SESSION)
    if secret is None or not is_well_formed(SESSION_LOOKUP, secret):
        return None
    found = uow.execute_unscoped(_WHOSE, {"key_hash": hash_token(secret)})
    if found.scalar_one_or_none() == uow.org_id:
        return _visitor(signed_in())
    uow.pause()
    with services.container.begin(write=False, caller=uow.caller) as elsewhere:
        return _visitor(elsewhere.get(SessionRecognition).recognize(secret))


def _visitor(person: SignedIn | None) -> Visitor | None:
    if person is None:
        return None
    return Visitor(
        session_id=person.session_id,
        org_id=person.org_id,
        user_id=person.user_id,
        seat_state=person.seat_state,
        is_break_glass=person.is_break_glass,
        authenticated_at=person.authenticated_at,
        session_ends_at=person.expires_at,
    )


def _is_live(services: "Services", session_id: str) -> bool:
    try:
        services.get(SessionService).get(session_id)
    except NotFoundError:
        return False
    return True


OAUTH: Mapping[type, "Callable[[Services], object]"] = {
    SigningKeys: lambda s: SigningKeys(s.uow, s.container.sealer, s.container.opened_keys),
    ApplicationService: lambda s: ApplicationService(
        s.uow, s.container.environment.randomness, s.get(SigningKeys)
    ),
    Clients: lambda s: Clients(s.uow),
    Visits: lambda s: Visits(
        at_hand=lambda: _at_hand(s),
        is_live=lambda session_id: _is_live(s, session_id),
        end=lambda session_id: s.get(SessionService).revoke(session_id, "logout"),
    ),
    Authorization: lambda s: Authorization(s.uow, s.get(Clients), s.container.environment.randomness),
    Redemption: lambda s: Redemption(
        s.uow,
        keys=s.get(SigningKeys),
        visits=s.get(Visits),
        randomness=s.container.environment.randomness,
        issuer=s.container.settings.base_url,
    ),
    AccessTokens: lambda s: AccessTokens(s.uow, s.get(Clients), s.container.settings.base_url),
    SignOuts: lambda s: SignOuts(s.uow, s.get(Clients), s.get(SigningKeys), s.container.settings.base_url),
    BackchannelLogout: lambda s: BackchannelLogout(
        s.uow,
        applications=s.get(ApplicationService),
        keys=s.get(SigningKeys),
        outbox=s.get(Outbox),
        fetch=s.container.environment.fetch,
        resting=s.container.resting_applications,
        issuer=s.container.settings.base_url,
    ),
    OAuthLeftovers: lambda s: OAuthLeftovers(s.uow),
}
