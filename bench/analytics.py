"""`python -m bench.analytics`: reports of 31 days over a million ledger rows, on PostgreSQL.

The rows are written by statement, because how they come about is no subject; they are summed up by the
worker's own step, and every report is asked for over HTTP.
"""

import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path

import click
import psycopg

from app.core.context import OPERATOR, Caller
from app.settings import Settings
from app.spend.analytics import ATTRIBUTIONS, DIMENSIONS
from app.spend.rollups import RollUps
from app.wiring import Container
from bench.databases import Target, open_databases
from bench.population import Population
from bench.servers import BenchError, free_port, serve_usher, usher

AIM_MS = 300
TIMES = 5
# Half of the population is seated.
SHARE_SEATED = 2
# Everybody works on 2 of 200 repositories, on 2 surfaces, with 3 models.
_LEDGER = """
INSERT INTO ledger_entries (
    org_id, id, kind, principal_id, user_id, amount_nanousd, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_5m_input_tokens, cache_creation_1h_input_tokens, surface, model,
    priced_as, batch, repository, session_id, counter_ids, occurred_at, recorded_at
)
SELECT org_id, gen_random_uuid(), 'usage', principal_id, id, 1000000 + n, 1000, 500, 20000, 300, 0,
    CASE WHEN n %% 4 = 0 THEN 'chat' ELSE 'code' END, model, model, false,
    'acme/repository-' || (person * 7 + n %% 2) %% 200, NULL, '{}', at, at
FROM (
    SELECT n, person, org_id, id, principal_id,
        (ARRAY['claude-sonnet-4-6', 'claude-opus-4-6', 'claude-haiku-4-5'])[1 + (random() * 2.99)::int %% 3]
            AS model,
        now() - random() * interval '30 days' AS at
    FROM generate_series(1, %(rows)s) n
    JOIN (
        SELECT row_number() OVER (ORDER BY id) - 1 AS person, org_id, id, principal_id FROM users
        WHERE id IN (SELECT user_id FROM seats)
    ) people ON people.person = n / 2 %% (SELECT count(*) FROM seats)
) made
"""


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
            key = usher(
                environment, "api-key", "create", "--org", "acme", "--scope", "analytics:read", "--json"
            )["key"]
            org_id = org["id"].removeprefix("org_")
            settle = partial(databases.settle, "analytics")
            population = Population(target, port, org_id, settle)
            population.load(people * SHARE_SEATED)
            population.close()
            _fill(target, org_id, ledger)
            settle()
            _roll_up(target, port, org_id)
            settle()
            with serve_usher(target, port, folder):
                _measure(port, key)
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)


def _fill(target: Target, org_id: str, rows: int) -> None:
    with psycopg.connect(target.owner_url.replace("+psycopg", "")) as connection:
        connection.execute("SELECT set_config('usher.org_id', %s, true)", [org_id])
        connection.execute(_LEDGER, {"rows": rows})


def _roll_up(target: Target, port: int, org_id: str) -> None:
    container = Container(Settings.from_environment(target.environment(port)))
    begun, done, step = time.perf_counter(), 0, 1
    while step:
        with container.begin(write=True, caller=Caller(OPERATOR, "bench")) as services:
            services.uow.enter(org_id)
            step = services.get(RollUps).step()
            services.commit()
        done += step
    passed = time.perf_counter() - begun
    container.database.dispose()
    print(f"rolled up {done:,} ledger rows in {passed:.1f} s, {done / passed:,.0f}/s", flush=True)


def _measure(port: int, key: str) -> None:
    slowest: tuple[float, str] = (0.0, "")
    paths = [
        f"/analytics/{report}?limit=1000&attribution={attribution}"
        + "".join(f"&group_by[]={name}" for name in names)
        for report in ("cost", "summary")
        for size in (0, 1, 2, len(DIMENSIONS))
        for names in combinations(DIMENSIONS, size)
        for attribution in (ATTRIBUTIONS if "group" in names else ATTRIBUTIONS[:1])
    ]
    for path in paths:
        spent = sorted(_ask(port, key, path) for _ in range(TIMES))
        median = spent[TIMES // 2]
        slowest = max(slowest, (median, path))
        if path.count("group_by") != 2:
            print(f"{median:7.1f} ms, slowest {spent[-1]:7.1f} ms  {path}", flush=True)
    verdict = "met" if slowest[0] < AIM_MS else "MISSED"
    print(f"{verdict}: of {len(paths)} reports the slowest takes {slowest[0]:.0f} ms, the aim is {AIM_MS} ms")
    print(slowest[1])


def _ask(port: int, key: str, path: str) -> float:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1{path}")
    request.add_header("Authorization", f"Bearer {key}")
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
