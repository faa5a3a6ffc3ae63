"""The price book of one organization: effective-dated rows that are added and never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select

from app.core.connection import Row
from app.core.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableError
from app.core.sql import lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.spend.events import PriceAdded
from app.spend.models import prices
from app.spend.pricing import Price
from app.spend.shipped_prices import shipped_rows

PRICE_COLUMNS = [prices.c[name] for name in Price.__dataclass_fields__]
_LIST = select(prices).where(prices.c.org_id == ORG_ID, prices.c.id > bindparam("after"))
_FILTERS = {"model": prices.c.model == bindparam("model")}
_BY_ID = select(prices).where(prices.c.org_id == ORG_ID, prices.c.id == bindparam("id"))
_OF_MODEL = select(*PRICE_COLUMNS).where(prices.c.org_id == ORG_ID, prices.c.model == bindparam("model"))
_SAME = select(prices.c.id).where(
    prices.c.org_id == ORG_ID,
    prices.c.model == bindparam("model"),
    prices.c.starts_at == bindparam("starts_at"),
    prices.c.above_prompt_tokens == bindparam("above_prompt_tokens"),
)
_INSERT = insert(prices)
_LOCK = select(lock_for_transaction(bindparam("name")))


class UnknownPriceError(UnprocessableError):
    code = "unknown_price"


class PriceBook:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def open(self) -> None:
        """A new organization begins with the public prices."""
        uow = self._uow
        rows = [{**row, "id": uow.ids.new(), "created_at": uow.now} for row in shipped_rows()]
        uow.execute_many(_INSERT, rows)

    def of_model(self, model: str) -> list[Price]:
        """All rows of a model, past and future; empty when it is unknown."""
        return [Price(*row) for row in self._uow.execute(_OF_MODEL, {"model": model})]

    def get(self, price_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"id": price_id}).first()
        if row is None:
            raise NotFoundError(f"There is no price with the id {price_id!r}.", code="price_not_found")
        return row

    def page(self, *, after: str, limit: int, filters: Mapping[str, str]) -> Sequence[Row]:
        statement = _LIST.where(*(_FILTERS[name] for name in filters)).order_by(prices.c.id).limit(limit)
        return self._uow.execute(statement, {**filters, "after": after}).all()

    def lock(self) -> None:
        """Until the commit nobody else adds a price, so that what was looked up stays so."""
        self._uow.execute(_LOCK, {"name": f"{self._uow.org_id} prices"})

    def add(self, values: Mapping[str, Any]) -> Row:
        """Add a row that begins now or later: what was spent before it keeps its price.

        `values` are the columns of a row; `starts_at` null is now.
        """
        uow = self._uow
        self.lock()
        starts_at = values["starts_at"] or uow.now
        if starts_at < uow.now:
            raise BadRequestError(
                "starts_at: A price cannot begin in the past; what was spent keeps its price."
            )
        row = {**values, "starts_at": starts_at}
        same = {name: row[name] for name in ("model", "starts_at", "above_prompt_tokens")}
        if uow.execute(_SAME, same).first() is not None:
            raise ConflictError(
                "That model has a price from that moment and prompt size on already.", code="price_exists"
            )
        price_id = uow.ids.new()
        uow.execute(_INSERT, {**row, "id": price_id, "created_at": uow.now})
        uow.add(PriceAdded(price_id, {"model": row["model"], "starts_at": starts_at.isoformat()}))
        return self.get(price_id)
