"""`python -m bench.spend`: what an authorization costs, on PostgreSQL.

A thousand people with a limit each and one organization with another, so that every call moves one row
that all others move too; limits are so high that none is met. Beside the yardstick's conditional update:
throughput, latency at a part of it, the same with more people and with a longer ledger. Then a storm at a
limit that binds, looked at while it lasts.
"""

import json
import random
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click

from bench.databases import Databases, Target, open_databases
from bench.load import Measured, require_wrk
from bench.population import BARE_TOKEN, Population
from bench.servers import BenchError, free_port, serve_usher, serve_yardstick, usher
from bench.spend_books import EVERYBODY_NANOUSD, Books
from bench.spend_till import Line, Till

AIM, LATENCY_AIM, GROWTH_AIM = 0.6, 4.0, 1.2
# Latency is measured at this part of the throughput.
SHARE_OF_LOAD = 0.7
FEW_PEOPLE, MANY_PEOPLE = 10, 10_000
SHORT_LEDGER, LONG_LEDGER = 1_000, 1_000_000
TURNS, GROWTH_SECONDS = 5, 1
PREPARED = 20_000
# Half of a population is seated.
SHARE_SEATED = 2
# What each call of the storm holds, and how many of those fit at once.
STORM_USD, STORM_FIT = "0.01", 8
NANOUSD_PER_STORM_CALL = 10_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    people: int
    clients: int
    seconds: int
    storm_seconds: int


@dataclass(frozen=True, slots=True)
class Company:
    """An organization; `first` are those of its people whom Usher's services made."""

    population: Population
    books: Books
    first: Sequence[str]
    port: int
    key: str

    def till(self, folder: Path) -> Till:
        return Till(self.port, self.key, folder)


@click.command()
@click.option("--people", default=1_000, show_default=True, help="With a seat, in the main measurement.")
@click.option("--clients", default=16, show_default=True)
@click.option("--seconds", default=5, show_default=True, help="Of each measurement.")
@click.option("--storm", default=60, show_default=True, help="Seconds of the storm; 0 leaves it out.")
def main(people: int, clients: int, seconds: int, storm: int) -> None:
    """Measure authorize, and authorize and settle in turn; then the storm."""
    try:
        require_wrk()
        with _folder() as folder, open_databases("postgresql", folder / "db") as databases:
            print(databases.durability(), flush=True)
            _run(databases, folder, Plan(people, clients, seconds, storm))
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)


def _run(databases: Databases, folder: Path, plan: Plan) -> None:
    port, bare_port = free_port(), free_port()
    target = databases.create("spend")
    environment = target.environment(port)
    usher(environment, "db", "upgrade")
    settle = partial(databases.settle, "spend")
    main = _open_company(target, environment, "main", port, settle)
    sizes = {
        f"{FEW_PEOPLE} people": (FEW_PEOPLE, SHORT_LEDGER),
        f"{MANY_PEOPLE:,} people": (MANY_PEOPLE, SHORT_LEDGER),
        f"ledger of {LONG_LEDGER:,}": (FEW_PEOPLE, LONG_LEDGER),
    }
    companies = {
        name: _open_company(target, environment, f"size{number}", port, settle)
        for number, name in enumerate(sizes)
    }
    with serve_usher(target, port, folder):
        people = _fill(main, folder, plan.people, SHORT_LEDGER)
        grown = {name: (company, _fill(company, folder, *sizes[name])) for name, company in companies.items()}
        main.population.load_yardstick(people)
        settle()
        with serve_yardstick(target, bare_port, folder):
            _measure(main.till(folder), Till(bare_port, BARE_TOKEN, folder), people, plan)
        _measure_growth({name: (one.till(folder), ids) for name, (one, ids) in grown.items()})
        if plan.storm_seconds:
            _measure_storm(main, main.till(folder), people, plan)
    for company in (main, *companies.values()):
        company.population.close()
    found = usher(environment, "spend", "verify", "--org", "main", "--json")
    print(f"spend verify: {found['counters']} counters, {len(found['differences'])} differences")


def _open_company(
    target: Target, environment: Mapping[str, str], slug: str, port: int, settle: Callable[[], None]
) -> Company:
    """An organization with a few people from Usher's services, a gateway's key and a high limit."""
    org_id = usher(environment, "org", "create", slug, "--name", slug, "--json")["id"].removeprefix("org_")
    made = usher(environment, "api-key", "create", "--org", slug, "--scope", "spend:authorize", "--json")
    population = Population(target, port, org_id, settle)
    people = population.load(FEW_PEOPLE * SHARE_SEATED).seated
    books = Books(target, org_id)
    books.limit_everybody(EVERYBODY_NANOUSD)
    return Company(population, books, people, port, made["key"])


def _fill(company: Company, folder: Path, people: int, ledger: int) -> list[str]:
    # The first call of each person in a window opens its counters; all others become like these.
    company.till(folder).measure(_calls(company.first), clients=1, seconds=1)
    company.books.grow_ledger(ledger)
    return company.books.grow_people(people)


