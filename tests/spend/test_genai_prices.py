"""The catalogue of `genai-prices` becomes rows that price to the nano-dollar what it says."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.errors import BadRequestError
from app.spend.genai_prices import Catalogue, read_catalogue

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
# In the words of that project's data.json.
DATA = """
[{"id": "anthropic", "models": [
  {"id": "flat", "prices": {"input_mtok": 3, "output_mtok": 15, "cache_read_mtok": 0.3,
    "cache_write_mtok": 3.75, "cache_write_1h_mtok": 6, "web_searches_kcount": 10},
    "price_variants": [
      {"when": {"speed": "fast"}, "prices": {"input_mtok": 6, "output_mtok": 30}},
      {"when": {"processing": "batch"}, "prices": {"input_mtok": 1.5, "output_mtok": 7.5,
        "cache_read_mtok": 0.15, "cache_write_mtok": 1.875, "cache_write_1h_mtok": 3}}]},
  {"id": "tiered", "prices": {
    "input_mtok": {"base": 0.1, "tiers": [{"start": 100000, "price": 0.5}]},
    "output_mtok": {"base": 0.5, "tiers": [{"start": 100000, "price": 2.5}]},
    "cache_read_mtok": {"base": 0.01, "tiers": [{"start": 100000, "price": 0.05}]},
    "cache_write_mtok": {"base": 0.125, "tiers": [{"start": 100000, "price": 0.625}]}}},
  {"id": "dated", "prices": [
    {"prices": {"input_mtok": 8, "output_mtok": 24}},
    {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 5, "output_mtok": 25}},
    {"constraint": {"start_date": "2026-12-24"}, "prices": {"input_mtok": 4, "output_mtok": 20}}]},
  {"id": "by-the-hour", "prices": [
    {"prices": {"input_mtok": 1, "output_mtok": 2}},
    {"constraint": {"start_time": "16:30:00Z", "end_time": "00:30:00Z"},
     "prices": {"input_mtok": 0.5, "output_mtok": 1}}]},
  {"id": "odd", "prices": [{"constraint": {"start_date": "soon"}, "prices": {"input_mtok": 1}}]},
  {"id": "endless", "prices": {"input_mtok": Infinity, "output_mtok": 1}},
  {"id": "too-fine", "prices": {"input_mtok": 0.0000001, "output_mtok": 1}},
  {"id": "by-the-image", "prices": {"requests_kcount": 12}},
  {"id": "half-but-caches", "prices": {"input_mtok": 2, "output_mtok": 4, "cache_read_mtok": 2},
    "price_variants": [{"when": {"processing": "batch"}, "prices": {"input_mtok": 1, "output_mtok": 2}}]},
  {"id": "half-in-part", "prices": {"input_mtok": 2, "output_mtok": 4},
    "price_variants": [{"when": {"processing": "batch"}, "prices": {"input_mtok": 1, "output_mtok": 4}}]}
]}, {"id": "other", "models": []}]
"""


def read(*models: str, provider: str = "anthropic") -> Catalogue:
    return read_catalogue(json.loads(DATA, parse_float=Decimal), provider, models, NOW)


def rates(row: Any) -> tuple[int, ...]:
    return tuple(
        row[f"{name}_picousd"]
        for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    )


def test_each_rate_and_the_share_of_a_batch_are_exact() -> None:
    (row,) = read("flat").rows
    assert rates(row) == (3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000)
    assert (row["model"], row["starts_at"], row["above_prompt_tokens"], row["batch_percent"]) == (
        "flat",
        None,
        0,
        50,
    )


def test_a_tier_is_a_row_and_what_is_not_said_costs_what_it_is_part_of() -> None:
    small, large = read("tiered").rows
    assert (small["above_prompt_tokens"], large["above_prompt_tokens"]) == (0, 100_000)
    # Nothing is said of caches of an hour, nor of batches.
    assert rates(small) == (100_000, 500_000, 10_000, 125_000, 125_000)
    assert rates(large) == (500_000, 2_500_000, 50_000, 625_000, 625_000)
    assert (small["batch_percent"], large["batch_percent"]) == (None, None)


def test_what_holds_now_and_what_is_announced_are_rows_and_the_past_is_not() -> None:
    now, later = read("dated").rows
    assert (now["starts_at"], rates(now)[:3]) == (None, (5_000_000, 25_000_000, 5_000_000))
    assert later["starts_at"] == datetime(2026, 12, 24, tzinfo=UTC)
    assert rates(later)[:2] == (4_000_000, 20_000_000)


def test_what_rows_cannot_say_is_left_out_with_the_reason() -> None:
    found = read()
    assert {row["model"] for row in found.rows} == {"flat", "tiered", "dated"}
    assert found.skipped == {
        "by-the-hour": "Its price depends on the time of day.",
        "odd": "It cannot be read: Invalid isoformat string: 'soon'",
        "endless": "inf US dollars for a million tokens is no whole rate.",
        "too-fine": "1E-7 US dollars for a million tokens is no whole rate.",
        "by-the-image": "It has no input_mtok.",
        "half-but-caches": "A batch does not cost one whole percentage of all its rates.",
        "half-in-part": "A batch does not cost one whole percentage of all its rates.",
    }


def test_the_objects_of_the_package_are_read_as_its_json_is() -> None:
    price = SimpleNamespace(input_mtok=Decimal(5), output_mtok=Decimal(25), cache_read_mtok=Decimal("0.5"))
    later = SimpleNamespace(
        constraint=SimpleNamespace(start_date=date(2026, 12, 1)),
        prices=SimpleNamespace(input_mtok=Decimal(4), output_mtok=Decimal(20)),
    )
    model = SimpleNamespace(
        id="m", prices=[SimpleNamespace(constraint=None, prices=price), later], price_variants=None
    )
    rows = read_catalogue([SimpleNamespace(id="p", models=[model])], "p", (), NOW).rows
    assert [rates(row)[:3] for row in rows] == [
        (5_000_000, 25_000_000, 500_000),
        (4_000_000, 20_000_000, 4_000_000),
    ]


@pytest.mark.parametrize(("provider", "model"), [("nobody", "flat"), ("anthropic", "unheard-of")])
def test_a_provider_or_model_that_is_not_there_is_refused(provider: str, model: str) -> None:
    with pytest.raises(BadRequestError):
        read(model, provider=provider)
