"""The Seat extension of a User: what the person's principal says of their seat, joined at read.

It does not change `meta.version`, because the identity provider's resource has not changed. It must not
know how seats come about.
"""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Text, bindparam, case, cast, select

from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals, roles, users
from app.directory.principals import has_lapsed, latest, seat_state_now
from app.scim.protocol.constants import SEAT
from app.scim.protocol.filter_sql import Column, Kind

ASSIGNED = "assigned"
# Whole pages of people have few different seats between them.
SEATS = 1_000

# The columns of the seat beside those of `LOCKED_USER`, read from `SHOWN`. The list is text, because reading
# the same few lists again for each row takes longer than all else of the seat.
SHOWN_SEAT = (roles.c.name.label("role_name"), cast(principals.c.surfaces, Text).label("surfaces_text"))
SEAT_COLUMNS = (
    *(principals.c[name].label(f"principal_{name}") for name in ("seat_state", "role_id", "lapses_at")),
    *SHOWN_SEAT,
)

_ROLE_NAME_OF = select(roles.c.name).where(roles.c.org_id == ORG_ID, roles.c.id == bindparam("id"))

_holder = principals.alias("seat_holder")
_seated_role = roles.alias("seated_role")


def _of_holder(shown: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    return (
        select(shown)
        .where(
            _holder.c.org_id == ORG_ID,
            _holder.c.id == users.c.principal_id,
            _holder.c.seat_state.is_not(None),
            *conditions,
        )
        .correlate(users)
        .scalar_subquery()
    )


_is_in_time = ~has_lapsed(_holder)
_is_its_role = (_is_in_time, _seated_role.c.org_id == ORG_ID, _seated_role.c.id == _holder.c.role_id)
# Where filters find the extension: single values, and the one list of texts.
FILTERED_COLUMNS = {
    f"{SEAT}:state": Column(_of_holder(seat_state_now(_holder))),
    f"{SEAT}:role.value": Column(_of_holder(_holder.c.role_id, _is_in_time), Kind.UUID),
    f"{SEAT}:role.display": Column(_of_holder(_seated_role.c.name_key, *_is_its_role)),
}
FILTERED_LISTS = {
    f"{SEAT}:surfaces": _of_holder(case((_holder.c.seat_state == ASSIGNED, _holder.c.surfaces)), _is_in_time),
}


class Seat(NamedTuple):
    state: str
    role_id: str | None
    role_name: str | None
    surfaces: tuple[str, ...]

    @classmethod
    def of(cls, row: Row, now: datetime) -> Self | None:
        """The seat beside a user's row; null for who never had one."""
        if row.principal_seat_state is None:
            return None
        if row.principal_lapses_at is not None and row.principal_lapses_at <= now:
            return cls("released", None, None, ())
        surfaces = _surfaces(row.surfaces_text)
        return cls(row.principal_seat_state, row.principal_role_id, row.role_name, surfaces)

    @classmethod
    def after(cls, uow: UnitOfWork, user: Row) -> Self | None:
        """The seat once the events of a change to this loaded user have taken effect.

        It comes from what was just written; only the name of a role that is new to them is looked up.
        """
        written = latest(uow, user.principal_id)
        if written is None:
            return cls.of(user, uow.now)
        if written["seat_state"] is None:
            return None
        role_id, name = written["role_id"], user.role_name
        if role_id is not None and role_id != user.principal_role_id:
            name = uow.execute(_ROLE_NAME_OF, {"id": role_id}).scalar_one_or_none()
        return cls(written["seat_state"], role_id, name, tuple(written["surfaces"]))

    @property
    def usable_surfaces(self) -> tuple[str, ...]:
        """Only an assigned seat can be used."""
        return self.surfaces if self.state == ASSIGNED else ()


def with_seat(attributes: str, base_url: str, seat: Seat | None) -> str:
    """Stored attributes with the extension and its URN in `schemas`.

    Of who never had a seat it is empty, which is as good as none (RFC 7643 section 2.5), so the URN is not
    listed; but it is there, because a client that writes it must find what it wrote: nothing. Only this one
    key can stand before a list in the stored text, because text inside a value has its quotation marks
    escaped; and no URN holds a bracket.
    """
    if seat is None:
        return f'{attributes[:-1]},"{SEAT}":{{}}}}'
    start, schemas, end = attributes.partition('"schemas":[')
    if schemas:
        listed, bracket, rest = end.partition("]")
        attributes = f'{start}{schemas}{listed},"{SEAT}"{bracket}{rest}'
    return f'{attributes[:-1]},"{SEAT}":{_shown(seat, base_url)}}}'


@lru_cache(maxsize=SEATS)
def _surfaces(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=SEATS)
def _shown(seat: Seat, base_url: str) -> str:
    shown: dict[str, Any] = {"state": seat.state}
    if seat.role_id is not None:
        shown["role"] = {"value": seat.role_id, "$ref": f"{base_url}/Roles/{seat.role_id}"}
        if seat.role_name is not None:
            shown["role"]["display"] = seat.role_name
    if seat.usable_surfaces:
        shown["surfaces"] = seat.usable_surfaces
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