def _measure(till: Till, yardstick: Till, people: Sequence[str], plan: Plan) -> None:
    """Throughput beside the yardstick, and latency below it."""
    calls, updates = _calls(people), _lines(people, lambda id_: (f"/spend/{id_}", "{}"))
    bare = partial(yardstick.measure, updates, clients=plan.clients, seconds=plan.seconds)
    ask = partial(till.measure, calls, clients=plan.clients, seconds=plan.seconds)
    for warm_up in (bare, ask):
        warm_up()
    before = _print("yardstick", bare())
    authorize = _print("authorize", ask())
    _print("authorize, settle in turn", ask(settle=True))
    after = _print("yardstick", bare())
    ratio = 2 * authorize.per_second / (before.per_second + after.per_second)
    _verdict(ratio >= AIM and not authorize.fault, f"authorize is {ratio:.2f} of the yardstick", AIM)
    # The yardstick's tail says how much of the tail is the machine's.
    for name, measure, full in (("yardstick", bare, before), ("authorize", ask, authorize)):
        # Each client's turn comes round in this time when so many requests a second come in all; below the
        # full load an answer takes about a third of what it takes there.
        turn_ms = 1_000 * plan.clients / (SHARE_OF_LOAD * full.per_second)
        paced = measure(pause_ms=turn_ms - full.p50_ms / 3)
        _print(f"{name}, {paced.per_second / full.per_second:.0%} load", paced)
    tail = paced.p99_ms / paced.p50_ms
    _verdict(tail < LATENCY_AIM and not paced.fault, f"p99 is {tail:.1f} times p50", LATENCY_AIM)


def _measure_growth(companies: Mapping[str, tuple[Till, Sequence[str]]]) -> None:
    """One client at a time, so that nobody waits for anybody; in turns, so that all have the same weather.

    Each call is within a session, which looks at what that cost before, and is settled.
    """
    found: dict[str, list[Measured]] = {name: [] for name in companies}
    for _ in range(TURNS + 1):
        for name, (till, people) in companies.items():
            calls = _calls(people, session=True)
            found[name].append(till.measure(calls, clients=1, seconds=GROWTH_SECONDS, settle=True))
    medians = {}
    for name, (_, *measured) in found.items():
        medians[name] = median(one.p50_ms for one in measured)
        faults = "; ".join(one.fault for one in measured if one.fault)
        print(f"one client, {name:<28} p50 {medians[name]:.2f} ms, median of {TURNS}  {faults}", flush=True)
    smallest = next(iter(medians.values()))
    most = max(medians.values()) / smallest
    _verdict(
        most <= GROWTH_AIM, f"with more people or entries a call costs {most:.2f} times as much", GROWTH_AIM
    )


def _measure_storm(company: Company, till: Till, people: Sequence[str], plan: Plan) -> None:
    """Everybody at once at a limit for a few of them, while somebody looks."""
    books = company.books
    with books.watch() as watch:
        room = watch.spent() + STORM_FIT * NANOUSD_PER_STORM_CALL
        books.limit_everybody(room)
        looks, excess, over = 0, 0, threading.Event()

        def look() -> None:
            nonlocal looks, excess
            while not over.is_set():
                looks, excess = looks + 1, max(excess, watch.highest_excess())

        looking = threading.Thread(target=look)
        looking.start()
        calls = _lines(people, lambda id_: ("/api/v1/authorizations", _call(id_, max_cost_usd=STORM_USD)))
        measured, answers = till.storm(calls, clients=plan.clients, seconds=plan.storm_seconds)
        over.set()
        looking.join()
    print(
        f"storm of {plan.storm_seconds} s: {measured.requests:,} requests, {answers.allowed:,} allowed, "
        f"{answers.refused:,} refused, {answers.failed} failed; {looks:,} looks at the counters"
    )
    is_held = excess <= 0 and answers.failed == 0 and answers.refused > 0
    _verdict(is_held, f"highest excess over a limit: {max(0, excess)} nano-dollars", 0)


def _calls(people: Sequence[str], *, session: bool = False) -> list[Line]:
    def line(id_: str) -> Line:
        more = {"session_id": f"session {int(id_[-8:], 16) % 50_000}"} if session else {}
        estimate = {"input_tokens": 1_000, "output_tokens": 500}
        return "/api/v1/authorizations", _call(id_, estimate=estimate, **more)

    return _lines(people, line)


def _lines(people: Sequence[str], make: Callable[[str], Line]) -> list[Line]:
    chosen = random.Random(1)
    return [make(chosen.choice(people)) for _ in range(PREPARED)]


def _call(user_id: str, **bound: Any) -> str:
    body = {
        "user": {"id": f"user_{user_id}"},
        "surface": "code",
        "model": "claude-sonnet-4-6",
        "repository": "acme/web",
        **bound,
    }
    return json.dumps(body)


def _print(name: str, measured: Measured) -> Measured:
    print(
        f"{name:<28}{measured.per_second:>8,.0f}/s  p50 {measured.p50_ms:.2f} ms  "
        f"p99 {measured.p99_ms:.2f} ms  {measured.fault}",
        flush=True,
    )
    return measured


def _verdict(is_met: bool, found: str, aim: float) -> None:
    print(f"{'met' if is_met else 'MISSED'}: {found}, the aim is {aim}", flush=True)


@contextmanager
def _folder() -> Iterator[Path]:
    # The socket of PostgreSQL lies below, and its path must be short.
    folder = Path(tempfile.mkdtemp(prefix="usher-bench-"))
    (folder / "db").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
