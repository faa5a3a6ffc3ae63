"""The two servers under measurement as processes: started on loopback, waited for, stopped by id."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.databases import Target

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 40.0


class BenchError(Exception):
    """The run cannot go on; the message says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def usher(environment: Mapping[str, str], *arguments: str) -> Any:
    """Run a command of the real CLI; answers its `--json` output, or nothing without that option."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"usher {' '.join(arguments)} failed: {done.stderr.strip()}")
    return json.loads(done.stdout) if "--json" in arguments else None


@contextmanager
def serve_usher(target: Target, port: int, folder: Path) -> Iterator[int]:
    """`usher serve` as users run it: log at info, worker inside; answers its process id."""
    arguments = ["app", "serve", "--port", str(port), "--workers", str(target.workers)]
    environment = {**target.environment(port), "TMPDIR": str(folder)}
    with _serve(
        arguments, environment, folder / "usher.log", f"http://127.0.0.1:{port}/readyz"
    ) as process_id:
        yield process_id


@contextmanager
def serve_yardstick(target: Target, port: int, folder: Path) -> Iterator[None]:
    arguments = ["bench.yardstick", str(port), str(target.workers)]
    environment = {"BENCH_DATABASE_URL": target.url, "TMPDIR": str(folder)}
    with _serve(arguments, environment, folder / "yardstick.log", f"http://127.0.0.1:{port}/read/none"):
        yield


@contextmanager
def _serve(
    arguments: Sequence[str], environment: Mapping[str, str], log: Path, ready_url: str
) -> Iterator[int]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=_environment(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_ready(process, ready_url, log)
            yield process.pid
        finally:
            _stop(process)


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}
    return {**inherited, **values}


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as error:
            # The yardstick has no readiness page; its refusal of a missing token will do.
            if error.code == 401:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise BenchError(f"The server behind {url} did not start:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The session is ours alone: its leader was started here.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
