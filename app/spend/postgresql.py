"""The postings on PostgreSQL: each one call of a function that a migration made.

What only calls such a function needs no transaction of its own around it: the call is one.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

from app.core.clock import rfc3339
from app.core.connection import Result
from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.postings import End, Hold, Moved, Outcome

_ROW = (
    column("verdict", Text),
    column("place", Integer),
    column("kind", Text),
    column("scope", Id),
    column("period", Text),
    column("closes_at", UtcDateTime),
    column("settled", BigInteger),
    column("reserved", BigInteger),
    column("cap", BigInteger),
    column("noticed", Integer),
)


def _list(name: str, of: TypeEngine[Any]) -> ColumnElement[Any]:
    return cast(bindparam(name, type_=Text()), ARRAY(of))


_HOLD = select(
    *func.spend_hold(
        ORG_ID,
        bindparam("moment", type_=UtcDateTime()),
        bindparam("principal_id", type_=Id),
        bindparam("epoch", type_=Integer()),
        bindparam("amount", type_=BigInteger()),
        _list("scope_types", Text()),
        _list("scope_ids", Id),
        _list("windows", Text()),
        _list("ends", DateTime(timezone=True)),
        _list("limits", BigInteger()),
        _list("hards", Boolean()),
        _list("musts", Boolean()),
        bindparam("reservation", type_=Json),
    )
    .table_valued(*_ROW)
    .c
)
_END = select(
    *func.spend_end(
        ORG_ID,
        bindparam("moment", type_=UtcDateTime()),
        bindparam("principal_id", type_=Id),
        bindparam("reservation_id", type_=Id),
        bindparam("state", type_=Text()),
        bindparam("cost", type_=BigInteger()),
        bindparam("may_notice", type_=Boolean()),
        bindparam("entry", type_=Json),
    )
    .table_valued(*_ROW)
    .c
)


class PostgresqlPostings:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def hold(self, hold: Hold) -> Outcome:
        wanted = hold.wanted
        columns = {**hold.columns, "expires_at": rfc3339(hold.columns["expires_at"])}
        values = {
            "moment": self._uow.now,
            "principal_id": hold.principal_id,
            "epoch": hold.epoch,
            "amount": hold.amount_nanousd,
            "scope_types": _literal([one.scope_type for one in wanted]),
            "scope_ids": _literal([one.scope_id for one in wanted]),
            "windows": _literal([one.window for one in wanted]),
            "ends": _literal([one.ends_at for one in wanted]),
            "limits": _literal([one.limit_nanousd for one in wanted]),
            "hards": _literal([one.hard for one in wanted]),
            "musts": _literal([one.must_open for one in wanted]),
            "reservation": columns,
        }
        return _outcome(self._uow.execute(_HOLD, values))

    def end(self, end: End, *, may_notice: bool) -> Outcome:
        values = {
            "moment": self._uow.now,
            "principal_id": end.principal_id,
            "reservation_id": end.reservation_id,
            "state": end.state,
            "cost": end.cost_nanousd,
            "may_notice": may_notice,
            "entry": dict(end.entry),
        }
        return _outcome(self._uow.execute(_END, values))


def _literal(values: Sequence[object]) -> str:
    """A list of words, numbers or times as the database reads one; the driver takes ten times as long."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def _outcome(result: Result) -> Outcome:
    rows = result.all()
    moved = (Moved(*row[1:]) for row in rows if row.place is not None)
    return Outcome(rows[0].verdict, sorted(moved, key=lambda row: row.place))
