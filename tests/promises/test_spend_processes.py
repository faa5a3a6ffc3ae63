"""P1 for money across server processes: behind the answer to a deprovision nobody's call is authorized.

`make chaos` takes 200 people away from 64 callers each, before four processes on PostgreSQL, and 50 before
the one that serves SQLite.
"""

import http.client
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import bindparam, select

from app import create_app
from app.core.tenancy import ORG_ID
from app.settings import Settings
from app.spend.check import SpendCheck
from app.spend.models import reservations
from tests.support.cast import in_organization
from tests.support.databases import KINDS, migrated
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
WORKERS = {"postgresql": 4, "sqlite": 1}
# Of one caller, should nothing ever refuse it.
MAX_CALLS = 200

_STATES = select(reservations.c.state).where(
    reservations.c.org_id == ORG_ID, reservations.c.user_id == bindparam("user_id")
)


class Caller:
    """One connection that stays open, as a gateway's does."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Company:
    """An organization behind real processes, and the same database from here."""

    app: Flask
    org_id: str
    port: int
    scim_token: str
    admin_key: str
    gateway_key: str
    group_id: str

    def states(self, user_id: str) -> list[str]:
        with in_organization(self.app, self.org_id, write=False) as services:
            return sorted(services.uow.execute(_STATES, {"user_id": user_id}).scalars())

    def differences(self) -> Any:
        with in_organization(self.app, self.org_id, write=False) as services:
            return services.get(SpendCheck).verify().differences


@pytest.fixture(params=KINDS)
def company(
    request: pytest.FixtureRequest, new_database: Callable[[str, str], Settings], tmp_path: Path
) -> Iterator[Company]:
    settings = migrated(new_database(request.param, "spending"))
    port = free_port()
    variables = environment(settings.database_url, port, USHER_SCIM_PER_SECOND="100000")

    def usher(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    org_id = usher("org", "create", "acme", "--name", "Acme")["id"].removeprefix("org_")
    scim_token = usher("scim-token", "create", "--org", "acme")["token"]
    admin_key = usher("api-key", "create", "--org", "acme", "--scope", "admin")["key"]
    gateway_key = usher("api-key", "create", "--org", "acme", "--scope", "spend:authorize")["key"]
    command = [USHER, "serve", "--port", str(port), "--workers", str(WORKERS[request.param])]
    app = create_app(settings)
    with running(command, port, variables, tmp_path / "log"):
        scim, admin = Caller(port, scim_token), Caller(port, admin_key)
        _, group = scim.send("POST", "/scim/v2/Groups", {"displayName": "Engineering"})
        _, roles = admin.send("GET", "/api/v1/roles")
        role_id = next(role["id"] for role in roles["data"] if role["name"] == "member")
        mapping = {"group_id": f"group_{group['id']}", "role_id": role_id}
        assert admin.send("POST", "/api/v1/group_mappings", mapping)[0] == 201
        scim.close()
        admin.close()
        yield Company(app, org_id, port, scim_token, admin_key, gateway_key, group["id"])
    app.extensions["usher"].database.dispose()


class Callers:
    """Many at once who ask for one person until they are refused; `begun` once so many were allowed."""

    def __init__(self, company: Company, user_id: str, *, begun_after: int) -> None:
        self._company = company
        self._body = {
            "user": {"id": f"user_{user_id}"},
            "surface": "code",
            "model": "claude-sonnet-4-6",
            "max_cost_usd": "0.01",
        }
        self._allowed = threading.Semaphore(0)
        self._begun_after = begun_after

    def wait_until_begun(self) -> None:
        for _ in range(self._begun_after):
            assert self._allowed.acquire(timeout=60)

    def ask_until_refused(self) -> list[tuple[float, int]]:
        """When each call was sent, and what it was answered."""
        caller, seen = Caller(self._company.port, self._company.gateway_key), []
        for _ in range(MAX_CALLS):
            sent_at = time.monotonic()
            status, _ = caller.send("POST", "/api/v1/authorizations", self._body)
            seen.append((sent_at, status))
            if status != 201:
                break
            self._allowed.release()
        caller.close()
        return seen


def hire(company: Company, scim: Caller, number: int) -> str:
    user = {"userName": f"person{number}@example.com", "active": True}
    _, made = scim.send("POST", "/scim/v2/Users", user)
    operation = {"op": "add", "path": "members", "value": [{"value": made["id"]}]}
    patch = {"schemas": [PATCH_OP], "Operations": [operation]}
    assert scim.send("PATCH", f"/scim/v2/Groups/{company.group_id}", patch)[0] in (200, 204)
    return str(made["id"])


def test_no_process_authorizes_behind_the_answer(company: Company, chaos: bool) -> None:
    dialect = company.app.extensions["usher"].database.dialect
    rounds = {"postgresql": 200, "sqlite": 50}[dialect] if chaos else 2
    threads = 64 if chaos else 8
    chosen = random.Random()
    scim, admin = (Caller(company.port, token) for token in (company.scim_token, company.admin_key))
    leave = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    for number in range(rounds):
        user_id = hire(company, scim, number)
        callers = Callers(company, user_id, begun_after=chosen.randint(1, threads))
        with ThreadPoolExecutor(threads) as pool:
            asking = [pool.submit(callers.ask_until_refused) for _ in range(threads)]
            callers.wait_until_begun()
            status, _ = scim.send("PATCH", f"/scim/v2/Users/{user_id}", leave)
            answered_at = time.monotonic()
            at_the_answer = company.states(user_id)
            seen = [one for each in asking for one in each.result()]
        assert status in (200, 204)
        assert {answer for _, answer in seen} <= {201, 403}
        assert [answer for sent_at, answer in seen if sent_at > answered_at and answer == 201] == []
        # Also what was sent before the answer holds no money that the deprovision did not see.
        assert company.states(user_id) == at_the_answer == ["closing"] * len(at_the_answer)
        assert len(at_the_answer) == sum(answer == 201 for _, answer in seen)
        _, limits = admin.send("GET", f"/api/v1/spend_limits/effective?user_id=user_{user_id}")
        assert {(row["amount_usd"], row["source"]) for row in limits["data"]} == {("0", "deprovisioned")}
    scim.close()
    admin.close()
    assert company.differences() == []
