"""`python -m bench.scale`: what a large directory costs beside a small one, and a full import over HTTP.

Everybody comes in through the real endpoint, so that loading the large directory is the import that is
measured. Ratios are taken from the two servers in turn, the medians of several rounds.
"""

import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from urllib.parse import quote

import click

from bench.databases import Databases, open_databases
from bench.load import Case, Generator, Request, require_wrk
from bench.population import GROUP, patch_operation, person
from bench.scale_client import PARALLEL, ScimSender, timed, watched
from bench.servers import BenchError, free_port, serve_usher, usher

SMALL = 1_000
STEP = 5_000
PAGE = 100
ROUNDS = 3
CLIENTS = 4
# An import pushes so many groups, each with this many members, so many in one PATCH.
PUSHED_GROUPS, PUSHED_MEMBERS, CHUNK = 200, 500, 100
# People who are in no large group, to be added and removed; what one PUT names at most.
NEWCOMERS, PUT_MEMBERS = 50, 50_000
CHANGES = 300
REST_SECONDS = 5


@dataclass(slots=True)
class Directory:
    """One served database with one organization; `ids` are its people."""

    size: int
    sender: ScimSender
    load: Generator
    process_id: int
    settle: Callable[[], None]
    ids: list[str]

    def hire(self, count: int) -> float:
        """Create so many more people over HTTP; answers people a second."""
        numbers = range(len(self.ids), len(self.ids) + count)
        requests = [Request("POST", "/scim/v2/Users", json.dumps(person("person", n))) for n in numbers]
        seconds = timed(lambda: self.ids.extend(made["id"] for made in self.sender.send_all(requests)))
        return count / seconds

    def create_group(self, name: str, members: Sequence[str] = ()) -> str:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": id_} for id_ in members]}
        return str(self.sender.send(Request("POST", "/scim/v2/Groups", json.dumps(body)))["id"])


@contextmanager
def open_directory(databases: Databases, size: int, folder: Path) -> Iterator[Directory]:
    name = f"scale_{size}"
    port = free_port()
    target = databases.create(name)
    environment = target.environment(port)
    usher(environment, "db", "upgrade")
    usher(environment, "org", "create", "acme", "--name", "Acme", "--json")
    token = usher(environment, "scim-token", "create", "--org", "acme", "--json")["token"]
    own = folder / name
    own.mkdir()
    with serve_usher(target, port, own) as process_id:
        settle = partial(databases.settle, name)
        yield Directory(size, ScimSender(port, token), Generator(port, token, own), process_id, settle, [])


def reads(size: int) -> list[Case]:
    def drawn(turn: int, below: int = size) -> int:
        return random.Random(turn).randrange(below)

    def filtered(text: str) -> Callable[[int], Request]:
        def make(turn: int) -> Request:
            people = person("person", drawn(turn))
            return Request("GET", f"/scim/v2/Users?filter={quote(text.format(**people))}")

        return make

    def page(turn: int) -> Request:
        return Request(
            "GET", f"/scim/v2/Users?startIndex={1 + PAGE * drawn(turn, size // PAGE)}&count={PAGE}"
        )

    return [
        Case("filter by userName", filtered('userName eq "{userName}"')),
        Case("filter by externalId", filtered('externalId eq "{externalId}"')),
        Case("filter by work e-mail", filtered('emails[type eq "work"].value eq "{userName}"')),
        Case(f"page of {PAGE}", page),
    ]


def measure_import(directory: Directory) -> None:
    rates = []
    while len(directory.ids) < directory.size:
        step = min(STEP, directory.size - len(directory.ids))
        rates.append(directory.hire(step))
        progress(f"  {len(directory.ids):,} people, {rates[-1]:,.0f}/s")
    directory.settle()
    show_steps(f"import of {directory.size:,} users, per {STEP:,}", rates, "users/s")


