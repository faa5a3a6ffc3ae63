"""`usher demo`: serve, and fill the organization `acme` through the doors that its real peers use."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.api.scopes import ADMIN
from app.cli_session import session
from app.core.clock import SystemClock
from app.core.errors import ConflictError, UnavailableError
from app.core.ids import edge_id
from app.core.urls import PublicUrls
from app.demo.loading import Loader
from app.directory.credentials import CredentialService
from app.directory.organizations import OrganizationService
from app.selftest.http import Service

SLUG, NAME = "acme", "Acme Inc"
# Of the token and the key; those of the run before are revoked, because nobody can be shown them again.
CREDENTIALS = "demo"
AGENT = "usher-demo"
START_SECONDS = 60.0
PEOPLE = 150


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--people", default=PEOPLE, show_default=True, type=click.IntRange(10, 10_000))
def demo(host: str, port: int, people: int) -> None:
    """Serve with an invented company: people, groups, roles, limits and 30 days of usage.

    A second time adds the days since; what somebody changed meanwhile stays as it is, but for the pools
    and the number of seats.
    """
    root = f"http://{host}:{port}"
    with _serving(host, port) as server:
        organization_id, token, key = _credentials()
        scim = Service(PublicUrls(root).scim_base_url, AGENT)
        with _bars() as progress:
            loader = Loader(scim, token, Service(f"{root}/api/v1", AGENT), key, progress)
            loader.load(people, organization_id, SystemClock().now().date())
        click.echo(f"Organization  {NAME} ({SLUG}), {people} people")
        click.echo(f"SCIM base URL {scim.url}")
        click.echo(f"SCIM token    {token}")
        click.echo(f"API           {root}/api/v1/openapi.json")
        click.echo(f"API key       {key}")
        click.echo("It serves until you press Ctrl+C.")
        server.wait()


@contextmanager
def _serving(host: str, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    """`usher serve` in a process of its own, ready; it ends with this one."""
    command = [sys.executable, "-m", "app", "serve", "--upgrade", "--host", host, "--port", str(port)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A line for each request would write over the bars.
    environment = {"USHER_LOG_LEVEL": "warning", **os.environ}
    with subprocess.Popen(command, env=environment) as server:  # noqa: S603 - this very program
        try:
            _wait_until_ready(server, host, port)
            yield server
        except KeyboardInterrupt:
            sys.exit(0)
        finally:
            server.terminate()


def _wait_until_ready(server: "subprocess.Popen[bytes]", host: str, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection(host, port, timeout=1)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:  # noqa: PLR2004 - HTTP
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise UnavailableError(f"The server did not start on {host}:{port}; is the port in use?")


def _credentials() -> tuple[str, str, str]:
    """The organization's edge id, a SCIM token and an API key."""
    with session(write=True) as services:
        try:
            services.get(OrganizationService).create(SLUG, NAME)
            services.commit()
        except ConflictError:
            click.echo(f"The organization {SLUG} is there already.", err=True)
    with session(write=True, org=SLUG) as services:
        credentials = services.get(CredentialService)
        for kind in ("scim_token", "api_key"):
            for row in credentials.all(kind):
                if row.name == CREDENTIALS and row.revoked_at is None:
                    credentials.revoke(kind, row.id)
        _, token = credentials.create_scim_token(CREDENTIALS)
        _, key = credentials.create_api_key(CREDENTIALS, [ADMIN])
        services.commit()
        return edge_id("org", services.uow.org_id), token, key


@contextmanager
def _bars() -> "Iterator[_Bars]":
    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        yield _Bars(shown)


class _Bars:
    """One bar for each step, in the order in which they begin."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._shown.add_task(step, total=total)
        self._shown.update(self._tasks[step], completed=done)
