"""Traces as rows: written many at a time, read newest first, forgotten after a while."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Insert,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSON

from app.core.connection import Row
from app.core.database import Id, UtcDateTime
from app.core.errors import NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.scim.models import scim_requests

PURGE_BATCH = 1_000
FIRST_REFUSED = 400

_BODIES = ("request_body", "response_body")
_RECORDS = bindparam("records", type_=Text())
_mine = scim_requests.c.org_id == ORG_ID


def _insert(dialect: str) -> Insert:
    """All rows of a JSON list in one statement, so that a batch costs one round trip and one parse."""
    columns = [item for item in scim_requests.c if item.name != "org_id"]
    listed = _listed_on_postgresql(columns) if dialect == "postgresql" else _listed_on_sqlite(columns)
    return insert(scim_requests).from_select(["org_id", *(item.name for item in columns)], listed)


def _listed_on_postgresql(columns: Sequence[Column[Any]]) -> Select[Any]:
    typed = [column(item.name, item.type) for item in columns]
    # JSON, not JSONB: what is read once need not be put in order first (measured: half the time).
    listed = func.json_to_recordset(cast(_RECORDS, JSON)).table_valued(*typed, name="record")
    record = listed.render_derived(with_types=True)
    return select(ORG_ID, *(record.c[item.name] for item in columns)).select_from(record)


def _listed_on_sqlite(columns: Sequence[Column[Any]]) -> Select[Any]:
    record = func.json_each(_RECORDS).table_valued("value", name="record")
    values = {item.name: func.json_extract(record.c.value, f"$.{item.name}") for item in columns}
    # Times are stored here as text without their zone.
    values["occurred_at"] = func.substr(values["occurred_at"], 1, len("2026-11-22 09:30:00.123456"))
    return select(ORG_ID, *values.values()).select_from(record)


_INSERT = {dialect: _insert(dialect) for dialect in ("postgresql", "sqlite")}
_ONE = select(scim_requests).where(_mine, scim_requests.c.id == bindparam("id"))
_PAGE = (
    select(*(item for item in scim_requests.c if item.name not in _BODIES))
    .where(_mine)
    .order_by(scim_requests.c.occurred_at.desc(), scim_requests.c.id.desc())
)
_BEFORE = tuple_(scim_requests.c.occurred_at, scim_requests.c.id) < tuple_(
    bindparam("before_time", type_=UtcDateTime()), bindparam("before_id", type_=Id)
)
_FILTERS = {
    "user_id": scim_requests.c.user_id == bindparam("user_id"),
    "group_id": scim_requests.c.group_id == bindparam("group_id"),
    "status": scim_requests.c.status == bindparam("status"),
    "starting_at": scim_requests.c.occurred_at >= bindparam("starting_at"),
    "ending_at": scim_requests.c.occurred_at < bindparam("ending_at"),
}
# The index of refusals is used only where the statement itself says that it asks for one.
_REFUSED = scim_requests.c.status >= literal_column(str(FIRST_REFUSED), Integer)
_OLDEST = (
    select(scim_requests.c.id)
    .where(_mine, scim_requests.c.occurred_at < bindparam("before"))
    .order_by(scim_requests.c.occurred_at, scim_requests.c.id)
)
_HAS_OLD = _OLDEST.limit(1)
_PURGE = delete(scim_requests).where(_mine, scim_requests.c.id.in_(_OLDEST.limit(PURGE_BATCH)))


class TraceStore:
    """`kept` is how long a trace stays."""

    def __init__(self, uow: UnitOfWork, kept: timedelta) -> None:
        self._uow = uow
        self._kept = kept

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows as `trace_writer.row_of` makes them."""
        uow = self._uow
        records = [{**row, "id": uow.ids.new()} for row in rows]
        uow.execute(_INSERT[uow.dialect], {"records": json.dumps(records, ensure_ascii=False)})

    def get(self, id_: str) -> Row:
        """One trace with its bodies; raises `NotFoundError`."""
        row = self._uow.execute(_ONE, {"id": id_}).first()
        if row is None:
            raise NotFoundError(f"There is no SCIM request with the id {id_!r}; it may be too old.")
        return row

    def page(
        self, *, before: tuple[datetime, str] | None, limit: int, filters: Mapping[str, Any]
    ) -> Sequence[Row]:
        """Up to `limit` traces without bodies, newest first; `before` is time and id of the last one seen."""
        statement = _PAGE.where(*(_FILTERS[name] for name in filters)).limit(limit)
        values = dict(filters)
        # One person's or group's requests are fewer than all refusals.
        is_narrow = "user_id" in filters or "group_id" in filters
        if filters.get("status", 0) >= FIRST_REFUSED and not is_narrow:
            statement = statement.where(_REFUSED)
        if before is not None:
            statement = statement.where(_BEFORE)
            values["before_time"], values["before_id"] = before
        return self._uow.execute(statement, values).all()

    def kept_of(self, requests: Collection[tuple[datetime, str]]) -> dict[tuple[datetime, str], str]:
        """The ids of the traces that are still there, by the moment and request id of a few requests.

        What a request wrote and its trace have the same moment; a client may give one request id twice.
        """
        if not requests:
            return {}
        values: dict[str, Any] = {}
        for place, (moment, request_id) in enumerate(sorted(set(requests))):
            values |= {f"time_{place}": moment, f"request_{place}": request_id}
        is_asked_for = (
            and_(
                scim_requests.c.occurred_at == bindparam(f"time_{place}"),
                scim_requests.c.request_id == bindparam(f"request_{place}"),
            )
            for place in range(len(values) // 2)
        )
        statement = select(scim_requests.c.id, scim_requests.c.occurred_at, scim_requests.c.request_id)
        rows = self._uow.execute(statement.where(_mine, or_(*is_asked_for)), values)
        return {(row.occurred_at, row.request_id): row.id for row in rows}

    def has_old(self) -> bool:
        return self._uow.execute(_HAS_OLD, {"before": self._uow.now - self._kept}).first() is not None

    def purge(self) -> bool:
        """Forget the oldest of what is older than `kept`; answers whether there may be more."""
        return self._uow.execute(_PURGE, {"before": self._uow.now - self._kept}).rowcount == PURGE_BATCH
