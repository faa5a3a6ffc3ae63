"""What the tests of the OpenID Provider share: a way in, an application, a person with a seat."""

from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.application import Application, register
from tests.support.cast import Organization, create_organization
from tests.support.sign_on import SignOn, sign_on


@dataclass
class Person:
    """Somebody with a seat by a group, signed in at `browser`."""

    id: str
    email: str
    group_id: str
    browser: FlaskClient


@pytest.fixture
def door(acme: Organization) -> SignOn:
    return sign_on(acme)


@pytest.fixture
def tool(acme: Organization) -> Application:
    return register(acme)


def hire(door: SignOn) -> Person:
    acme = door.organization
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email, displayName="Ada", emails=[{"value": email, "primary": True}])
    group_id = acme.scim.create_group("Engineering", members=[user_id])
    acme.map_group(group_id)
    return Person(user_id, email, group_id, door.sign_in(email))


@pytest.fixture
def ada(door: SignOn) -> Person:
    return hire(door)


@dataclass
class Hall:
    """What many tests of one file may share because none of them changes it."""

    tool: Application
    other: Application
    foreign: Application
    ada: Person


@pytest.fixture(scope="module")
def hall(app: Flask) -> Hall:
    """An application, another of its organization, one of elsewhere; a person who may use the first two."""
    acme, globex = create_organization(app), create_organization(app)
    return Hall(register(acme), register(acme), register(globex), hire(sign_on(acme)))
