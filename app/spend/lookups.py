"""Who spends, at which price: one statement for the person, their organization and a model's prices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, or_, select

from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import organizations, principals, users
from app.directory.principals import SEAT_STATE_NOW
from app.spend.models import prices
from app.spend.prices import PRICE_COLUMNS
from app.spend.pricing import Price
from app.spend.requests import Person

# Anthropic's snapshots carry their day: claude-haiku-4-5-20251001.
_DATED = re.compile(r"(.+)-20\d{6}")

_SPENDER = (
    select(
        users.c.id.label("user_id"),
        principals.c.id.label("principal_id"),
        principals.c.active,
        SEAT_STATE_NOW.label("seat_state"),
        principals.c.epoch,
        principals.c.role_id,
        principals.c.surfaces,
        principals.c.models,
        principals.c.denied_models,
        organizations.c.zone,
        organizations.c.fallback_model,
        *(column.label(f"price_{column.name}") for column in PRICE_COLUMNS),
    )
    .select_from(
        users.join(
            principals,
            and_(principals.c.org_id == users.c.org_id, principals.c.id == users.c.principal_id),
        )
        .join(organizations, organizations.c.org_id == users.c.org_id)
        .outerjoin(
            prices,
            and_(
                prices.c.org_id == users.c.org_id,
                or_(prices.c.model == bindparam("model"), prices.c.model == bindparam("undated")),
            ),
        )
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

    @property
    def may_use_model(self) -> bool:
        row = self.row
        is_allowed = row.models is None or not set(self.names).isdisjoint(row.models)
        return is_allowed and set(self.names).isdisjoint(row.denied_models)


def find_spender(uow: UnitOfWork, person: Person, model: str) -> Spender | None:
    names = tuple(dict.fromkeys((model, undated(model))))
    values = {"model": model, "undated": names[-1], "now": uow.now}
    if person.id is not None:
        rows = uow.execute(_BY_ID, {**values, "id": person.id}).all()
    else:
        rows = uow.execute(_BY_USER_NAME, {**values, "user_name": fold(person.user_name or "")}).all()
    if not rows:
        return None
    width = len(PRICE_COLUMNS)
    found = [Price(*row[-width:]) for row in rows if row.price_id is not None]
    exact = [price for price in found if price.model == model]
    return Spender(rows[0], names, exact or found)


def undated(model: str) -> str:
    """The name without the day of a snapshot."""
    dated = _DATED.fullmatch(model)
    return model if dated is None else dated[1]
