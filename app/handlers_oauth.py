"""What the end of a session, a person or a seat means for applications; `wiring` says when."""

from typing import TYPE_CHECKING

from app.directory import events as directory
from app.governance import events as governance
from app.oauth.access_tokens import AccessTokens
from app.oauth.logout import BackchannelLogout
from app.sso import events as sso

if TYPE_CHECKING:
    from app.wiring import Services


def end_tokens(services: "Services", event: sso.SessionsEnded) -> None:
    session_ids = [session_id for session_id, _ in event.sessions]
    services.get(AccessTokens).end_sessions(session_ids)
    services.get(BackchannelLogout).announce_sessions(session_ids)


def tell_applications(services: "Services", event: directory.AccessEvent) -> None:
    services.get(BackchannelLogout).announce_people([event.id])


def tell_applications_of_seatless(services: "Services", event: governance.EntitlementsChanged) -> None:
    if event.seatless:
        services.get(BackchannelLogout).announce_people(event.seatless)
