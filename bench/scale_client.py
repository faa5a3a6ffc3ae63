"""Sends known requests to one server over kept connections and times them; wrk measures rates, this work.

Also looks at the memory of the server's processes while it works.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.load import Request
from bench.servers import BenchError

# Requests that connectors keep under way at once.
PARALLEL = 8
SAMPLE_SECONDS = 0.02
_MEGABYTE = 1024.0


class ScimSender:
    def __init__(self, port: int, token: str, content_type: str = "application/scim+json") -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
        self._local = threading.local()

    def send(self, request: Request) -> Any:
        """The parsed answer; raises `BenchError` for a refusal."""
        if not hasattr(self._local, "connection"):
            self._local.connection = HTTPConnection("127.0.0.1", self._port, timeout=300)
        connection: HTTPConnection = self._local.connection
        connection.request(request.method, request.path, request.body or None, self._headers)
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise BenchError(f"{request.method} {request.path}: {response.status} {text[:500]!r}")
        return json.loads(text) if text else None

    def send_all(self, requests: Sequence[Request]) -> list[Any]:
        """Several at once; the answers in the order of the requests."""
        with ThreadPoolExecutor(PARALLEL) as threads:
            return list(threads.map(self.send, requests))


def timed(work: Callable[[], Any]) -> float:
    """The seconds that it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass(slots=True)
class Memory:
    """Megabytes of the process that grew most."""

    before: float = 0.0
    peak: float = 0.0
    after: float = 0.0


@dataclass(slots=True)
class _Watch:
    process_id: int
    before: dict[int, float]
    peak: dict[int, float] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            for process, size in resident(self.process_id).items():
                self.peak[process] = max(size, self.peak.get(process, 0.0))


@contextmanager
def watched(process_id: int) -> Iterator[Memory]:
    """Fills in the memory of a server's processes, before, at most, and after the block."""
    memory = Memory()
    watch = _Watch(process_id, resident(process_id))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield memory
    finally:
        watch.ended.set()
        thread.join()
    grown = max(watch.peak, key=lambda process: watch.peak[process] - watch.before.get(process, 0.0))
    memory.before, memory.peak = watch.before.get(grown, 0.0), watch.peak[grown]
    memory.after = resident(process_id).get(grown, 0.0)


def resident(process_id: int) -> dict[int, float]:
    """Resident megabytes of a process and all that it started (Linux)."""
    sizes: dict[int, float] = {}
    waiting = [process_id]
    while waiting:
        process = waiting.pop()
        try:
            status = Path(f"/proc/{process}/status").read_text()
            for task in Path(f"/proc/{process}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            # It has just ended.
            continue
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        sizes[process] = int(lines.get("VmRSS", "0 kB").split()[0]) / _MEGABYTE
    return sizes
