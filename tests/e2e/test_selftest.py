"""`usher selftest` as its users run it: what it prints, its exit codes, and what an interruption leaves."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support.public_tools import SELFTEST_REQUESTS
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")


@dataclass(frozen=True)
class Installed:
    base_url: str
    variables: dict[str, str]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [USHER, *words], env=self.variables, capture_output=True, text=True, check=False
        )

    def tokens(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(
            self.run("scim-token", "list", "--org", "acme", "--json").stdout
        )
        return listed

    def people(self) -> Any:
        created = json.loads(self.run("scim-token", "create", "--org", "acme", "--json").stdout)
        headers = {"Authorization": f"Bearer {created['token']}"}
        with urlopen(Request(f"{created['base_url']}/Users", headers=headers)) as response:
            return json.load(response)["Resources"]


@pytest.fixture(scope="module")
def usher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("selftest")
    port = free_port()
    variables = environment(f"sqlite:///{folder}/usher.db", port)
    command = [USHER, "serve", "--upgrade", "--port", str(port)]
    with running(command, port, variables, folder / "log") as server:
        installed = Installed(server.base_url, variables)
        assert installed.run("org", "create", "acme", "--name", "Acme").returncode == 0
        yield installed


@pytest.mark.parametrize(("vendor", "title"), [("okta", "Push a group"), ("entra", "Validator 25/25")])
def test_each_request_is_printed_with_its_verdict(usher: Installed, vendor: str, title: str) -> None:
    done = usher.run("selftest", vendor, "--org", "acme")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok    POST   201" in done.stdout
    assert title in done.stdout
    assert "FAIL" not in done.stdout
    assert usher.people() == []
    last = usher.tokens()[-2]
    assert last["name"] == "selftest"
    assert last["revoked_at"] is not None


@pytest.mark.parametrize("vendor", ["okta", "entra"])
def test_json_holds_every_step(usher: Installed, vendor: str) -> None:
    done = usher.run("selftest", vendor, "--org", "acme", "--base-url", usher.base_url, "--json")
    report = json.loads(done.stdout)
    assert (report["ok"], report["failed"], report["left_behind"]) == (True, 0, [])
    assert report["requests"] == len(report["steps"]) == SELFTEST_REQUESTS[vendor]
    assert all(step["ok"] for step in report["steps"])
    assert report["steps"][0].keys() == {
        "title",
        "method",
        "path",
        "status",
        "milliseconds",
        "expected",
        "received",
        "ok",
    }
    assert done.returncode == 0


def test_an_interruption_leaves_nobody_and_no_token(usher: Installed, tmp_path: Path) -> None:
    command = [USHER, "selftest", "entra", "--org", "acme"]
    with subprocess.Popen(
        command, env={**usher.variables, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Create a manager" in line:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
    assert process.returncode == 1
    assert usher.people() == []
    assert [
        token for token in usher.tokens() if token["name"] == "selftest" and not token["revoked_at"]
    ] == []


def test_nobody_at_the_address_is_said_and_the_token_revoked(usher: Installed) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = usher.run("selftest", "okta", "--org", "acme", "--base-url", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert "usher serve" in done.stderr
    assert usher.tokens()[-1]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["selftest", "google", "--org", "acme"], 2, "'entra', 'okta'"),
        (["selftest", "okta", "--org", "nobody"], 1, "usher org create"),
        (["selftest", "okta", "--org", "acme", "--base-url", "localhost"], 2, "http"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_made(
    usher: Installed, words: list[str], code: int, hint: str
) -> None:
    before = usher.tokens()
    done = usher.run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert hint in done.stderr
    assert usher.tokens() == before
