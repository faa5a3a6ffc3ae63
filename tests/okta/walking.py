"""A page for administrators as they use it: its shell blocks run in one shell against a served application.

The shell and curl are real; `usher` is handed to this process, because starting it anew for each command
would take most of the suite's time.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from app import create_app
from app.cli import cli
from app.settings import Settings
from app.wiring import Container, Environment
from tests.support.server import ROOT, free_port

_END = "-- end of block"
_PRELUDE = """
usher() {
  printf '%s\\0' "$@" | curl -sS --data-binary @- "$USHER_COMMANDS" | { read -r code; cat; return "$code"; }
}
set -euo pipefail
exec 2>&1
"""
# What a block says of its own outcome: one word after the command.
_EXPECTED = re.compile(r"    # (\w+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A heading, what stands under it, and its blocks."""

    title: str
    text: str

    @property
    def blocks(self) -> list[str]:
        return _BLOCK.findall(self.text)

    @property
    def ways_back(self) -> list[str]:
        """Calls that stand in the line of prose instead of a block of their own."""
        return re.findall(r"`(api [^`]+)`", without_blocks(self.text))


def without_blocks(text: str) -> str:
    return _BLOCK.sub("", text)


def sections(page: str) -> list[Section]:
    parts = re.split(r"^##? (.+)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    return [Section(title, text) for title, text in zip(parts[1::2], parts[2::2], strict=True)]


@dataclass(frozen=True)
class Served:
    """The application with its doubles, over HTTP."""

    app: Flask
    base_url: str

    @property
    def container(self) -> Container:
        found: Container = self.app.extensions["usher"]
        return found


@contextmanager
def served(settings: Settings, environment: Environment) -> Iterator[Served]:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    app = create_app(replace(settings, base_url=base_url), environment)
    made = Served(app, base_url)
    server = make_server("127.0.0.1", port, _Commands(app), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        made.container.database.dispose()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Tests are quiet."""


class _Commands:
    """The application, and beside it the command line: the first line of an answer is the exit code."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if request.path != "/commands":
            return self._app(environ, start_response)
        words = request.get_data().decode().split("\0")[:-1]
        done = CliRunner().invoke(cli, words)
        told = done.output if done.exception is None else f"{done.output}{done.exception!r}\n"
        return Response(f"{done.exit_code}\n{told}")(environ, start_response)


class Shell:
    """One bash for a whole page, so that variables live on; its slug stands for `acme`."""

    def __init__(self, site: Served, slug: str, folder: Path) -> None:
        self._site = site
        self._slug = slug
        self.folder = folder
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            # As the pages say, with the folder of the installation in the PATH.
            env={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "USHER_COMMANDS": f"{site.base_url}/commands",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # Where the pages say okta/scripts, they are here too.
        (folder / "okta").symlink_to(ROOT / "okta")
        self._send(_PRELUDE)

    def run(self, block: str) -> str:
        """What the block prints; fails when a command does, or when a word after it was not printed."""
        # Traces are written a moment after their answer.
        self._site.container.traces.flush()
        # From a file, so that a quote left open ends the block instead of waiting for its other half.
        (self.folder / "block.sh").write_text(self._meant(block))
        self._send(f". ./block.sh < /dev/null\nprintf '\\n%s\\n' '{_END}'\n")
        assert self._process.stdout is not None
        lines: list[str] = []
        for line in self._process.stdout:
            if line == f"{_END}\n":
                break
            lines.append(line)
        else:
            raise AssertionError(f"{block}\nended the shell after {''.join(lines)}")
        printed = "".join(lines)
        for word in _EXPECTED.findall(block):
            assert re.search(rf"\b{word}\b", printed), f"{block}\nprinted {printed}"
        return printed

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def _meant(self, block: str) -> str:
        """The block with this organization's slug and addresses, as its reader replaces them."""
        told = re.sub(r"\bacme\b(?!\.okta)", self._slug, block)
        return told.replace("https://usher.example", self._site.base_url)

    def _send(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()
