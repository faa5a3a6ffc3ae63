"""The real server by `make run`'s own command, driven over HTTP by a SCIM client that others wrote."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, SearchRequest

from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")


class Served:
    """A running Usher with one organization."""

    def __init__(self, base_url: str, variables: dict[str, str]) -> None:
        self.base_url = base_url
        self._variables = variables
        self.usher("org", "create", "acme", "--name", "Acme")
        self.token = self.usher("scim-token", "create", "--org", "acme")["token"]
        self.key = self.usher("api-key", "create", "--org", "acme", "--scope", "admin")["key"]

    def usher(self, *words: str) -> Any:
        done = subprocess.run(
            [USHER, *words, "--json"], env=self._variables, cwd=ROOT, capture_output=True, check=True
        )
        return json.loads(done.stdout)

    def api(self, path: str, body: object = None) -> Any:
        headers = {"x-api-key": self.key, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.base_url}/api/v1{path}", data, headers)) as response:
            return json.load(response)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    variables = environment(f"sqlite:///{folder}/usher.db", port)
    command = ["make", "--silent", "run", f"PORT={port}"]
    with running(command, port, variables, folder / "log") as server:
        yield Served(server.base_url, variables)


@pytest.fixture
def scim(served: Served) -> Iterator[SyncSCIMClient]:
    headers = {"Authorization": f"Bearer {served.token}"}
    with httpx2.Client(base_url=f"{served.base_url}/scim/v2", headers=headers) as http:
        client = SyncSCIMClient(http)
        client.discover()
        yield client


def test_a_person_comes_gets_a_seat_and_leaves(served: Served, scim: Any) -> None:
    # The client builds its models from what /Schemas says.
    user_type = scim.get_resource_model("User")
    group_type = scim.get_resource_model("Group")
    ada = scim.create(user_type(user_name="ada@acme.example", emails=[{"value": "ada@acme.example"}]))
    group = scim.create(group_type(display_name="Engineering", members=[{"value": ada.id}]))
    member = next(role for role in served.api("/roles")["data"] if role["name"] == "member")
    served.api("/group_mappings", {"group_id": f"group_{group.id}", "role_id": member["id"]})
    assert served.api(f"/seats/user_{ada.id}")["state"] == "assigned"

    search: Any = SearchRequest.model_validate({"filter": 'userName eq "ADA@acme.example"'})
    found = scim.query(user_type, search)
    assert [person.id for person in found.resources] == [ada.id]

    operations = [{"op": "replace", "path": "active", "value": False}]
    patch_type: Any = PatchOp
    leave = patch_type[user_type].model_validate({"Operations": operations})
    scim.modify(user_type, ada.id, leave)
    assert served.api(f"/seats/user_{ada.id}")["state"] == "released"
    limits = served.api(f"/spend_limits/effective?user_id=user_{ada.id}")["data"]
    assert [row["amount_usd"] for row in limits] == ["0", "0", "0", "0"]
    actions = [entry["action"] for entry in served.api(f"/audit/events?target_id=user_{ada.id}")["data"]]
    assert actions == [
        "user.created",
        "group.member_added",
        "seat.assigned",
        "user.deactivated",
        "seat.released",
    ]
    assert served.usher("user", "explain", "--org", "acme", "ada@acme.example")["active"] is False


def test_metrics_count_requests_without_naming_anybody(served: Served) -> None:
    with urlopen(f"{served.base_url}/metrics") as response:
        text = response.read().decode()
    assert 'usher_requests_total{method="GET",status="200",surface="other"}' in text
    assert "acme" not in text


def test_the_log_holds_no_secret(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = next(tmp_path_factory.getbasetemp().glob("served*/log"))
    text = log.read_text()
    assert '"event": "request"' in text
    assert served.token not in text
    assert served.key not in text


def test_a_second_server_process_on_sqlite_is_refused(tmp_path: Path) -> None:
    variables = environment(f"sqlite:///{tmp_path}/usher.db", 1)
    done = subprocess.run(
        [USHER, "serve", "--workers", "2"], env=variables, cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"PostgreSQL" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["org", "create", "Not A Slug", "--name", "x"], 2, b"slug"),
        (["scim-token", "create", "--org", "nobody"], 1, b"usher org create"),
        (["api-key", "create", "--org", "acme", "--scope", "everything"], 2, b"no scope"),
        (["user", "explain", "--org", "acme", "nobody"], 1, b"nobody"),
    ],
)
def test_a_refused_command_says_why_and_exits_with_its_code(
    served: Served, words: list[str], code: int, hint: bytes
) -> None:
    done = subprocess.run([USHER, *words], env=served._variables, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (code, b"")
    assert hint in done.stderr


def test_a_rotated_token_leaves_both_secrets_live_and_a_revoked_one_none(served: Served) -> None:
    created = served.usher("scim-token", "create", "--org", "acme", "--expires-in", "365d")
    rotated = served.usher("scim-token", "rotate", "--org", "acme", created["id"])

    def status(token: str) -> int:
        with httpx2.Client() as http:
            headers = {"Authorization": f"Bearer {token}"}
            return http.get(f"{served.base_url}/scim/v2/Users?count=1", headers=headers).status_code

    assert (status(created["token"]), status(rotated["token"])) == (200, 200)
    served.usher("scim-token", "revoke", "--org", "acme", created["id"])
    assert (status(created["token"]), status(rotated["token"])) == (401, 401)