def measure_group_push(directory: Directory) -> None:
    """As Okta pushes groups: created empty, then filled in PATCHes of a hundred."""
    members = min(PUSHED_MEMBERS, len(directory.ids))
    rates = []
    for first in range(0, PUSHED_GROUPS, PUSHED_GROUPS // 10):
        started = time.perf_counter()
        for number in range(first, first + PUSHED_GROUPS // 10):
            group_id = directory.create_group(f"Pushed {number}")
            chosen = random.Random(number).sample(directory.ids, members)
            for place in range(0, members, CHUNK):
                value = [{"value": id_} for id_ in chosen[place : place + CHUNK]]
                operation = patch_operation("add", "members", value)
                directory.sender.send(Request("PATCH", f"/scim/v2/Groups/{group_id}", operation))
        rates.append(PUSHED_GROUPS / 10 * members / (time.perf_counter() - started))
    show_steps(f"import of {PUSHED_GROUPS} groups of {members:,}", rates, "members/s")


def measure_reads(small: Directory, large: Directory, seconds: int) -> None:
    pairs = list(zip(reads(small.size), reads(large.size), strict=True))
    for of_small, of_large in pairs:
        costs: dict[int, list[float]] = {small.size: [], large.size: []}
        # The first round only warms up.
        for round_ in range(ROUNDS + 1):
            for directory, case in ((small, of_small), (large, of_large)):
                measured = directory.load.measure(case, clients=CLIENTS, seconds=seconds)
                if measured.fault:
                    raise BenchError(f"{case.name}: {measured.fault}")
                costs[directory.size] += [1000 / measured.per_second] if round_ else []
        few, many = (median(costs[size]) for size in (small.size, large.size))
        show(
            f"{of_small.name}: {few:.2f} ms at {small.size:,}, {many:.2f} ms at {large.size:,}",
            many / few,
            1.5,
        )


def measure_changes(directory: Directory) -> None:
    newcomers, members = directory.ids[:NEWCOMERS], directory.ids[NEWCOMERS:]
    empty, full = directory.create_group("Empty"), directory.create_group("Full", members)
    directory.settle()
    costs: dict[tuple[str, str], list[float]] = {}
    for number in range(CHANGES):
        newcomer = newcomers[number % NEWCOMERS]
        for group_id in (empty, full):
            for op in ("add", "remove"):
                body = patch_operation(op, "members", [{"value": newcomer}])
                request = Request("PATCH", f"/scim/v2/Groups/{group_id}", body)
                seconds = timed(partial(directory.sender.send, request))
                costs.setdefault((op, group_id), []).append(seconds)
    for op in ("add", "remove"):
        small, large = median(costs[op, empty]), median(costs[op, full])
        text = f"{op} a member: {small * 1000:.2f} ms in an empty group"
        show(f"{text}, {large * 1000:.2f} ms among {len(members):,}", large / small, 1.3)


def measure_put(directory: Directory) -> None:
    group_id = directory.create_group("Put")
    halves = directory.ids[:PUT_MEMBERS], directory.ids[-PUT_MEMBERS:]
    for text, members in zip(("into an empty group", "over as many others"), halves, strict=True):
        value = [{"value": id_} for id_ in members]
        body = json.dumps({"schemas": [GROUP], "displayName": "Put", "members": value})
        path = f"/scim/v2/Groups/{group_id}?excludedAttributes=members"
        with watched(directory.process_id) as memory:
            seconds = timed(partial(directory.sender.send, Request("PUT", path, body)))
            time.sleep(REST_SECONDS)
        grown = f"memory {memory.before:.0f}, at most {memory.peak:.0f}, then {memory.after:.0f} MB"
        print(f"PUT of {len(members):,} members {text}: {seconds:.1f} s, {grown}", flush=True)


def show_steps(text: str, rates: Sequence[float], unit: str) -> None:
    """Beginning and end are a quarter each, so that one disturbed step decides nothing."""
    quarter = max(1, len(rates) // 4)
    first, last = mean(rates[:quarter]), mean(rates[-quarter:])
    show(f"{text}: {first:,.0f} {unit} at first, {last:,.0f} at last", first / last, 1.2)


def show(text: str, ratio: float, bar: float) -> None:
    verdict = "ok" if ratio <= bar else "ABOVE"
    print(f"{text}: ratio {ratio:.2f} of at most {bar} ({verdict})", flush=True)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@click.command()
@click.option(
    "--database", default="postgresql", show_default=True, type=click.Choice(["postgresql", "sqlite"])
)
@click.option("--users", default=100_000, show_default=True, help="In the large directory.")
@click.option("--seconds", default=3, show_default=True, help="Of each round of reads.")
def main(database: str, users: int, seconds: int) -> None:
    """Measure a large directory beside a small one, large groups, and the import that makes them."""
    started = time.monotonic()
    # A stop from outside unwinds like an error, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        require_wrk()
        with (
            tempfile.TemporaryDirectory(prefix="usher-scale-") as folder,
            open_databases(database, Path(folder)) as databases,
        ):
            print(f"{databases.durability()}; {PARALLEL} requests at once", flush=True)
            _measure(databases, users, seconds, Path(folder))
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)
    progress(f"\n{time.monotonic() - started:.0f} s in all")


def _measure(databases: Databases, users: int, seconds: int, folder: Path) -> None:
    with (
        open_directory(databases, SMALL, folder) as small,
        open_directory(databases, max(users, 2 * SMALL), folder) as large,
    ):
        small.hire(SMALL)
        small.settle()
        measure_import(large)
        measure_reads(small, large, seconds)
        measure_group_push(large)
        measure_changes(large)
        measure_put(large)


if __name__ == "__main__":
    main()
