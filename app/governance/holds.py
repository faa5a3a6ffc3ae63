"""What is held of whom until an administrator decides: a membership, a role, or a place in the pool.

A person of whom something is held says so (`principals.held`), so that nobody else costs a statement.
Callers hold the principals' rows. It must not know when something is held, nor what follows.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, insert, or_, select, update

from app.audit.outbox import Outbox
from app.core.batches import batches
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.directory.principals import Principal
from app.governance.events import HeldChangeEnded, HeldChangeOpened, PeopleHeld
from app.governance.models import held_changes, holds

MASS_REMOVAL, MASS_DEACTIVATION, LAST_OWNER = "mass_removal", "mass_deactivation", "last_owner"
OPENED = "held_change.opened"

_OPEN = (
    select(held_changes.c.id)
    .where(
        held_changes.c.org_id == ORG_ID,
        held_changes.c.state == "held",
        held_changes.c.cause == bindparam("cause"),
        or_(
            held_changes.c.group_id == bindparam("group_id", type_=held_changes.c.group_id.type),
            and_(
                held_changes.c.group_id.is_(None),
                bindparam("group_id", type_=held_changes.c.group_id.type).is_(None),
            ),
        ),
    )
    .with_for_update()
)
_INSERT_CHANGE = insert(held_changes)
_INSERT = insert(holds)
_is_theirs = is_one_of(holds.c.principal_id, "ids")
_STANDING = select(holds).where(holds.c.org_id == ORG_ID, _is_theirs)
_of_group = holds.c.group_id == bindparam("group_id")
_of_change = holds.c.held_change_id == bindparam("held_change_id")
_is_place = and_(holds.c.group_id.is_(None), holds.c.role_id.is_(None))
_DROP = {
    name: delete(holds).where(holds.c.org_id == ORG_ID, _is_theirs, *which).returning(holds.c.principal_id)
    for name, which in {
        "all": (),
        "group": (_of_group,),
        "change": (_of_change,),
        "place": (_is_place,),
    }.items()
}
_FLAG = (
    update(principals)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.id, "ids"))
    .values(
        held=exists().where(holds.c.org_id == ORG_ID, holds.c.principal_id == principals.c.id),
        epoch=principals.c.epoch + 1,
    )
)
_END_EMPTY = (
    update(held_changes)
    .where(
        held_changes.c.org_id == ORG_ID,
        held_changes.c.state == "held",
        ~exists().where(holds.c.org_id == ORG_ID, holds.c.held_change_id == held_changes.c.id),
    )
    .values(state="ended", decided_at=bindparam("moment"))
    .returning(held_changes.c.id)
)
_PLACES = select(holds.c.principal_id).where(holds.c.org_id == ORG_ID, _is_place)
_HELD_PEOPLE = select(holds.c.user_id).where(holds.c.org_id == ORG_ID, ~_is_place).distinct()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person still counts as having: membership of these groups, and this role."""

    group_ids: frozenset[str] = frozenset()
    role_id: str | None = None


NOTHING_HELD = Standing()


class Holds:
    def __init__(self, uow: UnitOfWork, outbox: Outbox) -> None:
        self._uow = uow
        self._outbox = outbox

    def add(
        self,
        cause: str,
        people: Sequence[tuple[str, str]],
        *,
        group_id: str | None = None,
        role_id: str | None = None,
    ) -> None:
        """Hold this of locked people, given as ids of principal and user, in the open change of the cause."""
        uow = self._uow
        change_id = self._open(cause, group_id, len(people))
        given = {"held_change_id": change_id, "group_id": group_id, "role_id": role_id, "held_at": uow.now}
        for batch in batches(people):
            rows = [{**given, "principal_id": id_, "user_id": user_id} for id_, user_id in batch]
            uow.execute_many(_INSERT, rows)
            uow.execute(_FLAG, {"ids": [id_ for id_, _ in batch]})
        data = {"held_change_id": change_id, "cause": cause, "group_id": group_id, "role_id": role_id}
        uow.add(PeopleHeld(tuple(user_id for _, user_id in people), data))

    def standing(self, people: Sequence[Principal]) -> dict[str, Standing]:
        """What is held of these people, by user id; nobody of whom nothing is costs a statement."""
        held = {person.id: person.user_id for person in people if person.held}
        found: dict[str, Standing] = {}
        if held:
            for row in self._uow.execute(_STANDING, {"ids": list(held)}):
                known = found.get(held[row.principal_id], NOTHING_HELD)
                groups = known.group_ids if row.group_id is None else known.group_ids | {row.group_id}
                found[held[row.principal_id]] = Standing(groups, row.role_id or known.role_id)
        return found

    def held_people(self) -> set[str]:
        """Everybody who has something by a hold; a change of mappings or roles concerns them as well."""
        return set(self._uow.execute(_HELD_PEOPLE).scalars())

    def drop(self, people: Sequence[Principal]) -> None:
        """Nothing of these people is held any longer."""
        self._drop("all", [person.id for person in people])

    def drop_group(self, people: Sequence[Principal], group_id: str) -> None:
        """These people are members of the group again."""
        self._drop("group", [person.id for person in people], group_id=group_id)

    def drop_change(self, principal_ids: Sequence[str], held_change_id: str) -> set[str]:
        """An administrator has decided about these people; answers whose were of this change."""
        return self._drop("change", principal_ids, held_change_id=held_change_id)

    def drop_places(self, principal_ids: Sequence[str] | None = None) -> set[str]:
        """Keep no place for these people, or for nobody at all; answers for whom one was kept."""
        if principal_ids is None:
            principal_ids = self._uow.execute(_PLACES).scalars()
        return self._drop("place", principal_ids)

    def end_empty(self) -> None:
        """A change of which nothing is left waits for nobody's word."""
        for id_ in self._uow.execute(_END_EMPTY, {"moment": self._uow.now}).scalars():
            self._uow.add(HeldChangeEnded(id_))

    def _drop(self, which: str, principal_ids: Sequence[str], **values: str) -> set[str]:
        dropped: set[str] = set()
        for batch in batches(principal_ids):
            ids = {"ids": list(batch)}
            dropped.update(self._uow.execute(_DROP[which], {**ids, **values}).scalars())
            self._uow.execute(_FLAG, ids)
        if which != "change":
            self.end_empty()
        return dropped

    def _open(self, cause: str, group_id: str | None, people: int) -> str:
        uow = self._uow
        found: str | None = uow.execute(_OPEN, {"cause": cause, "group_id": group_id}).scalar_one_or_none()
        if found is not None:
            return found
        change_id = uow.ids.new()
        values: dict[str, Any] = {
            "id": change_id,
            "cause": cause,
            "group_id": group_id,
            "state": "held",
            "created_at": uow.now,
        }
        uow.execute(_INSERT_CHANGE, values)
        data = {"cause": cause, "group_id": group_id}
        uow.add(HeldChangeOpened(change_id, data))
        actor = asdict(uow.caller.actor)
        self._outbox.put(OPENED, {"held_change_id": change_id, **data, "people": people, "actor": actor})
        return change_id
