"""Gives committed audit entries their place in the organization's log.

Positions are handed out under the lock of the head row, to entries that are already committed. An
entry that commits later gets a later position, so nothing appears behind a reader's cursor.
"""

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.audit.models import audit_events, audit_heads
from app.core.tenancy import ORG_ID, everywhere
from app.core.unit_of_work import UnitOfWork

STEP = 5_000

_UNSEQUENCED = (
    select(audit_events.c.id)
    .where(audit_events.c.org_id == ORG_ID, audit_events.c.position.is_(None))
    .limit(1)
)
_UNSEQUENCED_EVERYWHERE = everywhere(_UNSEQUENCED)
_OPEN_HEAD = upsert(audit_heads).values(next_position=1).on_conflict_do_nothing()
_HEAD = (
    select(audit_heads.c.next_position)
    .where(audit_heads.c.org_id == ORG_ID)
    .with_for_update(skip_locked=True)
)
_numbered = (
    select(audit_events.c.id, func.row_number().over(order_by=audit_events.c.id).label("nth"))
    .where(audit_events.c.org_id == ORG_ID, audit_events.c.position.is_(None))
    .order_by(audit_events.c.id)
    .limit(STEP)
    .subquery("numbered")
)
_PLACE = (
    update(audit_events)
    .where(audit_events.c.org_id == ORG_ID, audit_events.c.id == _numbered.c.id)
    .values(position=bindparam("next_position") + _numbered.c.nth - 1)
)
_ADVANCE = (
    update(audit_heads)
    .where(audit_heads.c.org_id == ORG_ID)
    .values(next_position=audit_heads.c.next_position + bindparam("placed"))
)


class Sequencer:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def has_work(self) -> bool:
        return self._uow.execute(_UNSEQUENCED).first() is not None

    def organizations_with_work(self) -> list[str]:
        return self._uow.execute_unscoped(_UNSEQUENCED_EVERYWHERE).scalars()

    def step(self) -> int:
        """Place up to `STEP` entries and answer how many; none while somebody else is at it."""
        uow = self._uow
        if not self.has_work():
            return 0
        uow.execute(_OPEN_HEAD)
        next_position = uow.execute(_HEAD).scalar_one_or_none()
        if next_position is None:
            return 0
        placed = uow.execute(_PLACE, {"next_position": next_position}).rowcount
        if placed:
            uow.execute(_ADVANCE, {"placed": placed})
        return placed
