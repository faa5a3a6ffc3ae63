"""The place in the waiting list that somebody without a seat is shown; the list itself is another part's."""

from collections.abc import Callable, Mapping, Sequence

from app.sso.session_recognition import SignedIn


class WaitingPlaces:
    """`positions` answers where people stand who wait, the next one at 1."""

    def __init__(self, positions: Callable[[Sequence[str]], Mapping[str, int]]) -> None:
        self._positions = positions

    def of(self, person: SignedIn) -> int | None:
        """Null, and no statement, for who does not wait."""
        if person.seat_state != "waitlisted":
            return None
        return self._positions([person.user_id]).get(person.user_id)
