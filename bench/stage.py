"""One database with one population and both servers on it: measures its cases in their order.

The people are measured before the large groups exist, because each of those would show in the answer
of every member. Before a case begins, the worker has caught up with what the last one left behind.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import cases
from bench.databases import Databases
from bench.load import Case, Generator
from bench.population import BARE_TOKEN, People, Population
from bench.report import Row
from bench.servers import free_port, serve_usher, serve_yardstick, usher

WARM_UP_SECONDS = 1
CATCH_UP_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: int
    clients: Sequence[int]
    only: str

    def wants(self, name: str) -> bool:
        return self.only.lower() in name.lower()


@dataclass(slots=True)
class Stage:
    database: str
    users: int
    plan: Plan
    people: People
    population: Population
    usher: Generator
    yardstick: Generator
    yardstick_cases: dict[str, Case]

    def rows(self) -> Iterator[Row]:
        yield from self._group(cases.READ, cases.read_cases(self.people))
        yield from self._group(cases.INSERT, cases.write_cases(self.people))
        adds = [
            cases.add_member_case(size, self.population.create_groups(size), self.people)
            for size in cases.GROUP_SIZES
            if size <= self.users and self.plan.wants(cases.add_member_name(size))
        ]
        yield from self._group(cases.INSERT, adds)

    def _group(self, route: str, group: Sequence[Case]) -> list[Row]:
        wanted = [case for case in group if self.plan.wants(case.name)]
        if not wanted:
            return []
        self._warm_up(self.yardstick, self.yardstick_cases[route])
        before = self._yardstick(route)
        measured = []
        for case in wanted:
            self._warm_up(self.usher, case)
            for clients in self.plan.clients:
                self._catch_up()
                result = self.usher.measure(case, clients=clients, seconds=self.plan.seconds)
                measured.append((case.name, clients, result))
                progress(f"  {case.name}, {clients} clients: {result.per_second:,.0f}/s {result.fault}")
        after = self._yardstick(route)
        return [
            Row(self.database, name, self.users, clients, result, (before[clients] + after[clients]) / 2)
            for name, clients, result in measured
        ]

    def _yardstick(self, route: str) -> dict[int, float]:
        self._catch_up()
        rates = {}
        for clients in self.plan.clients:
            case = self.yardstick_cases[route]
            result = self.yardstick.measure(case, clients=clients, seconds=self.plan.seconds)
            # A yardstick that fails measures nothing; its ratio then shows as 0.
            rates[clients] = 0.0 if result.fault else result.per_second
            progress(f"  yardstick {route}, {clients} clients: {result.per_second:,.0f}/s {result.fault}")
        return rates

    def _warm_up(self, generator: Generator, case: Case) -> None:
        generator.measure(case, clients=max(self.plan.clients), seconds=WARM_UP_SECONDS)

    def _catch_up(self) -> None:
        started = time.monotonic()
        backlog = first = self.population.backlog()
        while backlog and time.monotonic() - started < CATCH_UP_SECONDS:
            time.sleep(0.2)
            backlog = self.population.backlog()
        seconds = time.monotonic() - started
        if seconds > 2:
            progress(f"  waited {seconds:.0f} s for the worker: {first} to do, {backlog} left")


@contextmanager
def open_stage(databases: Databases, users: int, plan: Plan, folder: Path) -> Iterator[Stage]:
    """Migrate, create the organization and token by the real CLI, load, serve; all ends with the block."""
    name = f"bench_{users}"
    port, bare_port = free_port(), free_port()
    target = databases.create(name)
    environment = target.environment(port)
    usher(environment, "db", "upgrade")
    organization = usher(environment, "org", "create", "acme", "--name", "Acme", "--json")
    token = usher(environment, "scim-token", "create", "--org", "acme", "--json")["token"]
    settle = partial(databases.settle, name)
    population = Population(target, port, organization["id"].removeprefix("org_"), settle)
    try:
        people = _timed(f"{databases.kind}: {users:,} people loaded", lambda: population.load(users))
        population.load_yardstick(people.population)
        settle()
        with serve_usher(target, port, folder), serve_yardstick(target, bare_port, folder):
            yield Stage(
                database=databases.kind,
                users=users,
                plan=plan,
                people=people,
                population=population,
                usher=Generator(port, token, folder),
                yardstick=Generator(bare_port, BARE_TOKEN, folder),
                yardstick_cases=cases.yardstick_cases(people),
            )
    finally:
        population.close()


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _timed(text: str, work: Callable[[], People]) -> People:
    started = time.monotonic()
    done = work()
    progress(f"{text} in {time.monotonic() - started:.0f} s")
    return done
