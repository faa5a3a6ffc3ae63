"""A transaction for a command: settings, container, organization, operator as the actor."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import click

from app.core import logs
from app.core.context import OPERATOR, Caller
from app.directory.organizations import OrganizationService
from app.settings import Settings
from app.wiring import Container, Services

F = TypeVar("F", bound=Callable[..., Any])


def org_option(command: F) -> F:
    """Give a command the option `--org SLUG`."""
    return click.option("--org", required=True, metavar="SLUG", help="The organization's slug.")(command)


def read_settings() -> Settings:
    return Settings.from_environment(os.environ)


@contextmanager
def sessions(
    *, write: bool, org: str | None = None
) -> Iterator[Callable[[], AbstractContextManager[Services]]]:
    """A way to open transactions of the operator, one after the other, for work in batches."""
    settings = read_settings()
    logs.configure("error")
    container = Container(settings)
    caller = Caller(OPERATOR, f"cli-{uuid.uuid4()}")

    @contextmanager
    def begin() -> Iterator[Services]:
        with container.begin(write=write, caller=caller) as services:
            if org is not None:
                services.get(OrganizationService).enter(org)
            yield services

    try:
        yield begin
    finally:
        container.database.dispose()


@contextmanager
def session(*, write: bool, org: str | None = None) -> Iterator[Services]:
    """Services inside one transaction of the operator; rolled back unless the command commits."""
    with sessions(write=write, org=org) as begin, begin() as services:
        yield services
