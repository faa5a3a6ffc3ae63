"""The place in the waiting list that somebody without a seat is shown; the list itself is another part's."""

from collections.abc import Callable

from app.sso.session_recognition import SignedIn


class WaitingPlaces:
    """`place_of` answers a person's place, from 1."""

    def __init__(self, place_of: Callable[[str], int | None]) -> None:
        self._place_of = place_of

    def of(self, person: SignedIn) -> int | None:
        """Null, and no statement, for who does not wait."""
        return self._place_of(person.user_id) if person.seat_state == "waitlisted" else None
