"""What the tests of single sign-on share."""

import itertools
from collections.abc import Callable

import pytest
from flask import Flask

from app.wiring import Container, build_worker
from tests.support.fakes import FakeClock

_numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A domain name that no other test uses."""
    return f"acme-{next(_numbers)}.example"


@pytest.fixture
def later(app: Flask, clock: FakeClock) -> Callable[..., None]:
    """Let time pass, such as `days=1`, and then the worker do all that is due."""
    container: Container = app.extensions["usher"]
    worker = build_worker(container)

    def run(**parts: float) -> None:
        clock.advance(**parts)
        while worker.round():
            pass

    return run
