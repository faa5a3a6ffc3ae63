"""The Claude models with their public prices: what each organization's price book begins with."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# Before any call that is ever priced; when Anthropic began to ask these prices does not matter here.
STARTS_AT = datetime(2026, 1, 1, tzinfo=UTC)
HALF_PERCENT = 50
PICOUSD_PER_TOKEN_OF_A_DOLLAR_PER_MILLION = 1_000_000

# US dollars for a million tokens: input, output, cache read, cache write for 5 minutes and for an hour;
# the first number is the prompt size above which the row holds.
_ROWS = (
    ("claude-opus-4-6", 0, "5", "25", "0.50", "6.25", "10"),
    ("claude-sonnet-4-6", 0, "3", "15", "0.30", "3.75", "6"),
    ("claude-haiku-4-5", 0, "1", "5", "0.10", "1.25", "2"),
    ("claude-opus-5-5", 0, "4", "20", "0.20", "5", "8"),
    ("claude-sonnet-5-5", 0, "2", "10", "0.10", "2.50", "4"),
    ("claude-haiku-5-5", 0, "0.10", "0.50", "0.01", "0.125", "0.20"),
    ("claude-haiku-5-5", 100_000, "0.50", "2.50", "0.05", "0.625", "1"),
    ("claude-fable-5-1", 0, "10", "50", "0.25", "12.50", "20"),
)


def shipped_rows() -> Iterator[Mapping[str, Any]]:
    """The values of each row but `id` and `created_at`."""
    for model, above, *rates in _ROWS:
        pico = [int(Decimal(rate) * PICOUSD_PER_TOKEN_OF_A_DOLLAR_PER_MILLION) for rate in rates]
        yield {
            "model": model,
            "starts_at": STARTS_AT,
            "above_prompt_tokens": above,
            "input_picousd": pico[0],
            "output_picousd": pico[1],
            "cache_read_picousd": pico[2],
            "cache_write_5m_picousd": pico[3],
            "cache_write_1h_picousd": pico[4],
            "batch_percent": HALF_PERCENT,
        }
