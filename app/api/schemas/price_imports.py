"""Many prices at once, and what they change."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields, validate

from app.api.schemas.common import Answer
from app.api.schemas.fields import Instant, TrueOrFalse
from app.api.schemas.prices import NewPrice, Rates, show_rates
from app.spend.price_import import ADDED, UNCHANGED, Change

MAX_ROWS = 1_000


class ImportedPrice(NewPrice):
    batch_percent = fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=validate.Range(0, 100),
        metadata={"description": "Null is what the model has already, and 100 for a new one."},
    )


class NewPriceImport(Schema):
    prices = fields.List(fields.Nested(ImportedPrice), required=True, validate=validate.Length(1, MAX_ROWS))
    dry_run = TrueOrFalse(load_default=False)


class PriceTier(Answer, Rates):
    above_prompt_tokens = fields.Integer(required=True)
    batch_percent = fields.Integer(required=True)


class PriceChange(Answer):
    type = fields.Constant("price_change", required=True)
    model = fields.String(required=True)
    starts_at = Instant(required=True)
    result = fields.String(required=True, validate=validate.OneOf((ADDED, UNCHANGED)))
    before = fields.List(fields.Nested(PriceTier), required=True)
    after = fields.List(fields.Nested(PriceTier), required=True)


class PriceImported(Answer):
    type = fields.Constant("price_import", required=True)
    dry_run = fields.Boolean(required=True)
    added = fields.Integer(required=True)
    data = fields.List(fields.Nested(PriceChange), required=True)


def show_import(changes: Sequence[Change], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "added": sum(change.result == ADDED for change in changes),
        "data": [
            {
                "model": change.model,
                "starts_at": change.starts_at,
                "result": change.result,
                "before": [show_rates(tier) for tier in change.before],
                "after": [show_rates(tier) for tier in change.after],
            }
            for change in changes
        ],
    }
