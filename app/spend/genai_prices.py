"""What models cost by the data of the package `genai-prices`, as rows of a price book; pure.

The data are taken as the package's own objects or as the JSON that its project publishes, which have the
same names. A price that cannot be told exactly in a row is left out with its reason. It must not know
what is in anybody's price book.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from app.core.errors import BadRequestError

# For each rate the prices that hold where there is none of its own, as the package counts: what was written
# to a cache for an hour is written to a cache, and that is input.
_RATES = {
    "input_picousd": ("input_mtok",),
    "output_picousd": ("output_mtok",),
    "cache_read_picousd": ("cache_read_mtok", "input_mtok"),
    "cache_write_5m_picousd": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h_picousd": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
}
_BATCH = {"processing": "batch"}
# Of a dollar for a million tokens, which is what prices are told in.
_PICOUSD = 1_000_000
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Rows to import, of which `starts_at` is null for now, and why each other model is left out."""

    rows: Sequence[Mapping[str, Any]]
    skipped: Mapping[str, str]


class _UntoldError(Exception):
    """Why a model's price cannot be told in rows."""


def read_catalogue(
    providers: Iterable[Any], provider_id: str, models: Sequence[str], now: datetime
) -> Catalogue:
    """What the provider's models, or those that are named, cost now and from announced days on."""
    known = {_of(provider, "id"): provider for provider in providers}
    if provider_id not in known:
        raise BadRequestError(f"There is no provider {provider_id!r}; there are {', '.join(sorted(known))}.")
    by_id = {_of(model, "id"): model for model in _of(known[provider_id], "models") or ()}
    missing = sorted(set(models) - by_id.keys())
    if missing:
        raise BadRequestError(f"{provider_id} has no model {', '.join(missing)}.")
    rows: list[Mapping[str, Any]] = []
    skipped: dict[str, str] = {}
    for name in models or sorted(by_id):
        try:
            rows.extend(_rows(name, by_id[name], now))
        except _UntoldError as reason:
            skipped[name] = str(reason)
        except (ValueError, ArithmeticError) as error:
            skipped[name] = f"It cannot be read: {error}"
    return Catalogue(rows, skipped)


def _rows(name: str, model: Any, now: datetime) -> list[dict[str, Any]]:
    prices, variants = _of(model, "prices"), _of(model, "price_variants") or ()
    standard = list(prices) if isinstance(prices, list | tuple) else [{"constraint": None, "prices": prices}]
    if not standard:
        raise _UntoldError("It has no price.")
    batch = [variant for variant in variants if _of(variant, "when") == _BATCH]
    begins = {start for each in (*standard, *batch) if (start := _start(each)) is not None}
    rows = []
    for moment in (now, *sorted(start for start in begins if start > now)):
        price = _active(standard, moment) or _of(standard[0], "prices")
        tiers, cheaper = _tiers(price), _active(batch, moment)
        percent = None if cheaper is None else _batch_percent(tiers, _tiers(_over(price, cheaper)))
        rows += [
            {
                "model": name,
                "starts_at": None if moment == now else moment,
                "above_prompt_tokens": above,
                **rates,
                "batch_percent": percent,
            }
            for above, rates in tiers.items()
        ]
    return rows


def _active(conditional: Sequence[Any], moment: datetime) -> Any:
    """The last one that has begun."""
    begun = [each for each in conditional if (start := _start(each)) is None or start <= moment]
    return _of(begun[-1], "prices") if begun else None


def _start(conditional: Any) -> datetime | None:
    constraint = _of(conditional, "constraint")
    if constraint is None:
        return None
    day = _of(constraint, "start_date")
    if day is None:
        raise _UntoldError("Its price depends on the time of day.")
    return datetime.combine(date.fromisoformat(str(day)), time(), UTC)


def _tiers(price: Any) -> dict[int, dict[str, int]]:
    """The rates by the prompt size above which they hold."""
    found = {rate: _first(price, names) for rate, names in _RATES.items()}
    bounds = {0} | {int(_of(tier, "start")) for value in found.values() for tier in _of(value, "tiers") or ()}
    return {
        above: {rate: _picousd(_at(value, above)) for rate, value in found.items()}
        for above in sorted(bounds)
    }


def _first(price: Any, names: Sequence[str]) -> Any:
    for name in names:
        value = _of(price, name)
        if value is not None:
            return value
    raise _UntoldError(f"It has no {names[-1]}.")


def _at(value: Any, above: int) -> Any:
    """One price, or that of the tier which a larger prompt has reached."""
    base = _of(value, "base")
    if base is None:
        return value
    reached = [tier for tier in _of(value, "tiers") or () if int(_of(tier, "start")) <= above]
    return _of(max(reached, key=lambda tier: int(_of(tier, "start"))), "price") if reached else base


def _picousd(usd_per_million: Any) -> int:
    rate = Decimal(str(usd_per_million)) * _PICOUSD
    if not rate.is_finite() or rate != rate.to_integral_value() or rate < 0:
        raise _UntoldError(f"{usd_per_million} US dollars for a million tokens is no whole rate.")
    return int(rate)


def _over(standard: Any, variant: Any) -> dict[str, Any]:
    """A variant with the standard prices where it has none of its own."""
    names = {name for each in _RATES.values() for name in each}
    own = {name: _of(variant, name) for name in names}
    return {name: _of(standard, name) if value is None else value for name, value in own.items()}


def _batch_percent(
    standard: Mapping[int, Mapping[str, int]], cheaper: Mapping[int, Mapping[str, int]]
) -> int:
    """The share of the standard price that a batch costs."""
    if standard.keys() != cheaper.keys():
        raise _UntoldError("A batch has other tiers.")
    shares = {
        Decimal(cheaper[above][name] * _PERCENT) / rate
        for above, rates in standard.items()
        for name, rate in rates.items()
        if rate
    }
    (share, *others) = shares or {Decimal(_PERCENT)}
    if others or share != share.to_integral_value() or not 0 <= share <= _PERCENT:
        raise _UntoldError("A batch does not cost one whole percentage of all its rates.")
    return int(share)


def _of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
