"""Several processes on one database: P4 under kill -9, and metrics that count for all of them."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from app.settings import Settings
from tests.support.databases import KINDS, migrated
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
ACKNOWLEDGED_BEFORE_THE_KILL = 40


def call(url: str, token: str, body: object = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, headers), timeout=10) as response:
        return json.load(response)


def write_until_it_dies(base_url: str, token: str, round_: int, killed: Callable[[int], None]) -> set[str]:
    """Create people one after another; answers the userNames that were acknowledged."""
    acknowledged: set[str] = set()
    for number in range(100_000):
        name = f"person{round_}.{number}@example.com"
        try:
            call(f"{base_url}/scim/v2/Users", token, {"userName": name})
        except (URLError, ConnectionError, TimeoutError):
            return acknowledged
        acknowledged.add(name)
        killed(len(acknowledged))
    raise AssertionError("the server was never killed")


@pytest.mark.parametrize("kind", KINDS)
def test_no_acknowledged_write_is_lost_to_kill_9(
    new_database: Callable[[str, str], Settings], tmp_path: Path, chaos: bool, kind: str
) -> None:
    settings = migrated(new_database(kind, "killed"))
    port = free_port()
    variables = environment(settings.database_url, port, USHER_SCIM_PER_SECOND="100000")
    workers = "1" if kind == "sqlite" else "2"
    command = [USHER, "serve", "--port", str(port), "--workers", workers]

    def usher(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    usher("org", "create", "acme", "--name", "Acme")
    token = usher("scim-token", "create", "--org", "acme")["token"]
    acknowledged: set[str] = set()
    for round_ in range(20 if chaos else 1):
        with running(command, port, variables, tmp_path / "log") as server:

            def kill(count: int, group: int = server.process_id) -> None:
                if count == ACKNOWLEDGED_BEFORE_THE_KILL:
                    threading.Thread(target=os.killpg, args=(group, signal.SIGKILL)).start()

            acknowledged |= write_until_it_dies(server.base_url, token, round_, kill)
    with running(command, port, variables, tmp_path / "log") as server:
        found = call(f"{server.base_url}/scim/v2/Users?count=1000&attributes=userName", token)
    names = {person["userName"] for person in found["Resources"]}
    assert acknowledged <= names
    assert len(names - acknowledged) <= round_ + 1


def test_two_processes_count_their_requests_together(
    new_database: Callable[[str, str], Settings], tmp_path: Path
) -> None:
    settings = migrated(new_database("postgresql", "counted"))
    port = free_port()
    variables = environment(settings.database_url, port)
    command = [USHER, "serve", "--port", str(port), "--workers", "2"]
    with running(command, port, variables, tmp_path / "log") as server:
        for _ in range(20):
            with pytest.raises(HTTPError):
                urlopen(f"{server.base_url}/scim/v2/Users", timeout=10)
        # Whichever process is asked, it answers for both.
        for _ in range(4):
            with urlopen(f"{server.base_url}/metrics", timeout=10) as response:
                text = response.read().decode()
            assert 'usher_requests_total{method="GET",status="401",surface="scim"} 20.0' in text
