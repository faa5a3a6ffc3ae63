"""The self-test against a real HTTP server over both databases: its verdicts, and that it leaves nobody."""

import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from werkzeug.serving import make_server

from app.core.errors import UnavailableError
from app.core.ids import edge_id
from app.selftest import entra, okta
from app.selftest.http import Service
from app.selftest.player import Player
from app.selftest.steps import Result, Step
from tests.scim.answers import listed
from tests.support.cast import Organization, json_of

SCRIPTS = {"okta": okta.STEPS, "entra": entra.STEPS}


@contextmanager
def served(application: Any) -> Iterator[str]:
    """The SCIM root of the application on a port of its own."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/scim/v2"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def player(organization: Organization, root: str, **options: Any) -> Player:
    assert organization.scim.token is not None
    guid = str(uuid.uuid4())
    return Player(
        Service(root, "Okta SCIM Client 1.0.0", **options),
        organization.scim.token,
        f"usher-selftest-{guid[-12:]}",
        guid,
    )


def play(organization: Organization, root: str, steps: tuple[Step, ...]) -> list[Result]:
    playing = player(organization, root)
    playing.greet()
    results = list(playing.play(steps))
    assert playing.clean_up() == []
    return results


@pytest.mark.scim("validator/microsoft")
@pytest.mark.parametrize("vendor", SCRIPTS)
def test_every_step_is_right_and_nobody_is_left(acme: Organization, vendor: str) -> None:
    stranger, strangers = acme.scim.create_user(), acme.scim.create_group()
    with served(acme.app) as root:
        results = play(acme, root, SCRIPTS[vendor])
    assert [(result.title, result.received) for result in results if not result.ok] == []
    assert len(results) == len(SCRIPTS[vendor])
    assert [entry["id"] for entry in listed(acme.scim, "/Users")["Resources"]] == [stranger]
    assert [entry["id"] for entry in listed(acme.scim, "/Groups")["Resources"]] == [strangers]


@pytest.mark.parametrize("vendor", SCRIPTS)
def test_nobody_gains_or_loses_a_seat_when_the_pool_is_full(acme: Organization, vendor: str) -> None:
    holder, waiting = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group(members=[holder])
    acme.map_group(group_id)
    acme.api.put("/seat_pool", {"quantity": 1})
    acme.scim.add_members(group_id, waiting)
    before = json_of(acme.api.get("/seat_pool"))
    with served(acme.app) as root:
        results = play(acme, root, SCRIPTS[vendor])
    assert all(result.ok for result in results)
    assert (acme.seat_state(holder), acme.seat_state(waiting)) == ("assigned", "waitlisted")
    assert json_of(acme.api.get("/seat_pool")) == before
    listed_seats = json_of(acme.api.get("/seats?limit=1000"))["data"]
    assert {seat["user_id"] for seat in listed_seats} == {edge_id("user", holder), edge_id("user", waiting)}


@pytest.mark.scim("validator/microsoft")
def test_the_entra_script_holds_all_of_microsofts_validator() -> None:
    titles = [step.title for step in entra.STEPS]
    required = {int(found[1]) for title in titles if (found := re.match(r"Validator (\d+)/25: ", title))}
    preview = {int(found[1]) for title in titles if (found := re.match(r"Validator preview (\d)/7: ", title))}
    assert (required, preview) == (set(range(1, 26)), set(range(1, 8)))


class Broken:
    """The real application behind something that answers 500 where the wanted request is."""

    def __init__(self, application: Any, method: str, part: str) -> None:
        self._application = application
        self._method = method
        self._part = part

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == self._method and self._part in environ["PATH_INFO"]:
            start_response("500 Broken", [("Content-Type", "text/html")])
            return [b"<h1>Oh no</h1>"]
        return self._application(environ, start_response)


def test_a_fault_is_named_with_what_was_expected_and_everything_is_still_cleaned_up(
    acme: Organization,
) -> None:
    with served(Broken(acme.app, "PATCH", "/Users/")) as root:
        results = play(acme, root, okta.STEPS)
    failed = {result.title: result for result in results if not result.ok}
    assert {"Deactivate by PATCH", "Reactivate by PATCH", "Password sync"} <= failed.keys()
    deactivated = failed["Deactivate by PATCH"]
    assert deactivated.status == 500
    assert deactivated.expected == "200 or 204, active = false"
    assert deactivated.received == "500 <h1>Oh no</h1>"
    # What follows a fault is judged on its own.
    assert next(result for result in results if result.title == "Push a group").ok
    assert listed(acme.scim, "/Users")["totalResults"] == listed(acme.scim, "/Groups")["totalResults"] == 0


def test_a_wrong_body_is_named_by_what_it_lacks(acme: Organization) -> None:
    class Forgetful:
        """Answers each list as an empty object."""

        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"].endswith("/Users") and "filter=" in environ["QUERY_STRING"]:
                start_response("200 OK", [("Content-Type", "application/json")])
                return [b"{}"]
            return acme.app(environ, start_response)

    with served(Forgetful()) as root:
        (result,) = player(acme, root).play(okta.STEPS[3:4])
    assert result.received == "without a list of nobody: 200 {}"


def test_what_resists_deletion_is_reported(acme: Organization) -> None:
    with served(Broken(acme.app, "DELETE", "/Users/")) as root:
        playing = player(acme, root)
        results = list(playing.play(okta.STEPS))
        left = playing.clean_up()
    assert all(result.ok for result in results)
    assert sorted(left) == sorted(
        f"/Users/{entry['id']}" for entry in listed(acme.scim, "/Users")["Resources"]
    )


def test_an_interrupted_script_leaves_nobody(acme: Organization) -> None:
    with served(acme.app) as root:
        playing = player(acme, root)
        for result in playing.play(entra.STEPS):
            if result.title == "Remove a member by a list of values":
                break
        assert listed(acme.scim, "/Users")["totalResults"] == 2
        assert playing.clean_up() == []
    assert listed(acme.scim, "/Users")["totalResults"] == listed(acme.scim, "/Groups")["totalResults"] == 0


def test_a_limited_rate_is_waited_out_as_told(acme: Organization) -> None:
    waited: list[float] = []

    class Busy:
        """Refuses every second request."""

        count = 0

        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            self.count += 1
            if self.count % 2:
                start_response("429 Too Many Requests", [("Retry-After", "3")])
                return [b""]
            return acme.app(environ, start_response)

    with served(Busy()) as root:
        playing = player(acme, root, sleep=waited.append)
        results = list(playing.play(okta.STEPS))
        assert playing.clean_up() == []
    assert all(result.ok for result in results)
    assert set(waited) == {3.0}


def test_a_token_of_another_database_is_told_apart_from_a_fault(acme: Organization) -> None:
    with served(acme.app) as root, pytest.raises(UnavailableError, match="USHER_DATABASE_URL"):
        Player(Service(root, "usher-selftest"), "usher_scim_elsewhere", "run", "guid").greet()


def test_nobody_at_the_address_is_a_sentence(acme: Organization) -> None:
    with served(acme.app) as root:
        pass
    with pytest.raises(UnavailableError, match="--base-url"):
        player(acme, root).greet()


def test_bodies_hold_no_unfilled_name(acme: Organization) -> None:
    """A misspelt name would travel as it stands and prove nothing."""
    seen: list[str] = []

    def note(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        seen.append(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']} {body.decode()}")
        return acme.app({**environ, "wsgi.input": BytesIO(body)}, start_response)

    with served(note) as root:
        play(acme, root, (*okta.STEPS, *entra.STEPS))
    assert len(seen) > len(okta.STEPS) + len(entra.STEPS)
    assert [text for text in seen if re.search(r"\{[a-z]+\}", text)] == []
