"""What can happen when people sign in and out. What each event causes stands in `app.wiring`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.core.events import AuditEntry, Event
from app.directory.events import ObjectEvent


class UserSignedIn(ObjectEvent):
    """A person came in through a connection; `data` names it and the session."""

    action = "user.signed_in"
    target_type = "user"


class IdentityLinked(ObjectEvent):
    """A subject of a connection is this person from now on."""

    action = "user.identity_linked"
    target_type = "user"


@dataclass(frozen=True, slots=True)
class SessionsEnded(Event):
    """Sessions that are dead at their next request, as pairs of session and person."""

    reason: str
    sessions: tuple[tuple[str, str], ...]

    action: ClassVar[str] = "session.ended"

    def entries(self) -> Iterable[AuditEntry]:
        for session_id, user_id in self.sessions:
            data = {"user_id": user_id, "reason": self.reason}
            yield AuditEntry(self.action, "session", session_id, data)
