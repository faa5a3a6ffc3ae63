"""The registry, read once, as every test of the protocol needs it."""

import pytest

from app.scim.protocol.registry import Registry, ResourceType


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.load()


@pytest.fixture(scope="session")
def user_type(registry: Registry) -> ResourceType:
    return registry.user


@pytest.fixture(scope="session")
def group_type(registry: Registry) -> ResourceType:
    return registry.group
