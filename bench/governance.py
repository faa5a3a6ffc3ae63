"""`python -m bench.governance`: a new order of the mappings over everybody, while others go on working.

Three orders in turn: everybody gains a seat, everybody's role changes, everybody loses it. Each is planned
and applied over the real API; a few clients send other requests before and meanwhile.
"""

import itertools
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
from sqlalchemy import insert, select

from app.core.batches import batches
from app.core.context import OPERATOR, Caller
from app.core.tenancy import ORG_ID
from app.directory.groups import GroupService
from app.directory.models import memberships, principals, users
from app.directory.users import UserService
from app.settings import Settings
from app.wiring import Container, Services
from bench.databases import Databases, Target, open_databases
from bench.load import Request
from bench.population import GROUP, patch_operation, person
from bench.scale_client import ScimSender, timed, watched
from bench.servers import BenchError, free_port, serve_usher, usher

PLAN_SECONDS, APPLY_SECONDS, SLOWER = 15.0, 60.0, 2.0
# Other clients, how long each rests between its requests, and how long they are watched at peace.
OTHERS, PAUSE_SECONDS, PEACE_SECONDS = 4, 0.02, 6
POLL_SECONDS = 0.1
PILOTS = 1_000


@dataclass(frozen=True, slots=True)
class Organization:
    """What the bench asks about: a group of everybody, another one that nothing maps."""

    everybody: str
    others: str
    pilots: str
    people: Sequence[str]


class Loader:
    """Fills an organization in this process; people alike but for their names are written by statement."""

    def __init__(self, target: Target, port: int, org_id: str, settle: Callable[[], None]) -> None:
        self._settle = settle
        self._org_id = org_id
        self._container = Container(Settings.from_environment(target.environment(port)))

    def load(self, count: int) -> Organization:
        with self._write() as services:
            made = services.get(UserService).create(person("person", 0), active=True)
            services.commit()
        people = [made.id]
        for numbers in batches(range(1, count)):
            with self._write() as services:
                people += self._copies(services, made.id, numbers)
                services.commit()
            if len(people) <= len(numbers) + 1:
                self._begin_anew()
        self._begin_anew()
        with self._write() as services:
            everybody = services.get(GroupService).create({"schemas": [GROUP], "displayName": "All"}, ())
            others = services.get(GroupService).create({"schemas": [GROUP], "displayName": "Others"}, ())
            for batch in batches(people):
                rows = [{"group_id": everybody, "user_id": user_id} for user_id in batch]
                services.uow.execute_many(insert(memberships), rows)
            # An organization that has begun with a few: no table is empty.
            attributes = {"schemas": [GROUP], "displayName": "Pilots"}
            pilots = services.get(GroupService).create(attributes, people[:PILOTS])
            services.commit()
        self._begin_anew()
        return Organization(everybody, others, pilots, people)

    def _begin_anew(self) -> None:
        """Checks of foreign keys that were planned for an almost empty table would read all of it."""
        self._container.database.dispose()
        self._settle()

    @staticmethod
    def _copies(services: Services, user_id: str, numbers: Sequence[int]) -> list[str]:
        uow = services.uow
        of_user = select(users).where(users.c.org_id == ORG_ID, users.c.id == user_id)
        user = uow.execute(of_user).one()._asdict()
        of_principal = select(principals).where(principals.c.org_id == ORG_ID, principals.c.id == user_id)
        principal = uow.execute(of_principal).one()._asdict()
        del user["org_id"], principal["org_id"]
        ids = {uow.ids.new(): f"person-{number:06}@example.com" for number in numbers}
        uow.execute_many(insert(principals), [{**principal, "id": id_, "user_id": id_} for id_ in ids])
        rows = [
            {**user, "id": id_, "principal_id": id_, "user_name": name, "user_name_key": name}
            for id_, name in ids.items()
        ]
        uow.execute_many(insert(users), rows)
        return list(ids)

    @contextmanager
    def _write(self) -> Iterator[Services]:
        with self._container.begin(write=True, caller=Caller(OPERATOR, "bench")) as services:
            services.uow.enter(self._org_id)
            yield services


