"""Losses that wait for an administrator: listed, approved, or discarded.

Approving lets them happen now. Discarding keeps what people have by the administrator's word: as manual
seats with a reason, because the membership is gone and nothing else would carry them. Either way the
holds go, and everybody concerned is decided about again. Locks go groups, principals, change.
"""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import bindparam, func, select, update

from app.core.batches import batches
from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.governance.entitlements import EntitlementService
from app.governance.events import HeldChangeApproved, HeldChangeDiscarded
from app.governance.holds import LAST_OWNER, MASS_DEACTIVATION, Holds
from app.governance.models import held_changes, holds
from app.governance.policy import load_policy, lock_groups
from app.governance.removal_guard import RemovalGuard
from app.governance.seat_pool import SeatPool
from app.governance.seats import SeatService

_people = (
    select(func.count())
    .select_from(holds)
    .where(holds.c.org_id == ORG_ID, holds.c.held_change_id == held_changes.c.id)
    .correlate(held_changes)
    .scalar_subquery()
    .label("people")
)
_CHANGES = select(held_changes, _people).where(held_changes.c.org_id == ORG_ID)
_BY_ID = _CHANGES.where(held_changes.c.id == bindparam("id"))
_LOCK = (
    select(held_changes)
    .where(held_changes.c.org_id == ORG_ID, held_changes.c.id == bindparam("id"))
    .with_for_update()
)
_of_change = (holds.c.org_id == ORG_ID, holds.c.held_change_id == bindparam("id"))
_PRINCIPALS = select(holds.c.principal_id).where(*_of_change).order_by(holds.c.principal_id)
_PEOPLE = (
    select(holds.c.user_id, holds.c.held_at)
    .where(*_of_change, holds.c.user_id > bindparam("after"))
    .order_by(holds.c.user_id)
)
_LOCK_PRINCIPALS = (
    select(principals.c.id, principals.c.user_id, principals.c.role_id)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.id, "ids"))
    .order_by(principals.c.id)
    .with_for_update()
)
_DECIDE = (
    update(held_changes)
    .where(held_changes.c.org_id == ORG_ID, held_changes.c.id == bindparam("row_id"))
    .values(state=bindparam("new_state"), decided_at=bindparam("moment"), decided_by=bindparam("decider"))
)


class HeldChangeService:
    def __init__(
        self,
        uow: UnitOfWork,
        entitlements: EntitlementService,
        pool: SeatPool,
        seats: SeatService,
        *,
        guard: RemovalGuard,
        held: Holds,
    ) -> None:
        self._uow = uow
        self._entitlements = entitlements
        self._pool = pool
        self._seats = seats
        self._guard = guard
        self._holds = held

    def get(self, held_change_id: str) -> Row:
        """One change with how many `people` it still holds something of; raises `NotFoundError`."""
        row = self._uow.execute(_BY_ID, {"id": held_change_id}).first()
        if row is None:
            raise _not_found(held_change_id)
        return row

    def page(self, *, after: str, limit: int, state: str | None) -> Sequence[Row]:
        """Up to `limit` changes with an id above `after`."""
        statement = (
            _CHANGES.where(held_changes.c.id > bindparam("after")).order_by(held_changes.c.id).limit(limit)
        )
        values = {"after": after}
        if state is not None:
            statement = statement.where(held_changes.c.state == bindparam("state"))
            values["state"] = state
        return self._uow.execute(statement, values).all()

    def people(self, held_change_id: str, *, after: str, limit: int) -> Sequence[Row]:
        """Up to `limit` of the people with a user id above `after`."""
        self.get(held_change_id)
        return self._uow.execute(_PEOPLE.limit(limit), {"id": held_change_id, "after": after}).all()

    def approve(self, held_change_id: str) -> Row:
        """Let the losses happen; kept places go to who waits."""
        change, people = self._lock(held_change_id)
        if change.cause == LAST_OWNER:
            self._refuse_last_owner(people)
        self._decide(change, people, "approved")
        if change.cause == MASS_DEACTIVATION:
            self._pool.stop_keeping(len(people))
        else:
            self._entitlements.refresh(row.user_id for row in people)
        return self.get(held_change_id)

    def discard(self, held_change_id: str) -> Row:
        """Let people keep what they have, as manual seats in the decider's name."""
        change, people = self._lock(held_change_id)
        if change.cause == MASS_DEACTIVATION:
            raise ConflictError(
                "Only the identity provider can take back a deactivation: whoever it reactivates finds the "
                "place kept. Approve the change to give the places to who waits.",
                code="held_change_not_discardable",
            )
        reason = f"Kept when the loss held as {change.id} was discarded."
        self._seats.note_manual(self._kept_roles(change, people), reason)
        self._decide(change, people, "discarded")
        self._entitlements.refresh(row.user_id for row in people)
        return self.get(held_change_id)

    def _lock(self, held_change_id: str) -> tuple[Row, list[Row]]:
        """An open change and the principals of its people, all held until the transaction ends."""
        uow = self._uow
        found = self.get(held_change_id)
        lock_groups(uow, {found.group_id} if found.group_id is not None else set())
        if found.cause == MASS_DEACTIVATION:
            self._pool.lock()
        change = uow.execute(_LOCK, {"id": held_change_id}).one()
        if change.state != "held":
            raise ConflictError(f"The change is {change.state} already.", code="held_change_decided")
        people: list[Row] = []
        for batch in batches(uow.execute(_PRINCIPALS, {"id": held_change_id}).scalars()):
            people += uow.execute(_LOCK_PRINCIPALS, {"ids": list(batch)}).all()
        return change, people

    def _refuse_last_owner(self, people: Sequence[Row]) -> None:
        role_id = next((str(row.role_id) for row in people), None)
        if role_id and not self._guard.has_other_owner(role_id, [row.id for row in people]):
            raise ConflictError(
                "Nobody else is an owner; give somebody else the role first.", code="last_owner"
            )

    def _kept_roles(self, change: Row, people: Sequence[Row]) -> dict[str, str]:
        """By user id the role that the hold gives them, and not what another group gives: that may end."""
        if change.cause == LAST_OWNER:
            return {row.user_id: row.role_id for row in people}
        roles: dict[str, str] = {}
        user_ids = [row.user_id for row in people]
        for decisions in self._entitlements.preview(load_policy(self._uow), user_ids, lock=False):
            for decision in decisions:
                if decision.seat is not None and decision.seat.manual_role_id is not None:
                    # Somebody has given them a seat by hand meanwhile; that word stands.
                    continue
                for source in decision.entitlement.sources:
                    if source.group_id == change.group_id:
                        roles.setdefault(decision.person.user_id, source.role_id)
        return roles

    def _decide(self, change: Row, people: Sequence[Row], state: str) -> None:
        uow = self._uow
        self._holds.drop_change([row.id for row in people], change.id)
        decider = asdict(uow.caller.actor)
        values = {"row_id": change.id, "new_state": state, "moment": uow.now, "decider": decider}
        uow.execute(_DECIDE, values)
        event = HeldChangeApproved if state == "approved" else HeldChangeDiscarded
        uow.add(event(change.id, {"cause": change.cause, "group_id": change.group_id}))


def _not_found(held_change_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no held change with the id {held_change_id!r}.", code="held_change_not_found"
    )
