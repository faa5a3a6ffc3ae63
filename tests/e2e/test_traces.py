"""A server that is told to end writes the traces that still wait, in each of its processes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from app.settings import Settings
from tests.support.databases import KINDS, migrated
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
REQUESTS = 12


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_traces_are_written_when_the_server_ends(
    new_database: Callable[[str, str], Settings], tmp_path: Path, kind: str
) -> None:
    settings = migrated(new_database(kind, "traced"))
    port = free_port()
    variables = environment(settings.database_url, port)

    def usher(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    usher("org", "create", "acme", "--name", "Acme")
    token = usher("scim-token", "create", "--org", "acme")["token"]
    workers = "1" if kind == "sqlite" else "2"
    command = [USHER, "serve", "--port", str(port), "--workers", workers, "--no-worker"]
    with running(command, port, variables, tmp_path / "log") as server:
        for number in range(REQUESTS):
            url = f"{server.base_url}/scim/v2/Users?count={number}"
            with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"})) as response:
                assert response.status == 200
    paths = {trace["path"] for trace in usher("scim", "trace", "--org", "acme")}
    assert paths == {f"/scim/v2/Users?count={number}" for number in range(REQUESTS)}
