"""Drives one server with wrk: prepared requests from a file, numbers from its report.

One thread of wrk sends far more than these servers answer, and gives every request of a case its own
turn, so that no user name is created twice and nobody is added to a group twice.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.servers import BenchError

# More requests than any case answers in a second; reads may come round again, writes may not.
PREPARED_PER_SECOND = 4_000
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}
_LUA = """local requests, turn = {}, 0
function init(arguments)
  for line in io.lines("%s") do
    local method, path, body = line:match("^(%%S+)\\t(%%S+)\\t(.*)$")
    requests[#requests + 1] = wrk.format(method, path, nil, body ~= "" and body or nil)
  end
end
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
"""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: str = ""


@dataclass(slots=True)
class Case:
    """`make` answers the request of a turn; `cursor` is the first turn that was not yet sent."""

    name: str
    make: Callable[[int], Request]
    turns: int | None = None
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    # What went wrong, empty when every answer was a success.
    fault: str


class Generator:
    """Measures cases against one server with one credential."""

    def __init__(self, port: int, token: str, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._token = token
        self._folder = folder

    def measure(self, case: Case, *, clients: int, seconds: int) -> Measured:
        """Send from the case's cursor on and move it behind everything that may have been sent."""
        wanted = seconds * PREPARED_PER_SECOND
        prepared = wanted if case.turns is None else min(wanted, case.turns - case.cursor)
        if prepared <= 0:
            return Measured(0, 0, 0, 0, "no unsent requests are left; shorten --seconds")
        lines = self._folder / "requests.tsv"
        with lines.open("w") as output:
            for turn in range(case.cursor, case.cursor + prepared):
                request = case.make(turn)
                output.write(f"{request.method}\t{request.path}\t{request.body}\n")
        measured = self._run(lines, clients, seconds)
        case.cursor += measured.requests + clients + 1
        if case.turns is not None and measured.requests > prepared:
            return Measured(*_numbers(measured), "requests were repeated; shorten --seconds")
        return measured

    def _run(self, lines: Path, clients: int, seconds: int) -> Measured:
        script = self._folder / "case.lua"
        script.write_text(_LUA % lines)
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
        command += ["--latency", "--timeout", "10s", "--script", str(script)]
        command += ["--header", f"Authorization: Bearer {self._token}"]
        command += ["--header", "Content-Type: application/scim+json", self._url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
        return parse(done.stdout)


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise BenchError(
            "The load generator wrk is missing. Install it: apt-get install wrk (Debian, Ubuntu) "
            "or brew install wrk (macOS)."
        )


def _numbers(measured: Measured) -> tuple[float, float, float, int]:
    return measured.per_second, measured.p50_ms, measured.p99_ms, measured.requests


def parse(report: str) -> Measured:
    """The numbers in wrk's report."""
    faults = re.findall(r"(?:Non-2xx or 3xx responses|Socket errors): .*", report)
    requests = int(_find(r"(\d+) requests in", report)[0])
    return Measured(
        per_second=float(_find(r"Requests/sec:\s+([\d.]+)", report)[0]),
        p50_ms=_milliseconds(*_find(r"\s50%\s+([\d.]+)(us|ms|s|m)\b", report)),
        p99_ms=_milliseconds(*_find(r"\s99%\s+([\d.]+)(us|ms|s|m)\b", report)),
        requests=requests,
        fault="; ".join(faults) if requests else "nothing was answered",
    )


def _find(pattern: str, report: str) -> tuple[str, ...]:
    found = re.search(pattern, report)
    if found is None:
        raise BenchError(f"wrk's report has no {pattern!r}:\n{report}")
    return found.groups()


def _milliseconds(number: str, unit: str) -> float:
    return float(number) * _UNITS[unit]
