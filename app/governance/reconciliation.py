"""Once a week all people of an organization are compared with what they should be, a batch at a time.

Each step is one transaction that holds the organization's row, so several workers never do the same, and
one that is killed is continued where it was. It repairs nothing: whoever finds drift has found a fault, and
somebody must look.
"""

from datetime import timedelta

from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.audit.outbox import Outbox
from app.core.ids import FIRST_ID
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations
from app.governance.drift import DriftService
from app.governance.events import DriftFound
from app.governance.models import reconciliations

EVERY = timedelta(days=7)
DRIFTED = "reconciliation.drifted"

# A new organization is due a week after it was made, and one in the middle of its comparison at once.
_IS_DUE = (
    select(organizations.c.org_id)
    .select_from(organizations.outerjoin(reconciliations, reconciliations.c.org_id == organizations.c.org_id))
    .where(
        organizations.c.org_id == ORG_ID,
        or_(
            and_(
                reconciliations.c.org_id.is_(None),
                organizations.c.created_at <= bindparam("week_ago"),
            ),
            and_(reconciliations.c.org_id.is_not(None), reconciliations.c.finished_at.is_(None)),
            reconciliations.c.finished_at <= bindparam("week_ago"),
        ),
    )
)
_OPEN = (
    upsert(reconciliations)
    .values(
        started_at=bindparam("moment"),
        finished_at=None,
        after_user_id=FIRST_ID,
        checked=0,
        found=0,
    )
    .on_conflict_do_nothing()
)
_HOLD = select(reconciliations).where(reconciliations.c.org_id == ORG_ID).with_for_update(skip_locked=True)
_STORE = (
    update(reconciliations)
    .where(reconciliations.c.org_id == ORG_ID)
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("started_at", "finished_at", "after_user_id", "checked", "found")
        }
    )
)


class Reconciliation:
    def __init__(self, uow: UnitOfWork, drift: DriftService, outbox: Outbox) -> None:
        self._uow = uow
        self._drift = drift
        self._outbox = outbox

    def is_due(self) -> bool:
        return self._uow.execute(_IS_DUE, {"week_ago": self._uow.now - EVERY}).first() is not None

    def step(self) -> bool:
        """Compare the next batch, or the pool at the end; answers whether there is more to do."""
        uow = self._uow
        if not self.is_due():
            return False
        uow.execute(_OPEN, {"moment": uow.now})
        row = uow.execute(_HOLD).first()
        if row is None:
            return False
        begins = row.finished_at is not None
        started_at, after = (uow.now, FIRST_ID) if begins else (row.started_at, row.after_user_id)
        checked, found = (0, 0) if begins else (row.checked, row.found)
        people = self._drift.people_after(after)
        if people:
            after, checked = people[-1], checked + len(people)
            found += len(self._drift.find(people))
        else:
            found += int(self._drift.find_in_pool() is not None)
            if found:
                self._raise_alarm(checked, found)
        values = {
            "new_started_at": started_at,
            "new_finished_at": None if people else uow.now,
            "new_after_user_id": after,
            "new_checked": checked,
            "new_found": found,
        }
        uow.execute(_STORE, values)
        return bool(people)

    def _raise_alarm(self, checked: int, found: int) -> None:
        data = {"checked": checked, "found": found}
        self._uow.add(DriftFound(self._uow.org_id, data))
        self._outbox.put(DRIFTED, data)
