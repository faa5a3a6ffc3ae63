"""`usher prices`: many prices at once, from a file or from what others have collected."""

import csv
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from app.api.loading import load
from app.api.schemas.price_imports import NewPriceImport, PriceImported, show_import
from app.cli_output import as_json, show, show_rows
from app.cli_session import org_option, session
from app.core.errors import BadRequestError
from app.spend.genai_prices import read_catalogue
from app.spend.price_import import PriceImport

GENAI_PRICES = "genai-prices"
_WHOLE = ("above_prompt_tokens", "batch_percent")
_SHOWN = ("above_prompt_tokens", "input_per_million_usd", "output_per_million_usd", "batch_percent")


@click.group()
def prices() -> None:
    """The price book."""


@prices.command("import")
@org_option
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "source", type=click.Choice([GENAI_PRICES]), help="Whose data they are.")
@click.option("--provider", default="anthropic", show_default=True, help="Whose models, with --from.")
@click.option("--model", "models", multiple=True, help="Only this model, with --from; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@as_json
def prices_import(
    org: str,
    file: Path | None,
    source: str | None,
    provider: str,
    models: Sequence[str],
    *,
    dry_run: bool,
    json_: bool,
) -> None:
    """Add the prices of FILE (.json or .csv) that differ from the book's, from now or their own time on.

    With --from genai-prices FILE is that project's data.json; without FILE the installed package is read.
    """
    if source is None and file is None:
        raise click.UsageError("Name a file, or say --from genai-prices.")
    skipped: Mapping[str, str] = {}
    with session(write=not dry_run, org=org) as services:
        if source is None and file is not None:
            rows: Sequence[Mapping[str, Any]] = _own_rows(file)
        else:
            found = read_catalogue(_genai_providers(file), provider, models, services.uow.now)
            rows, skipped = found.rows, found.skipped
        importing = services.get(PriceImport)
        changes = importing.preview(rows) if dry_run else importing.apply(rows)
        services.commit()
    shown: dict[str, Any] = PriceImported().dump(show_import(changes, dry_run=dry_run))
    _print({**shown, "skipped": dict(skipped)}, json_=json_)


def _own_rows(file: Path) -> Sequence[Mapping[str, Any]]:
    """The rows of a file in the words of `POST /prices/import`."""
    if file.suffix.lower() == ".csv":
        with file.open(encoding="utf-8-sig", newline="") as lines:
            given: Any = {"prices": [_from_csv(row) for row in csv.DictReader(lines)]}
    else:
        value = _read_json(file)
        given = {"prices": value} if isinstance(value, list) else value
    if not isinstance(given, dict):
        raise BadRequestError(f"{file}: Give a list of prices.")
    rows: Sequence[Mapping[str, Any]] = load(NewPriceImport(), given)["prices"]
    return rows


def _from_csv(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A line without its empty cells; whole numbers as such. What else is wrong, the schema says."""
    return {
        str(name): int(text) if name in _WHOLE and str(text).isdecimal() else text
        for name, text in row.items()
        if text not in (None, "")
    }


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"), parse_float=Decimal)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadRequestError(f"{file} is no JSON: {error}") from error


def _genai_providers(file: Path | None) -> Iterable[Any]:
    if file is not None:
        value = _read_json(file)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise BadRequestError(
                f"{file} is no data.json of genai-prices: it begins with no list of providers."
            )
        return value
    try:
        data: Any = importlib.import_module("genai_prices.data")
    except ImportError as error:
        raise BadRequestError(
            "The package genai-prices is not installed here. Install it beside Usher (pip install "
            "genai-prices), or give the path to its data.json."
        ) from error
    providers: Iterable[Any] = data.providers
    return providers


def _print(shown: Mapping[str, Any], *, json_: bool) -> None:
    if json_:
        show(shown, json_=True)
        return
    rows = [
        {"model": change["model"], "starts_at": change["starts_at"], "result": change["result"]}
        | {name: _difference(name, before, after) for name in _SHOWN}
        for change in shown["data"]
        for before, after in _pairs(change)
    ]
    show_rows(rows, json_=False)
    for model, reason in shown["skipped"].items():
        click.echo(f"skipped {model}: {reason}")
    click.echo(f"{shown['added']} {'would be' if shown['dry_run'] else 'were'} added.")


def _pairs(change: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each tier as it was, empty for a new one, and as it is to be."""
    before = {tier["above_prompt_tokens"]: tier for tier in change["before"]}
    return [(before.get(tier["above_prompt_tokens"], {}), tier) for tier in change["after"]]


def _difference(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old, new = before.get(name), after[name]
    return str(new) if old in (None, new) else f"{old} -> {new}"
