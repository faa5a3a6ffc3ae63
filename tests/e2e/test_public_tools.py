"""Conformance tools that others wrote, against the real server process: none of them finds a fault."""

import json
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from app.scim.protocol.tolerance_profiles import enabled
from tests.support import public_tools
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
SCIM_SANITY = str(ROOT / ".venv/bin/scim-sanity")
# What its checks of groups wait for, beyond what connectors have unasked.
CHOSEN = {"group_patch_body", "unknown_members_dropped"}


class Endpoint(NamedTuple):
    url: str
    token: str


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[str], Endpoint]]:
    """The SCIM root of a running Usher, and a token for it with the tolerances that are asked for."""
    port = free_port()
    variables = environment(f"sqlite:///{tmp_path}/usher.db", port, USHER_SCIM_PER_SECOND="100000")

    def usher(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    with running([USHER, "serve", "--upgrade", "--port", str(port)], port, variables, tmp_path / "log"):
        usher("org", "create", "acme", "--name", "Acme")

        def created(tolerances: str) -> Endpoint:
            token = usher("scim-token", "create", "--org", "acme", "--tolerances", tolerances)
            return Endpoint(token["base_url"], token["token"])

        yield created


def test_scim2_tester_finds_no_error(connect: Callable[[str], Endpoint]) -> None:
    endpoint = connect("auto")
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    with httpx2.Client(base_url=endpoint.url, headers=headers) as http:
        results = check_server(SyncSCIMClient(http))
    faults = [result for result in results if result.status is not Status.SUCCESS]
    assert [f"{r.resource_type} {r.title}: {r.reason} {r.data}" for r in faults] == []
    expected = public_tools.SCIM2_TESTER
    assert (version(expected.name), len(results)) == (expected.version, expected.passed)


def test_scim_sanity_finds_no_failure_in_strict_mode(connect: Callable[[str], Endpoint]) -> None:
    endpoint = connect(",".join(sorted(enabled("auto") | CHOSEN)))
    command = [SCIM_SANITY, "probe", endpoint.url, "--token", endpoint.token]
    options = ["--strict", "--json-output", "--i-accept-side-effects"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    faults = [result for result in report["results"] if result["status"] not in ("pass", "skip")]
    assert faults == []
    assert done.returncode == 0
    expected, summary = public_tools.SCIM_SANITY, report["summary"]
    assert (report["scim_sanity_version"], summary["passed"], summary["skipped"]) == (
        expected.version,
        expected.passed,
        expected.skipped,
    )
