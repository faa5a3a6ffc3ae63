"""What signing in and out causes elsewhere, and what elsewhere ends sessions; `wiring` says when."""

from typing import TYPE_CHECKING

from app.directory import events as directory
from app.directory.organizations import OrganizationService
from app.governance import events as governance
from app.governance.entitlements import EntitlementService
from app.sso import connection_events
from app.sso import events as sso
from app.sso.enforcement import Enforcement
from app.sso.sessions import SessionService

if TYPE_CHECKING:
    from app.wiring import Services


def end_sessions(services: "Services", event: directory.AccessEvent) -> None:
    services.get(SessionService).revoke_users([event.id], event.action)


def end_sessions_of_seatless(services: "Services", event: governance.EntitlementsChanged) -> None:
    lost = [change.user_id for change in event.changes if change.takes_everything]
    if lost and services.get(OrganizationService).current().end_sessions_on_group_loss:
        services.get(SessionService).revoke_users(lost, "seat.released")


def decide_signed_in(services: "Services", event: sso.UserSignedIn) -> None:
    services.get(EntitlementService).refresh_signed_in(event.id)


def decide_adopted(services: "Services", event: directory.UserAdopted) -> None:
    services.get(EntitlementService).refresh([event.id])


def note_sign_in(services: "Services", event: sso.UserSignedIn) -> None:
    """For an owner this was the test that the connection works as it is."""
    services.get(Enforcement).note_sign_in(
        event.data["connection_id"], event.data["configuration_hash"], event.id
    )


def end_sessions_of_connection(
    services: "Services",
    event: connection_events.ConnectionModeChanged | connection_events.ConnectionDeleted,
) -> None:
    """A connection that is off or gone vouches for nobody."""
    if event.data.get("after", "off") == "off":
        services.get(SessionService).revoke_connection(event.id, event.action)
