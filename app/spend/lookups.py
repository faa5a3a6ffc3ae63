"""Who spends, at which price, under which limits: one statement for all that a decision needs.

It must not know what was spent: that is looked at where the money is held.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from app.core.connection import Row
from app.core.sql import json_array, json_list
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations, principals, users
from app.directory.principals import SEAT_STATE_NOW
from app.governance.caps import Cap, Limit, resolve_caps
from app.governance.limits import in_question
from app.spend.models import prices
from app.spend.prices import PRICE_COLUMNS
from app.spend.pricing import Price
from app.spend.requests import Person

# Anthropic's snapshots carry their day: claude-haiku-4-5-20251001.
_DATED = re.compile(r"(.+)-20\d{6}")

# Lists within the person's row, because joined to it they would multiply.
_prices = (
    select(json_list(json_array(*PRICE_COLUMNS)))
    .where(
        prices.c.org_id == ORG_ID,
        or_(prices.c.model == bindparam("model"), prices.c.model == bindparam("undated")),
    )
    .scalar_subquery()
)
_in_question = in_question(principals.c.id, principals.c.role_id, users.c.id).subquery("in_question")
_limits = select(json_list(json_array(*_in_question.c))).scalar_subquery()
_SPENDER = (
    select(
        users.c.id.label("user_id"),
        principals.c.id.label("principal_id"),
        principals.c.active,
        SEAT_STATE_NOW.label("seat_state"),
        principals.c.epoch,
        principals.c.surfaces,
        principals.c.models,
        principals.c.denied_models,
        organizations.c.zone,
        organizations.c.fallback_model,
        _prices.label("prices"),
        _limits.label("limits"),
    )
    .select_from(
        users.join(
            principals,
            and_(principals.c.org_id == users.c.org_id, principals.c.id == users.c.principal_id),
        ).join(organizations, organizations.c.org_id == users.c.org_id)
    )
    .where(users.c.org_id == ORG_ID, users.c.deleted_at.is_(None))
)
_BY_ID = _SPENDER.where(users.c.id == bindparam("id"))
_BY_USER_NAME = _SPENDER.where(users.c.user_name_key == bindparam("user_name"))


@dataclass(frozen=True, slots=True)
class Spender:
    """A living person as they are now; `names` are the model's as asked for and without its day."""

    row: Row
    names: Sequence[str]
    prices: Sequence[Price]
    caps: Sequence[Cap]

    @property
    def may_use_model(self) -> bool:
        row = self.row
        is_allowed = row.models is None or not set(self.names).isdisjoint(row.models)
        return is_allowed and set(self.names).isdisjoint(row.denied_models)


def find_spender(uow: UnitOfWork, person: Person, model: str) -> Spender | None:
    names = tuple(dict.fromkeys((model, undated(model))))
    values = {"model": model, "undated": names[-1], "now": uow.now}
    if person.id is not None:
        row = uow.execute(_BY_ID, {**values, "id": person.id}).first()
    else:
        row = uow.execute(_BY_USER_NAME, {**values, "user_name": fold(person.user_name or "")}).first()
    if row is None:
        return None
    # A price of the exact name that is still to come hides none that holds.
    found = [price for values in json.loads(row.prices) if (price := _price(*values)).starts_at <= uow.now]
    exact = [price for price in found if price.model == model]
    caps = resolve_caps([_limit(*values) for values in json.loads(row.limits)], row.principal_id, uow.now)
    return Spender(row, names, exact or found, caps)


def undated(model: str) -> str:
    """The name without the day of a snapshot."""
    dated = _DATED.fullmatch(model)
    return model if dated is None else dated[1]


def _price(id_: str, model: str, starts_at: str, *numbers: int) -> Price:
    return Price(id_, model, _moment(starts_at), *numbers)


def _limit(*values: Any) -> Limit:
    scope_type, scope_id, window, amount, mode, pool, expires_at = values
    ends = None if expires_at is None else _moment(expires_at)
    return Limit(scope_type, scope_id, window, amount, mode, bool(pool), ends)


def _moment(text: str) -> datetime:
    """A time as either database writes it into JSON: with a zone, or in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
