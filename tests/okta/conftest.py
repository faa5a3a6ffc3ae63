"""An application over HTTP and a shell, for pages that are walked through."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from app.wiring import Environment
from tests.okta.reader import Reader
from tests.okta.walking import Served, Shell, served
from tests.support.cast import Organization, create_organization
from tests.support.databases import SECRET_KEY
from tests.support.fakes import FakeClock, FakeFetch, FakeResolver

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def site(
    migrated_database: Callable[[str], Settings],
    shared_clock: FakeClock,
    resolver: FakeResolver,
    fetch: FakeFetch,
) -> Iterator[Served]:
    environment = Environment(clock=shared_clock, txt_resolver=resolver, fetch=fetch)
    with served(migrated_database("sqlite"), environment) as made:
        yield made


@pytest.fixture
def reader(site: Served) -> Organization:
    """The organization of the administrator who reads."""
    return create_organization(site.app, f"reader-{next(_numbers)}")


@pytest.fixture
def shell(
    site: Served, reader: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    monkeypatch.setenv("USHER_DATABASE_URL", site.container.settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("USHER_BASE_URL", site.base_url)
    made = Shell(site, reader.slug, tmp_path)
    yield made
    made.close()


@pytest.fixture
def admin(
    shell: Shell, reader: Organization, resolver: FakeResolver, fetch: FakeFetch, clock: FakeClock
) -> Reader:
    return Reader(shell, reader, resolver, fetch, clock)
