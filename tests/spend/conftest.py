"""Somebody who may spend, and a gateway that asks."""

import pytest

from tests.support.cast import Organization
from tests.support.till import Till


@pytest.fixture
def till(acme: Organization) -> Till:
    return Till(acme)
