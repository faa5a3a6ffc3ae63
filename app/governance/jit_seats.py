"""Seats of people who exist only by signing in, and have not for the organization's number of days.

The decision itself is in `entitlements`; this only finds whom time has made it different for.
"""

from sqlalchemy import and_, bindparam, exists, or_, select

from app.core.batches import BATCH
from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.governance.entitlements import EntitlementService
from app.governance.models import holds
from app.governance.policy import jit_seats_since

# With something left to lose: the role of the last owner is held, and waits for an administrator.
IS_LAPSED = and_(
    principals.c.jit_signed_in_at < bindparam("since", type_=UtcDateTime()),
    principals.c.active.is_(True),
    or_(
        principals.c.role_id.is_not(None),
        and_(principals.c.seat_state.is_not(None), principals.c.seat_state != "released"),
    ),
    ~exists().where(
        holds.c.org_id == ORG_ID, holds.c.principal_id == principals.c.id, holds.c.role_id.is_not(None)
    ),
)
_LAPSED = (
    select(principals.c.user_id)
    .where(principals.c.org_id == ORG_ID, IS_LAPSED)
    .order_by(principals.c.jit_signed_in_at)
    .limit(bindparam("count"))
)


class JitSeats:
    def __init__(self, uow: UnitOfWork, entitlements: EntitlementService) -> None:
        self._uow = uow
        self._entitlements = entitlements

    def has_lapsed(self) -> bool:
        return bool(self._lapsed(1))

    def release_lapsed(self) -> bool:
        """Decide again about who has been away for too long; answers whether there may be more."""
        lapsed = self._lapsed(BATCH)
        self._entitlements.refresh(lapsed)
        return len(lapsed) == BATCH

    def _lapsed(self, count: int) -> list[str]:
        values = {"since": jit_seats_since(self._uow), "count": count}
        return self._uow.execute(_LAPSED, values).scalars()
