"""`usher demo`, at a small size: what it prints works, and a second time doubles nothing."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from app.demo.company import GROUPS, ROLES, seats
from tests.support.server import ROOT, STOP_SECONDS, environment, free_port

PEOPLE = 20


@contextmanager
def demo(database: Path) -> Iterator[dict[str, str]]:
    """What a run prints, as long as it serves."""
    port = free_port()
    command = [str(ROOT / ".venv/bin/usher"), "demo", "--port", str(port), "--people", str(PEOPLE)]
    variables = environment(f"sqlite:///{database}", port)
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            printed: dict[str, str] = {"root": f"http://127.0.0.1:{port}"}
            for line in process.stdout:
                printed[line[:13].strip()] = line[13:].strip()
                if line.startswith("API key"):
                    break
            yield printed
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(STOP_SECONDS)


def get(url: str, token: str) -> Any:
    with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30) as response:
        return json.loads(response.read())


def seen(printed: dict[str, str]) -> dict[str, Any]:
    """What the printed addresses and secrets show."""
    api, key = f"{printed['root']}/api/v1", printed["API key"]
    pool = get(f"{api}/seat_pool", key)
    return {
        "people": get(f"{printed['SCIM base URL']}/Users?count=1", printed["SCIM token"])["totalResults"],
        "members": sum(group["member_count"] for group in get(f"{api}/groups", key)["data"]),
        "roles": sorted(role["name"] for role in get(f"{api}/roles?limit=1000", key)["data"]),
        "mappings": len(get(f"{api}/group_mappings", key)["data"]),
        "limits": len(get(f"{api}/spend_limits", key)["data"]),
        "seats": (pool["assigned"], pool["waitlisted"]),
    }


def booked(database: Path) -> tuple[int, int]:
    """How many entries the ledger has and their sum; reports follow it a little later."""
    with closing(sqlite3.connect(database)) as opened:
        (row,) = opened.execute("SELECT count(*), sum(amount_nanousd) FROM ledger_entries")
        return row[0], row[1]


def test_what_the_demo_prints_works_and_a_second_time_doubles_nothing(tmp_path: Path) -> None:
    database = tmp_path / "usher.db"
    with demo(database) as printed:
        first, ledger = seen(printed), booked(database)
    with demo(database) as printed_again:
        assert (seen(printed_again), booked(database)) == (first, ledger)
    assert first["people"] == first["members"] == PEOPLE
    assert {role["name"] for role in ROLES} <= set(first["roles"])
    assert (first["mappings"], first["limits"]) == (len(GROUPS), 2)
    assert first["seats"] == (seats(PEOPLE), PEOPLE - seats(PEOPLE))
    assert ledger[0] > PEOPLE
    assert printed["API key"] != printed_again["API key"]
