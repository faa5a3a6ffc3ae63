"""Where each hundredth resource of a large directory stands, so that its last page costs what its first does.

A page by index passes over all before it, and a total counts everybody. What was found is remembered in
this process, and holds as long as the audit log has no entry that anybody came or went since: each has
one, written in the same transaction. Small directories are not remembered, nor such as never stand still.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, func, or_, select

from app.audit.models import audit_events, audit_heads
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.events import GroupCreated, GroupDeleted, UserCreated, UserDeleted
from app.scim.page_cursors import Position
from app.scim.selection import Window
from app.scim.shelf import Shelf

STRIDE = 100
# Below so many resources the database answers as fast by itself.
LARGE = 5_000
# So many directories are remembered at most.
MAX_KNOWN = 1_000

_head = select(audit_heads.c.next_position).where(audit_heads.c.org_id == ORG_ID).scalar_subquery()


def _look(*actions: str) -> Select[Any, bool]:
    """Where the log stands, and whether anybody came or went; in one statement, so of one moment."""
    moves = (audit_events.c.org_id == ORG_ID, or_(*(audit_events.c.action == action for action in actions)))
    # The orders are those of the indexes: without them PostgreSQL expects a hit at once, and reads the
    # whole log when there is none.
    placed = (
        select(audit_events.c.id)
        .where(*moves, audit_events.c.position >= bindparam("since"))
        .order_by(audit_events.c.position)
        .limit(1)
    )
    not_placed = (
        select(audit_events.c.id)
        .where(*moves, audit_events.c.position.is_(None))
        .order_by(audit_events.c.id)
        .limit(1)
    )
    return select(
        func.coalesce(_head, 1).label("position"),
        or_(
            placed.scalar_subquery().is_not(None),
            not_placed.scalar_subquery().is_not(None),
        ).label("has_moved"),
    )


_LOOK = {
    "user": _look(UserCreated.action, UserDeleted.action),
    "group": _look(GroupCreated.action, GroupDeleted.action),
}


@dataclass(frozen=True, slots=True)
class Known:
    """`position` is the first of the audit log that is not accounted for.

    `ids` has the id at place 100, 200 and so on; nothing before the directory was seen to stand still.
    """

    total: int
    position: int = 0
    ids: Sequence[str] | None = None

    def within(self, window: Window) -> Window | None:
        """The same page, found from the milestone before it; `None` when it lies behind the end."""
        stones, rest = divmod(window.offset, STRIDE)
        ids = self.ids or ()
        if stones == 0:
            return window
        if stones > len(ids):
            return None
        return Window(window.limit, rest, after=Position(ids[stones - 1], None))


KnownDirectories = MutableMapping[tuple[str, str], Known]


class Milestones:
    """`known` lives as long as the process and is shared by its requests."""

    def __init__(self, uow: UnitOfWork, known: KnownDirectories) -> None:
        self._uow = uow
        self._known = known

    def of(self, shelf: Shelf) -> Known | None:
        """What is known of all living resources of a type, if it still holds.

        After a change the next request is answered without, and only the one after that remembers anew,
        so that a directory which is just being filled is not read again for every page.
        """
        key = (self._uow.org_id, shelf.noun)
        known = self._known.get(key)
        if known is None:
            return None
        look = self._uow.execute(_LOOK[shelf.noun], {"since": known.position}).one()
        if look.has_moved:
            self._known[key] = Known(known.total, look.position)
            return None
        # Who comes after the look is in the log behind its position, so what is read now can be too new
        # for it and never too old.
        ids, total = (known.ids, known.total) if known.ids is not None else self._read(shelf)
        self._known[key] = known = Known(total, look.position, ids)
        return known

    def counted(self, shelf: Shelf, total: int) -> None:
        """All living resources were counted just now."""
        key = (self._uow.org_id, shelf.noun)
        if total < LARGE:
            self._known.pop(key, None)
        elif key not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = Known(total)

    def _read(self, shelf: Shelf) -> tuple[Sequence[str], int]:
        ids = shelf.ids.order_by(None)
        place = func.row_number().over(order_by=shelf.table.c.id).label("place")
        numbered = ids.add_columns(place, func.count().over().label("total")).subquery("numbered")
        stones = (
            select(numbered.c.id, numbered.c.total)
            # The first is read for the total alone.
            .where(or_(numbered.c.place == 1, numbered.c.place % STRIDE == 0))
            .order_by(numbered.c.place)
        )
        rows = self._uow.execute(stones).all()
        return [row.id for row in rows[1:]], rows[0].total if rows else 0
