"""Writes the rows of seats as they were decided, whole."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.batches import batches
from app.core.sql import each_id
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.governance.models import seats

_COLUMNS = (
    "state",
    "role_id",
    "surfaces",
    "sources",
    "manual_role_id",
    "given_by",
    "reason",
    "since",
    "waiting_rank",
    "lost_at",
)
_OVERWRITE: dict[str, Any] = {
    "index_elements": ["org_id", "user_id"],
    "set_": {name: upsert(seats).excluded[name] for name in _COLUMNS},
}
_STORE = upsert(seats).on_conflict_do_update(**_OVERWRITE)
_ids = each_id("ids")
_STORE_ALIKE = (
    upsert(seats)
    .from_select(
        ["org_id", "user_id", *_COLUMNS],
        select(
            ORG_ID,
            _ids.c.value,
            *(bindparam(f"new_{name}", type_=seats.c[name].type) for name in _COLUMNS),
        )
        # SQLite cannot tell the conflict from a join's condition without a WHERE.
        .where(_ids.c.value.is_not(None)),
    )
    .on_conflict_do_update(**_OVERWRITE)
)


def store_seats(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Seats that are alike, as most are after a change of policy, are one statement."""
    alike: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shared = {name: row[name] for name in _COLUMNS}
        alike.setdefault(json.dumps(shared, default=str), []).append(row)
    alone = [same[0] for same in alike.values() if len(same) == 1]
    for batch in batches(alone):
        uow.execute_many(_STORE, batch)
    for same in alike.values():
        values = {f"new_{name}": same[0][name] for name in _COLUMNS}
        for batch in batches(same if len(same) > 1 else ()):
            uow.execute(_STORE_ALIKE, {**values, "ids": [row["user_id"] for row in batch]})
