"""Whom reported usage is of, and what it costs by the price of its moment: many at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.sql import is_one_of, is_one_of_texts
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals, users
from app.spend.lookups import undated
from app.spend.models import prices
from app.spend.prices import PRICE_COLUMNS
from app.spend.pricing import Price, cost_nanousd, price_for
from app.spend.requests import Cost, Person

_PEOPLE = (
    select(
        users.c.id.label("user_id"),
        users.c.user_name_key,
        users.c.deleted_at,
        principals.c.id.label("principal_id"),
        principals.c.role_id,
    )
    .select_from(
        users.join(
            principals,
            and_(principals.c.org_id == users.c.org_id, principals.c.id == users.c.principal_id),
        )
    )
    .where(
        users.c.org_id == ORG_ID,
        or_(is_one_of(users.c.id, "ids"), is_one_of_texts(users.c.user_name_key, "names")),
    )
)
_PRICES = select(*PRICE_COLUMNS).where(prices.c.org_id == ORG_ID)


class People:
    """Persons by id or name; who has left is still who spent then."""

    def __init__(self, rows: Sequence[Row]) -> None:
        # Of the same name the living one counts, else who left last: later ones overwrite.
        ordered = sorted(rows, key=lambda row: "~" if row.deleted_at is None else rfc3339(row.deleted_at))
        self._by_name = {row.user_name_key: row for row in ordered}
        self._by_id = {row.user_id: row for row in rows}

    def find(self, person: Person) -> Row | None:
        if person.id is not None:
            return self._by_id.get(person.id)
        return self._by_name.get(fold(person.user_name or ""))


def find_people(uow: UnitOfWork, persons: Iterable[Person]) -> People:
    named = list(persons)
    values = {
        "ids": sorted({person.id for person in named if person.id is not None}),
        "names": sorted({fold(person.user_name) for person in named if person.user_name is not None}),
    }
    return People(uow.execute(_PEOPLE, values).all())


@dataclass(frozen=True, slots=True)
class Prices:
    """The whole price book, and the model whose price stands in for unknown ones."""

    by_model: Mapping[str, Sequence[Price]]
    fallback_model: str | None

    def name_for(self, model: str, moment: datetime) -> str | None:
        """Under which name a model is priced at that moment; null when it has no price then."""
        for name in (model, undated(model), self.fallback_model):
            if name is not None and price_for(self.by_model.get(name, ()), 0, moment) is not None:
                return name
        return None

    def at(self, priced_as: str, prompt_tokens: int, moment: datetime) -> Price | None:
        return price_for(self.by_model.get(priced_as, ()), prompt_tokens, moment)

    def is_unknown(self, priced_as: str, cost: Cost, moment: datetime) -> bool:
        """Whether tokens are reported of a model that had no price then."""
        usage = cost.usage
        return usage is not None and self.at(priced_as, usage.prompt_tokens, moment) is None

    def cost(self, priced_as: str, cost: Cost, moment: datetime, *, batch: bool) -> int:
        """What it costs; its price is known, unless the cost itself is reported."""
        if cost.usage is None:
            return cost.nanousd or 0
        price = self.at(priced_as, cost.usage.prompt_tokens, moment)
        if price is None:
            raise LookupError(f"The model {priced_as!r} has no price at {moment}.")
        return cost_nanousd(price, cost.usage, batch=batch)


def read_prices(uow: UnitOfWork, fallback_model: str | None) -> Prices:
    by_model: dict[str, list[Price]] = {}
    for row in uow.execute(_PRICES):
        by_model.setdefault(row.model, []).append(Price(*row))
    return Prices(by_model, fallback_model)
