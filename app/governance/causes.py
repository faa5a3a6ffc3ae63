"""What made somebody's rights as they are: the newest audit entry of each kind about the person.

One statement whatever the length of their history, and a hundred renames do not hide who gave the seat.
The newest entries may not be in the feed's order yet, so they are ordered by id, which grows with time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from app.audit.models import audit_events
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork

JOINED = "group.member_added"

# Of joining and leaving the last for each group, of everything else the last at all.
_numbered = (
    select(
        audit_events,
        func.row_number()
        .over(
            partition_by=(audit_events.c.action, audit_events.c.data["group_id"].as_string()),
            order_by=audit_events.c.id.desc(),
        )
        .label("nth"),
    )
    .where(
        audit_events.c.org_id == ORG_ID,
        audit_events.c.target_type == "user",
        audit_events.c.target_id == bindparam("user_id"),
    )
    .subquery("numbered")
)
_NEWEST = select(_numbered).where(_numbered.c.nth == 1).order_by(_numbered.c.id.desc())


@dataclass(frozen=True, slots=True)
class Cause:
    """One audit entry: who did what, and under which request."""

    action: str
    actor_type: str
    actor_id: str
    request_id: str
    occurred_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Causes:
    """`newest` holds the last entry of each action, the newest first; `joined` the joining of each group."""

    newest: tuple[Cause, ...]
    joined: dict[str, Cause]


def causes_of(uow: UnitOfWork, user_id: str) -> Causes:
    newest: dict[str, Cause] = {}
    joined: dict[str, Cause] = {}
    for row in uow.execute(_NEWEST, {"user_id": user_id}):
        cause = Cause(
            row.action, row.actor_type, row.actor_id, row.request_id, row.occurred_at, dict(row.data)
        )
        newest.setdefault(cause.action, cause)
        if cause.action == JOINED:
            joined[cause.data["group_id"]] = cause
    return Causes(tuple(newest.values()), joined)
