"""`python -m bench`: Usher and the bare-stack yardstick on the same databases, one table, the aims."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from bench import cases, report
from bench.databases import open_databases
from bench.load import require_wrk
from bench.servers import BenchError
from bench.stage import Plan, open_stage, progress

KINDS = ("postgresql", "sqlite")


class Numbers(click.ParamType[tuple[int, ...]]):
    """`1,16`."""

    name = "numbers"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        parts = str(value).split(",")
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is no list of numbers; write 1,16.", param, ctx)
        return tuple(int(part) for part in parts)


@click.command()
@click.option("--database", default="both", show_default=True, type=click.Choice([*KINDS, "both"]))
@click.option("--users", default="1000,12000", show_default=True, type=Numbers())
@click.option("--clients", default="1,16", show_default=True, type=Numbers())
@click.option("--seconds", default=3, show_default=True, help="Of each measurement.")
@click.option("--only", default="", help="Just the cases whose name holds this text.")
def main(database: str, users: Sequence[int], clients: Sequence[int], seconds: int, only: str) -> None:
    """Measure requests/s, p50 and p99 of the real server beside the yardstick."""
    started = time.monotonic()
    plan = Plan(seconds, clients, only)
    kinds = KINDS if database == "both" else (database,)
    if not any(plan.wants(name) for name in cases.all_names()):
        raise click.UsageError(f"No case is called so; there are: {', '.join(cases.all_names())}.")
    # A stop from outside unwinds like an error, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        require_wrk()
        rows = [row for kind in kinds for row in _measure(kind, users, plan)]
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)
    _print(rows, users, plan)
    progress(f"\n{time.monotonic() - started:.0f} s in all")
    if any(row.measured.fault for row in rows):
        sys.exit(1)


def _measure(kind: str, users: Sequence[int], plan: Plan) -> list[report.Row]:
    rows: list[report.Row] = []
    with _temporary_folder() as folder, open_databases(kind, folder / "db") as databases:
        print(databases.durability(), flush=True)
        for count in users:
            with open_stage(databases, count, plan, folder) as stage:
                rows.extend(stage.rows())
    return rows


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    # The socket of PostgreSQL lies below, and its path must be short.
    folder = Path(tempfile.mkdtemp(prefix="usher-bench-"))
    (folder / "db").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _print(rows: Sequence[report.Row], users: Sequence[int], plan: Plan) -> None:
    for line in report.table(rows):
        print(line)
    print("\nAims (each value is one population and number of clients, in the order of the table)")
    for line in report.aims(rows):
        print(line)
    print(f"\n{report.FOOTNOTES}")
    for size in cases.GROUP_SIZES:
        too_small = [f"{count:,}" for count in users if count < size]
        if too_small and plan.wants(cases.add_member_name(size)):
            print(f"- Skipped: a group of {size:,} needs more people than {', '.join(too_small)}.")


if __name__ == "__main__":
    main()
