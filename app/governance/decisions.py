"""What one person had and what the resolver says now, and how that looks as rows; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.connection import Row
from app.directory.principals import Principal
from app.governance.removal_guard import HOLDING
from app.governance.resolver import Entitlement, Source


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person had and what the resolver says now."""

    person: Principal
    seat: Row | None
    entitlement: Entitlement
    loses_owner: bool = False

    @property
    def state(self) -> str | None:
        state: str | None = self.person.seat_state
        return state

    @property
    def loses_seat(self) -> bool:
        return not self.entitlement.wants_seat and self.state not in (None, "released")

    @property
    def gives_up_place(self) -> bool:
        return self.loses_seat and self.state in HOLDING

    @property
    def needs_seat(self) -> bool:
        return self.entitlement.wants_seat and self.state in (None, "released")


def change_data(previous_role_id: str | None, entitlement: Entitlement) -> Mapping[str, Any]:
    """What the log says of one person's new decision."""
    return {
        "role_id": entitlement.role_id,
        "previous_role_id": previous_role_id,
        "sources": [source_dict(source) for source in entitlement.sources],
    }


def source_dict(source: Source) -> dict[str, Any]:
    """A seat's source as it is stored and shown, ids bare."""
    return {"type": source.type, "group_id": source.group_id, "mapping_id": source.mapping_id}


def with_rights(person: Principal, entitlement: Entitlement, state: str | None) -> Principal:
    """The principal's row as the decision would have it."""
    return person._replace(
        seat_state=state,
        role_id=entitlement.role_id,
        surfaces=list(entitlement.surfaces),
        models=None if entitlement.models is None else list(entitlement.models),
        permissions=list(entitlement.permissions),
        denied_models=list(entitlement.denied_models),
        lapses_at=entitlement.lapses_at,
    )


def differs(decision: Decision) -> bool:
    """Whether anything that a reader can see would change."""
    person, entitlement, seat = decision.person, decision.entitlement, decision.seat
    if person != with_rights(person, entitlement, decision.state):
        return True
    if seat is None:
        return False
    sources = [source_dict(source) for source in entitlement.sources]
    should_be = (decision.state, entitlement.role_id, list(entitlement.surfaces), sources)
    is_moved = decision.state == "waitlisted" and seat.waiting_rank != entitlement.waiting_rank
    return is_moved or (seat.state, seat.role_id, seat.surfaces, seat.sources) != should_be


def seat_row(
    decision: Decision, state: str | None, since: datetime, lost_at: datetime | None
) -> dict[str, Any]:
    """The seat's row in a state that it has `since` then, unless it had it already.

    `lost_at` is when the identity provider's word took the seat, if that did.
    """
    entitlement, seat = decision.entitlement, decision.seat
    manual = seat if decision.person.active else None
    is_same = seat is not None and seat.state == state
    return {
        "user_id": decision.person.user_id,
        "state": state or "released",
        "role_id": entitlement.role_id,
        "surfaces": list(entitlement.surfaces),
        "sources": [source_dict(source) for source in entitlement.sources],
        "manual_role_id": manual.manual_role_id if manual is not None else None,
        "given_by": manual.given_by if manual is not None else None,
        "reason": manual.reason if manual is not None else None,
        "since": seat.since if seat is not None and is_same else since,
        "waiting_rank": entitlement.waiting_rank if state == "waitlisted" else 0,
        "lost_at": seat.lost_at if seat is not None and is_same else lost_at,
    }
