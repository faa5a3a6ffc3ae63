"""Adds, removes and renames of one group from everywhere at once, on a real server of four processes.

What a serial history allows is known: who is touched by one request ends as that request says; who is
added and removed at once ends either way, but as the audit log adds up; every change is one version.
"""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.core.ids import edge_id
from app.scim.protocol.constants import PATCH_OP
from app.settings import Settings
from tests.support.databases import migrated
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
WORKERS = 4
# So many requests wait for each other before they are sent.
PARALLEL = 200
PLACED_SECONDS = 60

Operation = dict[str, Any]


@dataclass(frozen=True)
class Client:
    address: str
    token: str
    key: str

    def scim(self, method: str, path: str, body: Any = None) -> Any:
        return self._call(method, f"/scim/v2{path}", self.token, body)

    def api(self, path: str) -> Any:
        return self._call("GET", f"/api/v1{path}", self.key)

    def _call(self, method: str, path: str, credential: str, body: Any = None) -> Any:
        connection = HTTPConnection(self.address, timeout=120)
        headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.status < 300, (method, path, response.status, text)
        return json.loads(text) if text else None

    def create(self, path: str, body: Any) -> str:
        return str(self.scim("POST", path, body)["id"])

    def patch(self, group_id: str, operations: Sequence[Operation]) -> None:
        self.scim("PATCH", f"/Groups/{group_id}", {"schemas": [PATCH_OP], "Operations": operations})

    def await_audit_log(self) -> None:
        """The worker places entries in the order of their commits: once this one is there, all before are."""
        last = edge_id("group", self.create("/Groups", {"displayName": f"After {datetime.now(UTC)}"}))
        deadline = time.monotonic() + PLACED_SECONDS
        while last not in [entry["target"]["id"] for entry in self.audit_entries("group.created")]:
            assert time.monotonic() < deadline

    def audit_entries(self, action: str) -> list[Any]:
        found: list[Any] = []
        cursor, has_more = "", True
        while has_more:
            page = self.api(f"/audit/events?limit=1000&action={action}{cursor}")
            found += page["data"]
            cursor, has_more = f"&cursor={page['next_cursor']}", page["has_more"]
        return found


@pytest.fixture
def client(new_database: Callable[[str, str], Settings], tmp_path: Path) -> Iterator[Client]:
    settings = migrated(new_database("postgresql", "mixed_storm"))
    port = free_port()
    rates = {"USHER_SCIM_PER_SECOND": "100000", "USHER_SCIM_BURST": "100000"}
    variables = environment(settings.database_url, port, **rates)

    def usher(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    usher("org", "create", "acme", "--name", "Acme")
    token = usher("scim-token", "create", "--org", "acme")["token"]
    key = usher("api-key", "create", "--org", "acme", "--scope", "audit:read")["key"]
    command = [USHER, "serve", "--port", str(port), "--workers", str(WORKERS)]
    with running(command, port, variables, tmp_path / "log") as server:
        yield Client(urlsplit(server.base_url).netloc, token, key)


def add(*people: str) -> Operation:
    return {"op": "add", "path": "members", "value": [{"value": person} for person in people]}


def remove(*people: str) -> Operation:
    return {"op": "remove", "path": "members", "value": [{"value": person} for person in people]}


def rename(name: str) -> Operation:
    return {"op": "replace", "path": "displayName", "value": name}


def mixed(joining: Sequence[str], leaving: Sequence[str], torn: Sequence[str]) -> list[list[Operation]]:
    """As many requests as there are people: of one kind, of two kinds, and about the same person."""
    requests = []
    for number, (joiner, leaver) in enumerate(zip(joining, leaving, strict=True)):
        kinds = [[add(joiner)], [remove(leaver)]]
        if number % 4 == 0:
            kinds = [[add(joiner), rename(f"Both {number}")], [remove(leaver)]]
        elif number % 4 == 1:
            kinds = [[add(joiner), remove(leaver)], [rename(f"Alone {number}")]]
        requests += kinds
    for person in torn:
        requests += [[add(person)], [remove(person)]]
    return requests


def test_parallel_adds_removes_and_renames_end_as_a_serial_history_allows(
    client: Client, chaos: bool
) -> None:
    people = [client.create("/Users", {"userName": f"person{number}@example.com"}) for number in range(160)]
    joining, leaving, torn = people[:60], people[60:120], people[120:]
    present = [*leaving, *torn[::2]]
    requests = mixed(joining, leaving, torn)
    assert len(requests) == PARALLEL
    for round_ in range(25 if chaos else 1):
        members = [{"value": person} for person in present]
        group_id = client.create("/Groups", {"displayName": f"Storm {round_}", "members": members})
        start = threading.Barrier(PARALLEL)

        def send(operations: list[Operation], group_id: str = group_id, start: Any = start) -> None:
            start.wait()
            client.patch(group_id, operations)

        with ThreadPoolExecutor(PARALLEL) as threads:
            list(threads.map(send, requests))
        check(client, group_id, present=present, joining=joining, torn=torn)
        client.scim("DELETE", f"/Groups/{group_id}")


def check(
    client: Client, group_id: str, *, present: Sequence[str], joining: Sequence[str], torn: Sequence[str]
) -> None:
    group = client.scim("GET", f"/Groups/{group_id}")
    final = {member["value"] for member in group["members"]}
    assert final - set(torn) == set(joining)
    assert group["displayName"].startswith(("Both ", "Alone "))
    client.await_audit_log()
    added, removed = (
        [entry for entry in client.audit_entries(action) if entry["data"]["group_id"] == group_id]
        for action in ("group.member_added", "group.member_removed")
    )
    edge = edge_id("group", group_id)
    renamed = [entry for entry in client.audit_entries("group.updated") if entry["target"]["id"] == edge]
    # Every effective change is in the log once: for each person, what came minus what went is what is.
    balance = Counter(entry["target"]["id"] for entry in added)
    balance.subtract(entry["target"]["id"] for entry in removed)
    assert {id_ for id_, count in balance.items() if count} == {edge_id("user", id_) for id_ in final}
    assert set(balance.values()) <= {0, 1}
    # The creation is the first version, and each request that changed something is one more.
    requests = {entry["request_id"] for entry in (*added, *removed, *renamed)}
    assert group["meta"]["version"] == f'W/"{len(requests)}"'
    assert len(renamed) == 30
