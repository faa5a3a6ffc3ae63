"""What a session is worth at this moment: the person, their role by name, their seat and its place."""

from collections.abc import Callable
from dataclasses import dataclass

from app.sso.session_recognition import SignedIn

# The name of a role, and the place in the waiting list from 1; both belong to another part.
RoleName = Callable[[str], str]
WaitingPlace = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """`waiting_place` is null unless the person waits for a seat."""

    role: str | None
    waiting_place: int | None


class SessionViews:
    def __init__(self, role_name: RoleName, waiting_place: WaitingPlace) -> None:
        self._role_name = role_name
        self._waiting_place = waiting_place

    def standing(self, signed_in: SignedIn) -> Standing:
        """At most one statement each, and none for who has neither."""
        role_id = signed_in.role_id
        waits = signed_in.seat_state == "waitlisted"
        return Standing(
            self._role_name(role_id) if role_id is not None else None,
            self._waiting_place(signed_in.user_id) if waits else None,
        )
