"""New prices for many models at once: what would change, then all of it or nothing.

What a model costs from a moment on is a set of tiers. It is compared and begun as a whole, because the
latest set is the only one that holds. It must not know where the prices come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.errors import BadRequestError, ConflictError
from app.core.unit_of_work import UnitOfWork
from app.spend.prices import PriceBook
from app.spend.pricing import Price, tiers_at

ADDED, UNCHANGED = "added", "unchanged"
# What a batch costs of a model of which nobody has said it: no less than any other call.
_FULL_PERCENT = 100
_RATES = (
    "above_prompt_tokens",
    "input_picousd",
    "output_picousd",
    "cache_read_picousd",
    "cache_write_5m_picousd",
    "cache_write_1h_picousd",
    "batch_percent",
)
_Tier = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What a model costs from a moment on, and what it would cost then without the import: tier by tier."""

    model: str
    starts_at: datetime
    result: str
    before: Sequence[_Tier]
    after: Sequence[_Tier]


class PriceImport:
    def __init__(self, uow: UnitOfWork, book: PriceBook) -> None:
        self._uow = uow
        self._book = book

    def preview(self, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
        """What importing these would change, by model and time.

        `rows` are the columns of prices; `starts_at` null is now, and `batch_percent` null is what the model
        has already, else all of the price.
        """
        wanted: dict[str, dict[datetime, list[Mapping[str, Any]]]] = {}
        for row in rows:
            starts_at = row["starts_at"] or self._uow.now
            wanted.setdefault(row["model"], {}).setdefault(starts_at, []).append(row)
        return [
            change
            for model, by_start in sorted(wanted.items())
            for change in self._changes(model, sorted(by_start.items()))
        ]

    def apply(self, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
        """Add what `preview` says, in this transaction; nothing of it when one cannot be added."""
        self._book.lock()
        changes = self.preview(rows)
        for change in changes:
            if change.result == ADDED:
                for tier in change.after:
                    self._book.add({"model": change.model, "starts_at": change.starts_at, **tier})
        return changes

    def _changes(
        self, model: str, by_start: Sequence[tuple[datetime, Sequence[Mapping[str, Any]]]]
    ) -> list[Change]:
        known = self._book.of_model(model)
        changes: list[Change] = []
        for starts_at, rows in by_start:
            before = [_tier(price) for price in tiers_at(known, starts_at)]
            # An earlier set of this import holds by then, unless the book has a later one.
            for earlier in changes:
                if not any(earlier.starts_at < price.starts_at <= starts_at for price in known):
                    before = [*earlier.after]
            after = _tiers(model, rows, before)
            changes.append(
                Change(model, starts_at, self._result(model, starts_at, before, after, known), before, after)
            )
        return changes

    def _result(
        self,
        model: str,
        starts_at: datetime,
        before: Sequence[_Tier],
        after: Sequence[_Tier],
        known: Sequence[Price],
    ) -> str:
        if before == after:
            return UNCHANGED
        if starts_at < self._uow.now:
            raise BadRequestError(
                f"starts_at: The price of {model!r} cannot begin in the past; what was spent keeps its price."
            )
        if any(price.starts_at == starts_at for price in known):
            raise ConflictError(
                f"{model!r} has another price from that moment on already, and prices never change. "
                "Let this one begin later.",
                code="price_exists",
            )
        return ADDED


def _tiers(model: str, rows: Sequence[Mapping[str, Any]], before: Sequence[_Tier]) -> list[_Tier]:
    bounds = [row["above_prompt_tokens"] for row in rows]
    if len(set(bounds)) < len(bounds):
        raise BadRequestError(f"above_prompt_tokens: Give each prompt size of {model!r} once.")
    if 0 not in bounds:
        raise BadRequestError(
            f"above_prompt_tokens: Give a row of {model!r} for 0 too; its tiers are replaced as a whole."
        )
    said = before[0]["batch_percent"] if before else _FULL_PERCENT
    tiers = [
        {name: row[name] for name in _RATES}
        | {"batch_percent": said if row["batch_percent"] is None else row["batch_percent"]}
        for row in rows
    ]
    return sorted(tiers, key=lambda tier: tier["above_prompt_tokens"])


def _tier(price: Price) -> _Tier:
    return {name: getattr(price, name) for name in _RATES}
