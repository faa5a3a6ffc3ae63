"""What the tests of single sign-on share."""

import itertools
from collections.abc import Callable

import pytest

from tests.support.cast import Organization
from tests.support.fakes import FakeClock

_numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A domain name that no other test uses."""
    return f"acme-{next(_numbers)}.example"


@pytest.fixture
def later(acme: Organization, globex: Organization, clock: FakeClock) -> Callable[..., None]:
    """Let time pass, such as `days=1`, and then the worker do all that is due."""

    def run(**parts: float) -> None:
        clock.advance(**parts)
        while acme.work() | globex.work():
            pass

    return run
