"""The adapter inside the real LiteLLM: its proxy between a client, a running Usher and a stub upstream.

`make e2e` runs it. LiteLLM is installed into an environment of its own, `var/litellm`, in the version
whose hooks are recorded; where that cannot be installed, this is skipped and says why.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.anthropic_stub import COST_USD, Upstream, upstream
from tests.support.server import ROOT, environment, free_port, running

ADAPTER = ROOT / "integrations/litellm"
PLACE = ROOT / "var/litellm"
RECORDED = json.loads((ADAPTER / "hook_signatures.json").read_text())
USHER = str(ROOT / ".venv/bin/usher")
SETTLED_SECONDS = 20.0
# The key is the person's e-mail, so that no database of LiteLLM's is needed.
_AUTH = """
from litellm.proxy._types import UserAPIKeyAuth

async def who(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, user_email=api_key)
"""
# LiteLLM's own hooks, in the form of the recorded file.
_READ_HOOKS = """
import inspect, json, sys
from importlib.metadata import version
from litellm.integrations.custom_logger import CustomLogger

hooks = {name: list(inspect.signature(getattr(CustomLogger, name)).parameters)[1:] for name in sys.argv[1:]}
print(json.dumps({"litellm": version("litellm"), "hooks": hooks}))
"""


@pytest.fixture(scope="module")
def litellm() -> Path:
    """The folder of LiteLLM's programs."""
    programs = PLACE / "bin"
    wanted = f"litellm[proxy]=={RECORDED['litellm']}"
    subprocess.run([sys.executable, "-m", "venv", PLACE], check=True)
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, wanted], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"pip cannot install {wanted}: {done.stderr.strip().splitlines()[-1]}")
    return programs


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


