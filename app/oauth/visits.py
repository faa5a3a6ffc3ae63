"""Who is at the browser; single sign-on knows, and `wiring` lets it say so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a live session, perhaps of another organization than the entered one.

    Who came in past the identity provider (`is_break_glass`) mends sign-on and uses nothing else.
    """

    session_id: str
    org_id: str
    user_id: str
    seat_state: str | None
    is_break_glass: bool
    authenticated_at: datetime
    session_ends_at: datetime


class Visits:
    """`at_hand` is the browser's person, `is_live` judges a session by its id, `end` signs it out."""

    def __init__(
        self,
        *,
        at_hand: Callable[[], Visitor | None],
        is_live: Callable[[str], bool],
        end: Callable[[str], None],
    ) -> None:
        self.at_hand = at_hand
        self.is_live = is_live
        self.end = end
