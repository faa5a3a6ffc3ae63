"""`usher serve` and `usher worker`: the processes that stay."""

import os
import shutil
import signal
import socket
import sys
import tempfile

import click
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from app import schema
from app.core import logs
from app.core.context import SYSTEM, Caller
from app.directory.organizations import OrganizationService
from app.doctor import examine
from app.settings import Settings
from app.wiring import Container, build_worker

# Python runs one thread at a time: more of them wait for each other longer than for the database
# (measured with 16 clients: p99 of a read 24 ms with 4 threads, 49 ms with 8).
THREADS = 4
BACKLOG = 1024
# A request line or header block above this is refused before it costs anything.
HEADER_BYTES = 16_384
EXIT_REFUSED, EXIT_USAGE = 1, 2
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Server processes; SQLite serves with one.",
)
@click.option("--no-worker", is_flag=True, help="Run no background work in the server.")
@click.option("--upgrade", is_flag=True, help="Bring the schema to head first, as make run does.")
def serve(host: str, port: int, workers: int, *, no_worker: bool, upgrade: bool) -> None:
    """Serve HTTP, and do the background work beside it."""
    settings = Settings.from_environment(os.environ)
    if make_url(settings.database_url).get_backend_name() == "sqlite" and workers > 1:
        click.echo("usher: SQLite is served by one process; use --workers 1, or PostgreSQL.", err=True)
        sys.exit(EXIT_USAGE)
    _refuse_taken(host, port)
    if upgrade:
        schema.upgrade(settings)
    if settings.is_production:
        _refuse_problems(settings)
    # The server's processes read their settings for themselves.
    os.environ["USHER_WORKERS"] = str(workers)
    os.environ["USHER_WORKER"] = str(not no_worker)
    if workers > 1 and METRICS_FOLDER not in os.environ:
        _restart_with_shared_metrics()
    _welcome(settings, host, port)
    Granian(
        "app.serving:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=workers,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(max_buffer_size=HEADER_BYTES),
        log_enabled=True,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    ).serve()
    if METRICS_FOLDER in os.environ:
        shutil.rmtree(os.environ[METRICS_FOLDER], ignore_errors=True)


@click.command()
def worker() -> None:
    """Do only the background work, in a process of its own."""
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log_level)
    running = build_worker(Container(settings))
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    signal.signal(signal.SIGINT, lambda *_: running.stop())
    running.run()


def _restart_with_shared_metrics() -> None:
    """Begin anew: the metrics library looks for the shared folder once, when it is first imported."""
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="usher-metrics-")
    os.execv(sys.executable, [sys.executable, "-m", "app", *sys.argv[1:]])  # noqa: S606 - this very program


def _refuse_taken(host: str, port: int) -> None:
    """Granian shares a port with whoever has it already, and each request would go to either of the two."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        click.echo(f"usher: Cannot listen on {host}:{port}: {error.strerror}. Try another --port.", err=True)
        sys.exit(EXIT_REFUSED)


def _refuse_problems(settings: Settings) -> None:
    """Production does not start on what the doctor calls a problem."""
    problems = [finding["detail"] for finding in examine(settings) if finding["status"] == "problem"]
    for problem in problems:
        click.echo(f"usher: {problem}", err=True)
    if problems:
        sys.exit(EXIT_REFUSED)


def _welcome(settings: Settings, host: str, port: int) -> None:
    click.echo(f"Usher serves on http://{host}:{port} (SCIM at {settings.base_url}/scim/v2)", err=True)
    container = Container(settings)
    try:
        with container.begin(write=False, caller=Caller(SYSTEM, "serve")) as services:
            if not services.get(OrganizationService).ids():
                click.echo("No organization yet. Create one with:", err=True)
                click.echo('  .venv/bin/usher org create acme --name "Acme Inc"', err=True)
    except SQLAlchemyError:
        click.echo("usher: The database is not ready; run usher db upgrade first.", err=True)
        sys.exit(EXIT_REFUSED)
    finally:
        container.database.dispose()
