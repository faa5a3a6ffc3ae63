"""`python -m bench.spend`: authorize and settle beside the yardstick's conditional update, on PostgreSQL.

A thousand people with a limit each and one organization with another, so that every call moves one row
that all others move too. Limits are so high that none is met.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import psycopg

from bench.databases import Databases, Target, open_databases
from bench.load import Measured, parse, require_wrk
from bench.population import BARE_TOKEN, Population
from bench.servers import BenchError, free_port, serve_usher, serve_yardstick, usher

AIM = 0.6
PREPARED = 20_000
# Half of the population is seated.
SHARE_SEATED = 2
_LUA = """local bodies, turn, ids = {}, 0, {}
local is_pair = %s
function init(arguments)
  for line in io.lines("%s") do bodies[#bodies + 1] = line end
end
function request()
  if is_pair and #ids > 0 then
    local id = table.remove(ids)
    return wrk.format("POST", "/api/v1/authorizations/" .. id .. "/settle", nil, '{"cost_usd":"0.001"}')
  end
  turn = turn %% #bodies + 1
  local path, body = bodies[turn]:match("^(%%S+)\\t(.*)$")
  return wrk.format("POST", path, nil, body)
end
if is_pair then
  function response(status, headers, body)
    if status == 201 then ids[#ids + 1] = body:match('"id":"(auth_[0-9a-f-]+)"') end
  end
end
"""
_LEDGER = """
INSERT INTO ledger_entries (
    org_id, id, kind, principal_id, user_id, amount_nanousd, surface, model, priced_as, batch, session_id,
    counter_ids, occurred_at, recorded_at
)
SELECT org_id, gen_random_uuid(), 'usage', principal_id, id, 1000, 'code', 'claude-sonnet-4-6',
    'claude-sonnet-4-6', false, 'old', '{}', now() - interval '1 day', now()
FROM users CROSS JOIN generate_series(1, %s) LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Plan:
    people: int
    ledger: int
    clients: int
    seconds: int


class Till:
    """Sends prepared requests with one credential, one thread of wrk."""

    def __init__(self, port: int, token: str, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._token = token
        self._folder = folder

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(f"{self._url}{path}", json.dumps(body).encode(), method="POST")
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def measure(
        self, lines: Sequence[tuple[str, str]], *, clients: int, seconds: int, pair: bool = False
    ) -> Measured:
        prepared, script = self._folder / "calls.tsv", self._folder / "calls.lua"
        prepared.write_text("".join(f"{path}\t{body}\n" for path, body in lines))
        script.write_text(_LUA % ("true" if pair else "false", prepared))
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
        command += ["--latency", "--timeout", "10s", "--script", str(script)]
        command += ["--header", f"Authorization: Bearer {self._token}"]
        command += ["--header", "Content-Type: application/json", self._url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
        return parse(done.stdout)


@click.command()
@click.option("--people", default=1_000, show_default=True, help="With a seat.")
@click.option("--ledger", default=1_000, show_default=True, help="Rows in the ledger beforehand.")
@click.option("--clients", default=16, show_default=True)
@click.option("--seconds", default=5, show_default=True, help="Of each measurement.")
def main(people: int, ledger: int, clients: int, seconds: int) -> None:
    """Measure requests/s, p50 and p99 of authorize, and of authorize and settle in turn."""
    try:
        require_wrk()
        with _folder() as folder, open_databases("postgresql", folder / "db") as databases:
            print(databases.durability(), flush=True)
            _measure(databases, folder, Plan(people, ledger, clients, seconds))
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)


def _measure(databases: Databases, folder: Path, plan: Plan) -> None:
    people, clients, seconds = plan.people, plan.clients, plan.seconds
    port, bare_port = free_port(), free_port()
    target = databases.create("spend")
    environment = target.environment(port)
    usher(environment, "db", "upgrade")
    org_id = usher(environment, "org", "create", "acme", "--name", "Acme", "--json")["id"]
    key = usher(environment, "api-key", "create", "--org", "acme", "--scope", "admin", "--json")["key"]
    gateway = usher(
        environment, "api-key", "create", "--org", "acme", "--scope", "spend:authorize", "--json"
    )["key"]
    settle = partial(databases.settle, "spend")
    population = Population(target, port, org_id.removeprefix("org_"), settle)
    ids = population.load(people * SHARE_SEATED).seated
    population.load_yardstick(ids)
    _fill_ledger(target, org_id.removeprefix("org_"), plan.ledger)
    settle()
    with serve_usher(target, port, folder), serve_yardstick(target, bare_port, folder):
        admin = Till(port, key, folder)
        for scope, amount in ((org_id, "100000000"), *((f"user_{id_}", "1000000") for id_ in ids)):
            type_ = "organization" if scope == org_id else "user"
            body = {"scope": {"type": type_, "id": scope}, "window": "monthly", "amount_usd": amount}
            admin.post("/api/v1/spend_limits", body)
        usher_till, bare = Till(port, gateway, folder), Till(bare_port, BARE_TOKEN, folder)
        chosen = random.Random(1)
        calls = [("/api/v1/authorizations", _call(chosen.choice(ids))) for _ in range(PREPARED)]
        updates = [(f"/spend/{chosen.choice(ids)}", "{}") for _ in range(PREPARED)]
        # The first call of each person in a window opens its counters.
        usher_till.measure(calls, clients=clients, seconds=max(3, people // 500))
        settle()
        bare.measure(updates, clients=clients, seconds=1)
        before = bare.measure(updates, clients=clients, seconds=seconds)
        authorize = usher_till.measure(calls, clients=clients, seconds=seconds)
        pair = usher_till.measure(calls, clients=clients, seconds=seconds, pair=True)
        after = bare.measure(updates, clients=clients, seconds=seconds)
    population.close()
    _print("yardstick", before)
    _print("authorize", authorize)
    _print("authorize, settle in turn", pair)
    _print("yardstick", after)
    ratio = 2 * authorize.per_second / (before.per_second + after.per_second)
    verdict = "met" if ratio >= AIM and not authorize.fault else "MISSED"
    print(f"{verdict}: authorize is {ratio:.2f} of the yardstick, the aim is {AIM}")
    found = usher(environment, "spend", "verify", "--org", "acme", "--json")
    print(f"spend verify: {found['counters']} counters, {len(found['differences'])} differences")


def _call(user_id: str) -> str:
    body = {
        "user": {"id": f"user_{user_id}"},
        "surface": "code",
        "model": "claude-sonnet-4-6",
        "estimate": {"input_tokens": 1_000, "output_tokens": 500},
        "repository": "acme/web",
    }
    return json.dumps(body)


def _fill_ledger(target: Target, org_id: str, rows: int) -> None:
    url = target.owner_url.replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('usher.org_id', %s, true)", [org_id])
        connection.execute(_LEDGER, [rows, rows])


def _print(name: str, measured: Measured) -> None:
    print(
        f"{name:<28}{measured.per_second:>8,.0f}/s  p50 {measured.p50_ms:.2f} ms  "
        f"p99 {measured.p99_ms:.2f} ms  {measured.fault}",
        flush=True,
    )


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
