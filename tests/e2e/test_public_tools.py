"""Conformance tools that others wrote, against the real server process: none of them finds a fault."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
SCIM_SANITY = str(ROOT / ".venv/bin/scim-sanity")


class Endpoint(NamedTuple):
    url: str
    token: str


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    """The SCIM root of a running Usher and a token for it."""
    port = free_port()
    variables = environment(f"sqlite:///{tmp_path}/usher.db", port, USHER_SCIM_PER_SECOND="100000")

    def usher(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    with running([USHER, "serve", "--upgrade", "--port", str(port)], port, variables, tmp_path / "log"):
        usher("org", "create", "acme", "--name", "Acme")
        created = usher("scim-token", "create", "--org", "acme")
        yield Endpoint(created["base_url"], created["token"])


@pytest.mark.xfail(reason="It asks for POST /Users/.search and /Groups/.search, which are not served yet.")
def test_scim2_tester_finds_no_error(endpoint: Endpoint) -> None:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    with httpx2.Client(base_url=endpoint.url, headers=headers) as http:
        results = check_server(SyncSCIMClient(http))
    assert len(results) > 100
    faults = [result for result in results if result.status in (Status.ERROR, Status.CRITICAL)]
    assert [f"{r.resource_type} {r.title}: {r.reason} {r.data}" for r in faults] == []


@pytest.mark.xfail(
    reason="It wants 200 with a body for each PATCH of a group, where Entra wants 204, and 200 for a "
    "member that does not exist, which is refused by name."
)
def test_scim_sanity_finds_no_failure_in_strict_mode(endpoint: Endpoint) -> None:
    command = [SCIM_SANITY, "probe", endpoint.url, "--token", endpoint.token]
    options = ["--strict", "--json-output", "--i-accept-side-effects"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert [result for result in report["results"] if result["status"] == "fail"] == []
    assert report["summary"]["passed"] > 20
    assert done.returncode == 0
