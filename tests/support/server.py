"""A real server process, started as its users start it, on a free port, ended by its own id."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(database_url: str, port: int, **more: str) -> dict[str, str]:
    """The environment of a user's shell, without what pytest runs under."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("USHER_", "PYTEST_"))}
    settings = {
        "USHER_DATABASE_URL": database_url,
        "USHER_BASE_URL": f"http://127.0.0.1:{port}",
        # All sign-ins of a test come from this machine.
        "USHER_SIGNIN_PER_MINUTE": "1000000",
    }
    return {**kept, **settings, **more}


@dataclass(frozen=True)
class Server:
    """A running server; its process id is also the id of its process group."""

    base_url: str
    process_id: int


@contextmanager
def running(
    command: list[str],
    port: int,
    variables: Mapping[str, str],
    log: Path,
    *,
    ready: str = "/readyz",
    seconds: float = START_SECONDS,
) -> Iterator[Server]:
    """Start the command in a process group of its own, wait until it is ready, end it by its id."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(variables), stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}{ready}", process, log, seconds)
            yield Server(f"http://127.0.0.1:{port}", process.pid)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(url, timeout=5) as response:
                assert response.status == 200
                return
        except (URLError, ConnectionError):
            # It does not listen yet; this rest only spares the processor.
            time.sleep(0.05)
    raise AssertionError(f"{url} was not ready after {seconds} s:\n{log.read_text()}")
