"""The attack corpus against the real assertion consumer service of a real connection."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.sso.saml.certificates import SpKey
from app.sso.sp_keys import SpKeys
from tests.support.cast import create_organization, in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.saml_corpus import corpus
from tests.support.saml_corpus.case import ACCEPTED, Case, Fields
from tests.support.saml_idp import Scene
from tests.support.sign_on import SignOn, session_of, sign_on

# The people of the corpus are here.
DOMAIN = "example.com"


@pytest.fixture(scope="module")
def door(app: Flask) -> Iterator[SignOn]:
    organization = create_organization(app)
    made = sign_on(organization, DOMAIN, idp_initiated="refuse")
    with in_organization(app, organization.id) as services:
        for key, state in zip(Scene().sp_keys, ("next", "retired"), strict=True):
            sp_key = SpKey(key.private_pem, key.certificate_pem)
            services.get(SpKeys).store(made.connection_id, sp_key, state)
        services.commit()
    yield made
    # Other tests may use the name as nobody's.
    (domain,) = json_of(organization.api.get("/domains"))["data"]
    organization.api.delete(f"/domains/{domain['id']}")


def post(door: SignOn, browser: FlaskClient, fields: Fields) -> TestResponse:
    form = "application/x-www-form-urlencoded"
    return browser.post(f"{door.path}/acs", data=urlencode(fields), content_type=form)


def told(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.headers.get("X-Usher-Reason", "")


@pytest.mark.parametrize("case", corpus(), ids=lambda case: f"{case.family}:{case.name}")
def test_each_case_gets_its_verdict_and_nothing_is_taken_twice(
    door: SignOn, clock: FakeClock, case: Case
) -> None:
    clock.stop()
    browser = door.browser()
    request_id, _ = door.begin(browser)
    fields = case.fields(door.scene(request_id))
    first = post(door, browser, fields)
    if case.expected == ACCEPTED:
        assert first.status_code == 303, told(first)
        again = told(post(door, browser, fields))
        assert again in ((403, "request_consumed"), (403, "assertion_replayed"))
    else:
        assert told(first)[0] in (400, 403)
        assert told(first)[1] == case.expected
        assert session_of(browser).status_code == 401
        assert post(door, browser, fields).status_code in (400, 403)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("SAMLResponse", "")],
        [("SAMLResponse", "\x00")],
        [("SAMLResponse", "A" * 300_000)],
        [("RelayState", "x" * 100_000)],
        [(str(number), "x") for number in range(1_000)],
    ],
    ids=["nothing", "empty", "null", "too long", "only relay state", "many fields"],
)
def test_what_is_no_answer_is_refused(door: SignOn, fields: Fields) -> None:
    response = post(door, door.browser(), fields)
    assert response.status_code in (400, 403, 413), response.text


# Letters in no order, so that no index can store them shorter.
LONG = "".join(chr(0x4E00 + number * number * 7_919 % 20_011) for number in range(60_000))
ODD = {
    "a long address": {"attributes": {"email": (f"{LONG}@{DOMAIN}",)}},
    "a long name": {"attributes": {"email": (f"long@{DOMAIN}",), "displayName": (LONG,)}},
    "a long first name": {"attributes": {"email": (f"first@{DOMAIN}",), "firstName": (LONG,)}},
    "a long NameID": {"name_id": LONG, "attributes": {"email": (f"name@{DOMAIN}",)}},
    "a long stable id": {"attributes": {"email": (f"stable@{DOMAIN}",), "userId": (LONG[:600],)}},
    "a subject as long as may be": {"attributes": {"email": (f"most@{DOMAIN}",), "userId": (LONG[:500],)}},
    "a long group": {"attributes": {"email": (f"group@{DOMAIN}",), "groups": (LONG, LONG[:256])}},
    "many groups": {"attributes": {"email": (f"many@{DOMAIN}",), "groups": tuple(map(str, range(2_000)))}},
    "a blank address": {"attributes": {"email": ("  ",)}},
    "a blank name": {"attributes": {"email": (f"blank@{DOMAIN}",), "displayName": (" \n\t ",)}},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD.keys())
def test_odd_claims_of_a_genuine_idp_are_taken_or_refused_with_a_trace(
    door: SignOn, changes: dict[str, object]
) -> None:
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    fields = [
        ("SAMLResponse", door.message("odd@example.com", request_id, **changes)),
        ("RelayState", relay_state),
    ]
    response = post(door, browser, fields)
    assert response.status_code in (303, 400, 403), response.text
    reference = response.headers["X-Request-Id"]
    traces = door.organization.api.get(f"/connections/conn_{door.connection_id}/traces?reference={reference}")
    assert len(json_of(traces)["data"]) == 1
    assert post(door, browser, fields).status_code in (400, 403)
