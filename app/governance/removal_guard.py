"""Tells a mass removal from everyday leaving, and finds who is the last owner. It changes nothing.

Losses are counted in what is stored anyway: a seat that the identity provider's word took says when it
was lost. Only who takes a seat asks; the answer costs the same in an organization of any size, because
no more is counted than the answer needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from app.core.sql import is_one_of, lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations, principals
from app.governance.models import holds, seats

HOLDING = ("assigned", "suspended")
OWNER = "owner"

_SETTING = select(organizations.c.removal_guard).where(organizations.c.org_id == ORG_ID)
_lost = (
    select(func.count())
    .select_from(seats)
    .where(seats.c.org_id == ORG_ID, seats.c.lost_at >= bindparam("since"))
    .scalar_subquery()
)
# A place that is kept was lost, and is counted there.
_held = (
    select(func.count())
    .select_from(holds)
    .where(
        holds.c.org_id == ORG_ID,
        holds.c.held_at >= bindparam("since"),
        or_(holds.c.group_id.is_not(None), holds.c.role_id.is_not(None)),
    )
    .scalar_subquery()
)
_RECENT = select(_lost.label("lost"), _held.label("held"))
_holders = (
    select(seats.c.user_id)
    .where(seats.c.org_id == ORG_ID, or_(*(seats.c.state == state for state in HOLDING)))
    .limit(bindparam("most"))
    .subquery()
)
_HOLDERS = select(func.count()).select_from(_holders)
# Two who go at the same moment must not each see the other stay.
_ONE_BY_ONE = select(lock_for_transaction(bindparam("name")))
_OTHER_OWNER = (
    select(principals.c.id)
    .where(
        principals.c.org_id == ORG_ID,
        principals.c.active.is_(True),
        ~is_one_of(principals.c.id, "ids"),
        or_(
            principals.c.role_id == bindparam("role_id"),
            principals.c.user_id.in_(
                select(seats.c.user_id).where(
                    seats.c.org_id == ORG_ID, seats.c.manual_role_id == bindparam("role_id")
                )
            ),
        ),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """So many people and such a share of the seats at least, lost within some minutes."""

    enabled: bool
    share_percent: int
    minimum_people: int
    window_minutes: int

    def enough_seats(self, lost: int) -> int:
        """Up to how many seats there were, so many lost ones are a mass removal; 0 for never; pure."""
        if not self.enabled or lost < self.minimum_people:
            return 0
        return lost * 100 // self.share_percent


class RemovalGuard:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def catches(self, losing: int = 0) -> bool:
        """Whether `losing` more seats, together with the lost and the held ones of the last minutes, are
        a mass removal. The caller has not released those yet.
        """
        uow = self._uow
        stored: Mapping[str, Any] = uow.execute(_SETTING).scalar_one()
        threshold = Threshold(**stored)
        since = uow.now - timedelta(minutes=threshold.window_minutes)
        recent = uow.execute(_RECENT, {"since": since}).one()
        most = threshold.enough_seats(recent.lost + recent.held + losing)
        if not most:
            return False
        remaining = uow.execute(_HOLDERS, {"most": most + 1}).scalar_one()
        return bool(remaining + recent.lost <= most)

    def has_other_owner(self, role_id: str, principal_ids: Sequence[str]) -> bool:
        """Whether an active person besides these has the role, by a mapping or by hand."""
        self._uow.execute(_ONE_BY_ONE, {"name": f"owners of {self._uow.org_id}"})
        values = {"role_id": role_id, "ids": list(principal_ids)}
        return self._uow.execute(_OTHER_OWNER, values).first() is not None
