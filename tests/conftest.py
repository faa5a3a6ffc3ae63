"""Fixtures of the whole suite: every test that asks for `app` runs on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from functools import cache

import hypothesis
import pytest
from flask import Flask

from app import create_app
from app.settings import Settings
from app.wiring import Container, Environment
from tests.support.cast import Organization, create_organization
from tests.support.databases import KINDS, create_database, migrated, settings_for, start_postgresql
from tests.support.fakes import FakeClock, FakeFetch, FakeResolver


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="Run the storms at full length.")


def pytest_configure(config: pytest.Config) -> None:
    """The suite tries the same examples every time; storms look for new ones."""
    hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
    hypothesis.settings.register_profile("chaos", derandomize=False, deadline=None)
    hypothesis.settings.load_profile("chaos" if config.getoption("--chaos") else "suite")


@pytest.fixture(scope="session")
def chaos(request: pytest.FixtureRequest) -> bool:
    """Whether storms run at full length (`make chaos`)."""
    return bool(request.config.getoption("--chaos"))


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The socket folder of a PostgreSQL server; socket paths must be short."""
    return start_postgresql(tmp_path_factory.mktemp("pg"))


@pytest.fixture(scope="session")
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Settings]:
    """Make an empty database of the given kind and name."""

    def make(kind: str, name: str) -> Settings:
        if kind == "sqlite":
            return settings_for(f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/{name}.db")
        return create_database(request.getfixturevalue("postgresql"), name)

    return make


@pytest.fixture(scope="session")
def migrated_database(new_database: Callable[[str, str], Settings]) -> Callable[[str], Settings]:
    """The one migrated database of a kind in this process."""
    return cache(lambda kind: migrated(new_database(kind, "usher")))


@pytest.fixture(scope="session", params=KINDS)
def settings(request: pytest.FixtureRequest, migrated_database: Callable[[str], Settings]) -> Settings:
    """Settings of each database in turn, shared by the tests of this process."""
    return migrated_database(request.param)


@pytest.fixture(scope="session")
def shared_clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def resolver() -> FakeResolver:
    """What DNS says; each test uses names of its own."""
    return FakeResolver()


@pytest.fixture(scope="session")
def fetch() -> FakeFetch:
    """What others serve; each test uses addresses of its own."""
    return FakeFetch()


@pytest.fixture(scope="session")
def app(
    settings: Settings, shared_clock: FakeClock, resolver: FakeResolver, fetch: FakeFetch
) -> Iterator[Flask]:
    made = create_app(settings, Environment(clock=shared_clock, txt_resolver=resolver, fetch=fetch))
    yield made
    container: Container = made.extensions["usher"]
    container.database.dispose()


@pytest.fixture
def clock(shared_clock: FakeClock) -> Iterator[FakeClock]:
    """The application's clock; set back after the test."""
    yield shared_clock
    shared_clock.reset()


@pytest.fixture
def acme(app: Flask) -> Organization:
    """The organization that a test is about."""
    return create_organization(app)


@pytest.fixture
def globex(app: Flask) -> Organization:
    """Another organization, which must never see or touch acme's."""
    return create_organization(app)