@dataclass(slots=True)
class Others:
    """Clients who read and change people meanwhile; `latencies` are seconds."""

    sender: ScimSender
    organization: Organization
    latencies: list[float] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self._ended.clear()
        self.latencies = []
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(OTHERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def p99_ms(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)] * 1000

    def _work(self, number: int) -> None:
        rng = random.Random(number)
        while not self._ended.wait(PAUSE_SECONDS):
            self.latencies.append(timed(partial(self.sender.send, self._request(rng))))

    def _request(self, rng: random.Random) -> Request:
        user_id = rng.choice(self.organization.people)
        turn = rng.random()
        if turn < 0.4:
            return Request("GET", f"/scim/v2/Users/{user_id}")
        if turn < 0.6:
            name = f"person-{rng.randrange(len(self.organization.people)):06}@example.com"
            return Request("GET", f"/scim/v2/Users?filter=userName%20eq%20%22{name}%22")
        if turn < 0.8:
            body = patch_operation("add", "members", [{"value": user_id}])
            return Request("PATCH", f"/scim/v2/Groups/{self.organization.others}", body)
        return Request("POST", "/scim/v2/Users", json.dumps(person("new", next(self._numbers))))


@dataclass(slots=True)
class Bench:
    api: ScimSender
    others: Others
    process_id: int
    peace_ms: float

    def measure(self, name: str, order: Sequence[dict[str, str]]) -> None:
        """Plan and apply one complete order, and wait for its job."""
        body: dict[str, object] = {"data": list(order)}
        with watched(self.process_id) as memory, self.others.at_work():
            began = time.perf_counter()
            plan = self._post("plan?limit=1000", body)
            planned = time.perf_counter() - began
            began = time.perf_counter()
            answer = self._post("apply", {**body, "plan_hash": plan["plan_hash"]})
            answered = time.perf_counter() - began
            while answer["type"] == "job" and answer["state"] == "running":
                time.sleep(POLL_SECONDS)
                answer = self.api.send(Request("GET", f"/api/v1/jobs/{answer['id']}"))
            applied = time.perf_counter() - began
        rows = plan["totals"]["role_changes"]
        print(f"{name}, {rows:,} people, answered after {answered:.1f} s", flush=True)
        show("  plan", planned, PLAN_SECONDS, "s")
        show("  apply, to the end of its job", applied, APPLY_SECONDS, "s")
        p99 = self.others.p99_ms()
        count = len(self.others.latencies)
        show(
            f"  p99 of {count} others ({p99:.0f} ms) beside {self.peace_ms:.0f} ms",
            p99 / self.peace_ms,
            SLOWER,
            "x",
        )
        print(
            f"  memory {memory.before:.0f}, at most {memory.peak:.0f}, then {memory.after:.0f} MB", flush=True
        )

    def _post(self, path: str, body: object) -> Any:
        return self.api.send(Request("POST", f"/api/v1/group_mappings/{path}", json.dumps(body)))


def show(text: str, value: float, bar: float, unit: str) -> None:
    verdict = "ok" if value <= bar else "ABOVE"
    print(f"{text}: {value:.1f} of at most {bar:.0f} {unit} ({verdict})", flush=True)


@click.command()
@click.option(
    "--database", default="postgresql", show_default=True, type=click.Choice(["postgresql", "sqlite"])
)
@click.option("--people", default=50_000, show_default=True)
def main(database: str, people: int) -> None:
    """Measure new orders of the mappings over everybody, beside their bars."""
    # A stop from outside unwinds like an error, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="usher-governance-") as folder,
            open_databases(database, Path(folder)) as databases,
        ):
            print(databases.durability(), flush=True)
            _measure(databases, people, Path(folder))
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)


def _measure(databases: Databases, people: int, folder: Path) -> None:
    name, port = "governance", free_port()
    target = databases.create(name)
    environment = target.environment(port)
    usher(environment, "db", "upgrade")
    org_id = usher(environment, "org", "create", "acme", "--name", "Acme", "--json")["id"]
    token = usher(environment, "scim-token", "create", "--org", "acme", "--json")["token"]
    key = usher(environment, "api-key", "create", "--org", "acme", "--scope", "admin", "--json")["key"]
    settle = partial(databases.settle, name)
    organization = Loader(target, port, org_id.removeprefix("org_"), settle).load(people)
    with serve_usher(target, port, folder) as process_id:
        api = ScimSender(port, key, "application/json")
        roles = {role["name"]: role["id"] for role in api.send(Request("GET", "/api/v1/roles"))["data"]}
        pilots = {"group_id": f"group_{organization.pilots}", "role_id": roles["member"]}
        api.send(Request("POST", "/api/v1/group_mappings", json.dumps(pilots)))
        settle()
        others = Others(ScimSender(port, token), organization)
        with others.at_work():
            time.sleep(PEACE_SECONDS)
        bench = Bench(api, others, process_id, others.p99_ms())
        group_id = f"group_{organization.everybody}"
        for text, role in (("everybody gains a seat", "member"), ("everybody's role changes", "owner")):
            bench.measure(text, [{"group_id": group_id, "role_id": roles[role]}, pilots])
            settle()
        bench.measure("everybody loses their seat", [])


if __name__ == "__main__":
    main()
