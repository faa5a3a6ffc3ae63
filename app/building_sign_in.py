"""How the services of signing in are built; `building` has all the others."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app.core.tokens import Randomness
from app.directory.groups import GroupService
from app.directory.users import UserService
from app.governance.entitlements import EntitlementService
from app.governance.jit_seats import JitSeats
from app.governance.waiting_list import WaitingList
from app.sso.asserted_people import AssertedPeople
from app.sso.client_secrets import ClientSecrets
from app.sso.connections import ConnectionService
from app.sso.disclosure import Disclosure, UnprovedTraces
from app.sso.identities import IdentityService
from app.sso.idp_certificates import IdpCertificates
from app.sso.idp_settings import IdpSettingsReader, SettingsReader
from app.sso.leftovers import SignInLeftovers
from app.sso.login_requests import LoginRequests
from app.sso.metadata_polls import MetadataPolls
from app.sso.oidc_exchange import KeyRefreshes, OidcExchange
from app.sso.ownership import DomainOwnership
from app.sso.provider_settings import ProviderSettingsReader
from app.sso.routes_cookies import Cookies
from app.sso.session_recognition import SessionRecognition
from app.sso.sessions import SessionService
from app.sso.sign_in import SignInService
from app.sso.single_logout import SingleLogout
from app.sso.sp_keys import SpKeys
from app.sso.traces import LoginTraces
from app.sso.trusted_connections import TrustedConnections
from app.sso.universal_logout import UniversalLogout
from app.sso.waiting_places import WaitingPlaces

if TYPE_CHECKING:
    from app.wiring import Services


def _readers(services: "Services") -> Mapping[str, SettingsReader]:
    """Who reads what identity providers publish, by protocol."""
    return {"saml": services.get(IdpSettingsReader), "oidc": services.get(ProviderSettingsReader)}


SIGN_IN: Mapping[type, "Callable[[Services], object]"] = {
    JitSeats: lambda s: JitSeats(s.uow, s.get(EntitlementService)),
    Randomness: lambda s: s.container.environment.randomness,
    Cookies: lambda s: Cookies(s.container.settings.base_url),
    Disclosure: lambda s: Disclosure(is_development=not s.container.settings.is_production),
    UnprovedTraces: lambda s: s.container.unproved_traces,
    SessionRecognition: lambda s: SessionRecognition(s.uow),
    SessionService: lambda s: SessionService(s.uow, s.container.environment.randomness, s.container.sealer),
    WaitingList: lambda s: WaitingList(s.uow),
    WaitingPlaces: lambda s: WaitingPlaces(s.get(WaitingList).positions),
    LoginRequests: lambda s: LoginRequests(s.uow, s.container.environment.randomness),
    LoginTraces: lambda s: LoginTraces(s.uow),
    SignInLeftovers: lambda s: SignInLeftovers(s.uow),
    IdpCertificates: lambda s: IdpCertificates(s.uow),
    SpKeys: lambda s: SpKeys(s.uow, s.container.sealer),
    ClientSecrets: lambda s: ClientSecrets(s.uow, s.container.sealer),
    IdpSettingsReader: lambda s: IdpSettingsReader(
        s.uow, s.container.environment.fetch, allow_http=not s.container.settings.is_production
    ),
    ProviderSettingsReader: lambda s: ProviderSettingsReader(
        s.uow, s.container.environment.fetch, allow_http=not s.container.settings.is_production
    ),
    ConnectionService: lambda s: ConnectionService(
        s.uow,
        _readers(s),
        certificates=s.get(IdpCertificates),
        sp_keys=s.get(SpKeys),
        secrets=s.get(ClientSecrets),
    ),
    MetadataPolls: lambda s: MetadataPolls(s.uow, s.get(ConnectionService), _readers(s)),
    KeyRefreshes: lambda s: s.container.key_refreshes,
    TrustedConnections: lambda s: TrustedConnections(
        s.uow,
        s.get(ConnectionService),
        certificates=s.get(IdpCertificates),
        sp_keys=s.get(SpKeys),
        secrets=s.get(ClientSecrets),
        urls=s.container.urls,
    ),
    OidcExchange: lambda s: OidcExchange(
        s.uow,
        s.container.environment.fetch,
        reader=s.get(ProviderSettingsReader),
        connections=s.get(ConnectionService),
        refreshes=s.get(KeyRefreshes),
    ),
    IdentityService: lambda s: IdentityService(s.uow),
    AssertedPeople: lambda s: AssertedPeople(s.uow, s.get(UserService), s.get(GroupService)),
    SignInService: lambda s: SignInService(
        s.uow,
        requests=s.get(LoginRequests),
        ownership=s.get(DomainOwnership),
        identities=s.get(IdentityService),
        users=s.get(UserService),
        people=s.get(AssertedPeople),
        sessions=s.get(SessionService),
        base_url=s.container.settings.base_url,
    ),
    UniversalLogout: lambda s: UniversalLogout(s.uow, s.get(SessionService)),
    SingleLogout: lambda s: SingleLogout(
        s.uow, s.get(TrustedConnections), s.get(SessionService), s.container.urls
    ),
}