class Gateway:
    """The proxy's root, and Usher's own command line and API to look behind it."""

    def __init__(self, url: str, usher_url: str, key: str) -> None:
        self.url = url
        self.usher_url = usher_url
        self.key = key

    def ask(self, who: str, path: str = "/v1/messages", **body: Any) -> tuple[int, str]:
        return _read(self._request(who, path, body))

    def open(self, who: str, path: str, **body: Any) -> Any:
        """The answer as it comes."""
        return urlopen(self._request(who, path, body), timeout=60)

    def _request(self, who: str, path: str, body: Any) -> Request:
        known = {
            "model": "claude-sonnet-4-6",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Hello"}],
        }
        headers = {
            "x-api-key": who,
            "Authorization": f"Bearer {who}",
            "X-Claude-Code-Session-Id": "session-1",
            "X-Usher-Repository": "acme/web",
        }
        return _request("POST", self.url + path, headers, {**known, **body})

    def spent(self, user_id: str) -> tuple[str, str]:
        path = f"/api/v1/spend_limits/effective?user_id={user_id}"
        rows = json.loads(_http("GET", self.usher_url + path, {"x-api-key": self.key}, None)[1])["data"]
        (row,) = (row for row in rows if row["window"] == "monthly" and row["amount_usd"] != "0")
        return row["settled_usd"], row["reserved_usd"]

    def wait_until_spent(self, user_id: str, settled_usd: str) -> None:
        """LiteLLM logs after it has answered."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while self.spent(user_id) != (settled_usd, "0") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self.spent(user_id) == (settled_usd, "0")


def _http(method: str, url: str, headers: dict[str, str], body: Any) -> tuple[int, str]:
    return _read(_request(method, url, headers, body))


def _request(method: str, url: str, headers: dict[str, str], body: Any) -> Request:
    data = None if body is None else json.dumps(body).encode()
    return Request(url, data, {**headers, "Content-Type": "application/json"}, method=method)


def _read(request: Request) -> tuple[int, str]:
    try:
        with urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def usher_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def usher(usher_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Usher's command line, for the server that runs."""
    folder = tmp_path_factory.mktemp("usher")
    variables = environment(f"sqlite:///{folder}/usher.db", usher_port)

    def command(*words: str) -> Any:
        done = subprocess.run([USHER, *words, "--json"], env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    serve = [USHER, "serve", "--upgrade", "--port", str(usher_port)]
    with running(serve, usher_port, variables, folder / "log"):
        command("org", "create", "acme", "--name", "Acme")
        yield command


@pytest.fixture(scope="module")
def gateway(
    litellm: Path,
    provider: Upstream,
    usher: Callable[..., Any],
    usher_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    (folder / "auth.py").write_text(_AUTH)
    config = (ADAPTER / "config.yaml").read_text() + "  custom_auth: auth.who\n"
    (folder / "config.yaml").write_text(config)
    root = f"http://127.0.0.1:{usher_port}"
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("USHER_", "PYTEST_"))},
        "PYTHONPATH": str(ADAPTER),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": "sk-of-the-operator",
        "LITELLM_USHER_URL": root,
        "LITELLM_USHER_KEY": usher("api-key", "create", "--org", "acme", "--scope", "spend:authorize")["key"],
        "ANTHROPIC_API_BASE": provider.url,
        "ANTHROPIC_API_KEY": "none",
    }
    command = [str(litellm / "litellm"), "--config", str(folder / "config.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    admin = usher("api-key", "create", "--org", "acme", "--scope", "admin")["key"]
    with running(command, port, variables, folder / "log", ready="/health/liveliness", seconds=180):
        yield Gateway(f"http://127.0.0.1:{port}", root, admin)


@pytest.fixture
def hire(gateway: Gateway, usher: Callable[..., Any]) -> Callable[[str], tuple[str, str]]:
    """Somebody new with a seat and a monthly limit; answers their e-mail and id."""
    token = usher("scim-token", "create", "--org", "acme")["token"]

    def hired(limit_usd: str) -> tuple[str, str]:
        name = f"person{time.monotonic_ns()}@acme.example"
        scim = {"Authorization": f"Bearer {token}"}
        api = {"x-api-key": gateway.key}

        def made(url: str, headers: dict[str, str], body: Any) -> str:
            status, text = _http("POST", gateway.usher_url + url, headers, body)
            assert status == 201, text
            return str(json.loads(text)["id"])

        user_id = made("/scim/v2/Users", scim, {"userName": name})
        members = [{"value": user_id}]
        group_id = made("/scim/v2/Groups", scim, {"displayName": name, "members": members})
        limits = [{"window": "monthly", "amount_usd": limit_usd}]
        role_id = made("/api/v1/roles", api, {"name": name, "surfaces": ["code"], "spend_limits": limits})
        mapping = {"group_id": f"group_{group_id}", "role_id": role_id}
        made("/api/v1/group_mappings", api, mapping)
        return name, f"user_{user_id}"

    return hired


def test_the_recorded_hooks_are_those_of_this_version(litellm: Path) -> None:
    variables = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [litellm / "python", "-c", _READ_HOOKS, *RECORDED["hooks"]],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == RECORDED


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_call_is_settled_to_the_nanodollar(
    gateway: Gateway, hire: Callable[[str], tuple[str, str]], path: str, stream: bool
) -> None:
    name, user_id = hire("50")
    status, text = gateway.ask(name, path, stream=stream)
    assert status == 200, text
    assert "Good morning" in text
    gateway.wait_until_spent(user_id, COST_USD)


def test_many_calls_add_up(gateway: Gateway, hire: Callable[[str], tuple[str, str]]) -> None:
    name, user_id = hire("50")
    for _ in range(5):
        assert gateway.ask(name)[0] == 200
    gateway.wait_until_spent(user_id, format(5 * Decimal(COST_USD), "f").rstrip("0"))


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_reached_limit_stops_the_call_before_the_provider(
    gateway: Gateway, provider: Upstream, hire: Callable[[str], tuple[str, str]], path: str
) -> None:
    name, user_id = hire("0.001")
    before = provider.requests
    status, text = gateway.ask(name, path)
    assert status == 402, text
    assert "does not fit your monthly limit: $0.001 of $0.001 is left" in text
    assert provider.requests == before
    assert gateway.spent(user_id) == ("0", "0")


def test_a_stranger_is_refused(gateway: Gateway, provider: Upstream) -> None:
    before = provider.requests
    status, text = gateway.ask("nobody@acme.example")
    assert status == 403, text
    assert "There is no such user here" in text
    assert provider.requests == before


def test_an_overloaded_provider_costs_nothing(
    gateway: Gateway, provider: Upstream, hire: Callable[[str], tuple[str, str]]
) -> None:
    name, user_id = hire("50")
    provider.is_overloaded = True
    try:
        status, _ = gateway.ask(name)
    finally:
        provider.is_overloaded = False
    assert status >= 500
    gateway.wait_until_spent(user_id, "0")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_stream_that_the_client_leaves_is_settled_with_what_came(
    gateway: Gateway, provider: Upstream, hire: Callable[[str], tuple[str, str]], path: str
) -> None:
    name, user_id = hire("50")
    provider.may_end.clear()
    try:
        with gateway.open(name, path, stream=True) as answer:
            assert answer.readline()
        deadline = time.monotonic() + SETTLED_SECONDS
        while gateway.spent(user_id)[1] != "0" and time.monotonic() < deadline:
            time.sleep(0.1)
        settled, reserved = gateway.spent(user_id)
    finally:
        provider.may_end.set()
    assert reserved == "0"
    assert Decimal(0) < Decimal(settled) <= Decimal(COST_USD)
