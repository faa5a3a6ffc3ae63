"""The issuer's keys: published before they sign, kept while they may be checked, turned by time."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app import create_app
from app.oauth.signing_keys import SigningKeys
from app.settings import Settings
from app.wiring import Environment
from tests.support.application import register
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.databases import KINDS, migrated
from tests.support.fakes import FakeClock

_numbers = itertools.count(1)


@pytest.fixture(params=KINDS)
def alone(
    request: pytest.FixtureRequest, new_database: Callable[[str, str], Settings], clock: FakeClock
) -> Iterator[Organization]:
    """An organization on a server of its own: the keys are of all organizations."""
    settings = migrated(new_database(request.param, f"keys_{next(_numbers)}"))
    app: Flask = create_app(settings, Environment(clock=clock))
    yield create_organization(app)
    app.extensions["usher"].database.dispose()


def published(organization: Organization) -> list[str]:
    return [key["kid"] for key in json_of(organization.app.test_client().get("/oauth/jwks"))["keys"]]


def states(organization: Organization) -> list[str]:
    with in_organization(organization.app, organization.id, write=False) as services:
        return [key.state for key in services.get(SigningKeys).states()]


def sign(organization: Organization) -> str:
    with in_organization(organization.app, organization.id, write=False) as services:
        token: str = services.get(SigningKeys).sign({"sub": "ada"})
    return token


def is_good(organization: Organization, token: str) -> bool:
    with in_organization(organization.app, organization.id, write=False) as services:
        return services.get(SigningKeys).verified(token) is not None


def rotate(organization: Organization, *, at_once: bool = False) -> None:
    with in_organization(organization.app, organization.id) as services:
        services.get(SigningKeys).rotate(at_once=at_once)
        services.commit()


def test_keys_turn_by_time_and_no_token_fails_meanwhile(alone: Organization, clock: FakeClock) -> None:
    clock.stop()
    assert published(alone) == []
    register(alone)
    (first,) = published(alone)
    # A second application needs no second key.
    register(alone)
    assert published(alone) == [first]
    old = sign(alone)
    rotate(alone)
    assert states(alone) == ["next", "current"]
    second, other = published(alone)
    assert other == first
    clock.advance(hours=25)
    assert states(alone) == ["current", "retired"]
    assert is_good(alone, old)
    assert is_good(alone, sign(alone))
    clock.advance(days=8)
    assert published(alone) == [second]
    assert not is_good(alone, old)
    while alone.work():
        pass
    assert states(alone) == ["current"]
    # And the worker makes the next one in time.
    clock.advance(days=83)
    while alone.work():
        pass
    assert states(alone) == ["next", "current"]
    while alone.work():
        pass
    assert len(published(alone)) == 2
    leaked = sign(alone)
    rotate(alone, at_once=True)
    assert states(alone) == ["current"]
    assert not is_good(alone, leaked)
    assert is_good(alone, sign(alone))


def test_a_server_whose_clock_is_behind_signs_with_the_key_that_took_over(
    alone: Organization, clock: FakeClock
) -> None:
    clock.advance(minutes=2)
    register(alone)
    rotate(alone, at_once=True)
    clock.reset()
    assert states(alone) == ["current"]
    assert is_good(alone, sign(alone))
