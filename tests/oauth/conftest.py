"""What the tests of the OpenID Provider share: a way in, an application, a person with a seat."""

from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient

from tests.support.application import Application, register
from tests.support.cast import Organization
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


@pytest.fixture
def ada(acme: Organization, door: SignOn) -> Person:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email, displayName="Ada", emails=[{"value": email, "primary": True}])
    group_id = acme.scim.create_group("Engineering", members=[user_id])
    acme.map_group(group_id)
    return Person(user_id, email, group_id, door.sign_in(email))
