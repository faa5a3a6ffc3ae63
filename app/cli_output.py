"""How commands answer: JSON for programs, plain tables for people, never a secret twice."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from app.core.clock import rfc3339

MAX_LINE_LENGTH = 10_000

F = TypeVar("F", bound=Callable[..., Any])


def as_json(command: F) -> F:
    """Give a command the flag `--json`."""
    return click.option("--json", "json_", is_flag=True, help="Print one JSON document.")(command)


def show(value: Mapping[str, Any], *, json_: bool) -> None:
    if json_:
        click.echo(json.dumps(value, default=_plain))
        return
    width = max(len(name) for name in value)
    for name, item in value.items():
        click.echo(f"{name:<{width}}  {_text(item)}")


def show_rows(rows: Sequence[Mapping[str, Any]], *, json_: bool) -> None:
    if json_:
        click.echo(json.dumps(list(rows), default=_plain))
        return
    if not rows:
        click.echo("None yet.")
        return
    table = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_text(item) for item in row.values()))
    # Nothing is shortened to the terminal's width: ids are there to be copied. What stands in brackets or
    # between colons is foreign text, and no style or picture of ours.
    Console(width=MAX_LINE_LENGTH, soft_wrap=True, markup=False, emoji=False).print(table)


def _plain(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | dict):
        return json.dumps(value, default=_plain)
    return _plain(value)
