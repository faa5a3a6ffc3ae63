"""Forgets rows once they can serve nobody any more, some at a time; each part says which of its own.

It must not know what the rows are.
"""

from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import Column, bindparam, delete, exists, or_, select

from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID, lookups
from app.core.unit_of_work import UnitOfWork

BATCH = 1_000

_DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == bindparam("kind_"), lookups.c.key_hash == bindparam("hash_"), lookups.c.org_id == ORG_ID
)


class Leftover:
    """Rows of one table that are to go once `moment` is `kept` ago; `key` tells them apart.

    What a browser or a person holds is found by a look-up, which goes as well: `found_by` is its kind and
    the column that holds its hash.
    """

    def __init__(
        self,
        key: Column[Any],
        moment: Column[Any],
        kept: timedelta = timedelta(0),
        *,
        found_by: tuple[str, Column[Any]] | None = None,
    ) -> None:
        table = key.table
        self.name, self.kept = f"before_{table.name}", kept
        mine = (table.c.org_id == ORG_ID, moment <= bindparam(self.name, type_=UtcDateTime()))
        old = select(key).where(*mine).order_by(moment)
        self.is_there = exists(old)
        self.lookup_kind = found_by[0] if found_by is not None else None
        held = found_by[1] if found_by is not None else key
        self.forget = delete(table).where(*mine, key.in_(old.limit(BATCH))).returning(held)


class Kinds:
    def __init__(self, *kinds: Leftover) -> None:
        self.all = kinds
        self.is_any_there = select(or_(*(kind.is_there for kind in kinds)))


class Leftovers:
    kinds: ClassVar[Kinds]

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def has_old(self) -> bool:
        moments = {name: at for kind in self.kinds.all for name, at in self._before(kind).items()}
        return bool(self._uow.execute(self.kinds.is_any_there, moments).scalar_one())

    def purge(self) -> bool:
        """Forget a batch of each kind; answers whether there may be more."""
        return max([self._forget(kind) for kind in self.kinds.all]) == BATCH

    def _forget(self, kind: Leftover) -> int:
        held = self._uow.execute(kind.forget, self._before(kind)).scalars()
        if held and kind.lookup_kind is not None:
            rows = [{"kind_": kind.lookup_kind, "hash_": hash_} for hash_ in held]
            self._uow.execute_many(_DROP_LOOKUP, rows)
        return len(held)

    def _before(self, kind: Leftover) -> dict[str, Any]:
        return {kind.name: self._uow.now - kind.kept}
