"""`python -m bench.analytics`: every report of 31 days over a million ledger rows, on PostgreSQL.

The rows are what settling leaves (`ledger.py`); they are summed up by the worker's own steps, held against
the ledger, and then every report is asked for over HTTP.
"""

import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path

import click
from sqlalchemy import select

from app.core.context import OPERATOR, Caller
from app.core.tenancy import ORG_ID
from app.directory.groups import GroupService
from app.governance.models import seats
from app.settings import Settings
from app.spend.analytics import ATTRIBUTIONS, DIMENSIONS
from app.spend.billing_contracts import Contracts
from app.spend.rollups import RollUps
from app.wiring import Container, build_worker
from bench.databases import Target, open_databases
from bench.ledger import fill, verify
from bench.population import GROUP, Population
from bench.servers import BenchError, free_port, serve_usher, usher

AIM_MS = 300
TIMES = 3
# Half of the population is seated.
SHARE_SEATED = 2
# Everybody is in one of so many teams, beside the group that gives the seat.
TEAMS = 40
_SEATED = select(seats.c.user_id).where(seats.c.org_id == ORG_ID).order_by(seats.c.user_id)


@click.command()
@click.option("--people", default=1_000, show_default=True, help="With a seat.")
@click.option("--ledger", default=1_000_000, show_default=True, help="Rows in the ledger.")
def main(people: int, ledger: int) -> None:
    """Measure the median and the slowest answer of every report."""
    try:
        with _folder() as folder, open_databases("postgresql", folder / "db") as databases:
            target = databases.create("analytics")
            port = free_port()
            environment = target.environment(port)
            usher(environment, "db", "upgrade")
            org = usher(environment, "org", "create", "acme", "--name", "Acme", "--json")
            made = usher(
                environment, "api-key", "create", "--org", "acme", "--scope", "analytics:read", "--json"
            )
            org_id = org["id"].removeprefix("org_")
            settle = partial(databases.settle, "analytics")
            population = Population(target, port, org_id, settle)
            population.load(people * SHARE_SEATED)
            population.close()
            settle()
            prepare(target, port, org_id, ledger)
            settle()
            with serve_usher(target, port, folder):
                measure(port, made["key"])
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)


def prepare(target: Target, port: int, org_id: str, ledger: int) -> None:
    """Teams and a contract, the ledger, its sums."""
    container = Container(Settings.from_environment(target.environment(port)))
    caller = Caller(OPERATOR, "bench")
    with container.begin(write=True, caller=caller) as services:
        services.uow.enter(org_id)
        seated = services.uow.execute(_SEATED).scalars()
        for team in range(TEAMS):
            attributes = {"schemas": [GROUP], "displayName": f"Team {team}"}
            services.get(GroupService).create(attributes, seated[team::TEAMS])
        today = datetime.now(UTC).date().toordinal()
        contract = {"name": "2026", "starts_on": today - 30, "ends_on": today + 300}
        services.get(Contracts).create({**contract, "cap_nanousd": 10**15, "cap_tokens": 10**12})
        services.commit()
    begun = time.perf_counter()
    fill(target, org_id, ledger)
    print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)
    begun, done, step = time.perf_counter(), 0, 1
    while step:
        with container.begin(write=True, caller=caller) as services:
            services.uow.enter(org_id)
            step = services.get(RollUps).step()
            services.commit()
        done += step
    passed = time.perf_counter() - begun
    print(f"rolled up {done:,} ledger rows in {passed:.1f} s, {done / passed:,.0f}/s", flush=True)
    # What a month would have done by now: seats noted for the bill, the log in its order.
    worker = build_worker(container)
    while worker.serve(org_id):
        pass
    container.database.dispose()
    begun = time.perf_counter()
    entries = verify(target, port, org_id)
    print(f"{entries:,} entries, counters and sums agree, proved in {time.perf_counter() - begun:.1f} s")


def measure(port: int, key: str) -> None:
    """Ask for every report; every set of dimensions is one."""
    day = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT00:00:00Z")
    reports = [
        f"/analytics/{report}?limit=1000&starting_at={day}"
        + "".join(f"&group_by[]={name}" for name in names)
        + (f"&attribution={attribution}" if "group" in names else "")
        for report in ("cost", "usage", "summary")
        for size in range(len(DIMENSIONS) + 1)
        for names in combinations(DIMENSIONS, size)
        for attribution in (ATTRIBUTIONS if "group" in names else ATTRIBUTIONS[:1])
        # They read the same sums; of the others only the widest is asked for too.
        if report == "cost" or size in (0, 1, len(DIMENSIONS))
    ]
    others = ["/billing", "/billing/lines?limit=1000", "/billing/contracts"]
    tables = [
        reports[0],
        f"/analytics/cost?limit=1000&starting_at={day}&group_by[]=user&group_by[]=repository",
    ]
    asked = [(path, "application/json") for path in (*reports, *others)]
    asked += [(path, "text/csv") for path in (*tables, others[1])]
    medians = {}
    for path, accept in asked:
        spent = sorted(_ask(port, key, path, accept) for _ in range(TIMES))
        medians[f"{path} ({accept})"] = spent[TIMES // 2]
        if path.count("group_by") < 2:
            print(f"{spent[TIMES // 2]:7.1f} ms, slowest {spent[-1]:7.1f} ms  {path} ({accept})", flush=True)
    ordered = sorted(medians.items(), key=lambda item: -item[1])
    print("The slowest:")
    for path, median in ordered[:8]:
        print(f"{median:7.1f} ms  {path}")
    slow = sum(median >= AIM_MS for median in medians.values())
    print(
        f"{'MISSED' if slow else 'met'}: of {len(medians)} reports {slow} take {AIM_MS} ms or more; "
        f"the slowest {ordered[0][1]:.0f} ms, the median {statistics.median(medians.values()):.0f} ms"
    )


def _ask(port: int, key: str, path: str, accept: str) -> float:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1{path}")
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Accept", accept)
    begun = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        response.read()
    return (time.perf_counter() - begun) * 1_000


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
