"""The price book: what tokens cost from when on, in US dollars for a million."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from app.api import edge_ids
from app.api.schemas.authorizations import MAX_TEXT_LENGTH, MAX_TOKENS
from app.api.schemas.common import Answer, PageQuery, columns, not_blank
from app.api.schemas.fields import EdgeId, Instant, Usd
from app.core.connection import Row

# Nano-dollars for a million tokens are thousandths of a pico-dollar for one.
_PER_PICOUSD = 1_000
MAX_RATE_NANOUSD = 100_000 * 1_000_000_000
_RATES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def _whole_picousd(nanousd: int) -> None:
    if nanousd % _PER_PICOUSD or nanousd > MAX_RATE_NANOUSD:
        raise ValidationError("Give at most six decimal places and at most 100000.")


def _rate(name: str) -> Usd:
    return Usd(required=True, attribute=f"{name}_nanousd", validate=_whole_picousd)


class Rates(Schema):
    input_per_million_usd = _rate("input")
    output_per_million_usd = _rate("output")
    cache_read_per_million_usd = _rate("cache_read")
    cache_write_5m_per_million_usd = _rate("cache_write_5m")
    cache_write_1h_per_million_usd = _rate("cache_write_1h")


class PriceSchema(Answer, Rates):
    type = fields.Constant("price", required=True)
    id = EdgeId(edge_ids.PRICE, required=True)
    model = fields.String(required=True)
    starts_at = Instant(required=True)
    above_prompt_tokens = fields.Integer(required=True)
    batch_percent = fields.Integer(required=True)
    created_at = Instant(required=True)


class NewPrice(Rates):
    model = fields.String(required=True, validate=[validate.Length(max=MAX_TEXT_LENGTH), not_blank])
    starts_at = Instant(load_default=None, allow_none=True)
    above_prompt_tokens = fields.Integer(
        load_default=0,
        strict=True,
        validate=validate.Range(0, MAX_TOKENS),
        metadata={"description": "A prompt of more tokens than this is priced as a whole by this row."},
    )
    batch_percent = fields.Integer(load_default=50, strict=True, validate=validate.Range(0, 100))

    @post_load
    def _to_picousd(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        rates = {f"{name}_picousd": data.pop(f"{name}_nanousd") // _PER_PICOUSD for name in _RATES}
        return {**data, **rates}


class PriceQuery(PageQuery):
    model = fields.String(validate=validate.Length(1, MAX_TEXT_LENGTH))


def show_price(row: Row) -> dict[str, Any]:
    return show_rates(columns(row))


def show_rates(values: Mapping[str, Any]) -> dict[str, Any]:
    rates = {f"{name}_nanousd": values[f"{name}_picousd"] * _PER_PICOUSD for name in _RATES}
    return {**values, **rates}
