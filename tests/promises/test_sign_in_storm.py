"""Sign-ins at the same moment: an answer counts once, and a leaver is out whichever came first."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from tests.support.cast import Organization, json_of
from tests.support.sign_on import SignOn, session_of, sign_on


@pytest.fixture
def door(acme: Organization) -> SignOn:
    return sign_on(acme)


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the tasks answer, begun together."""
    together = threading.Barrier(len(tasks))
    answers: list[Any] = [None] * len(tasks)

    def run(place: int) -> None:
        together.wait()
        answers[place] = tasks[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_many_posts_of_one_answer_one_is_accepted(door: SignOn, chaos: bool) -> None:
    for number in range(30 if chaos else 2):
        browser = door.browser()
        request_id, relay_state = door.begin(browser)
        message = door.message(f"ada{number}@{door.domain}", request_id)
        # No cookies along, as browsers do it at a cross-site POST.
        posts = [partial(door.post, door.browser(), message, relay_state) for _ in range(6)]
        statuses = sorted(response.status_code for response in at_once(posts))
        assert statuses == [303, 403, 403, 403, 403, 403]


def test_of_many_browsers_with_one_code_one_is_signed_in(door: SignOn, chaos: bool) -> None:
    for number in range(30 if chaos else 2):
        browser = door.browser()
        request_id, relay_state = door.begin(browser)
        waiting = door.post(browser, door.message(f"ada{number}@{door.domain}", request_id), relay_state)
        cookie = browser.get_cookie("usher_browser")
        assert cookie is not None
        copies = [door.browser() for _ in range(4)]
        for copy in copies:
            copy.set_cookie("usher_browser", cookie.value)
        at_once([partial(copy.get, waiting.headers["Location"]) for copy in copies])
        assert [session_of(copy).status_code for copy in copies].count(200) == 1


def test_nobody_is_signed_in_who_was_deactivated_at_the_same_moment(
    door: SignOn, acme: Organization, chaos: bool
) -> None:
    for number in range(30 if chaos else 3):
        email = f"leaver{number}@{door.domain}"
        user_id = acme.scim.create_user(email)
        browser = door.browser()
        request_id, relay_state = door.begin(browser)
        message = door.message(email, request_id)

        def sign_in(browser: Any = browser, message: str = message, relay_state: str = relay_state) -> int:
            response = door.post(browser, message, relay_state)
            if response.status_code == 303:
                response = browser.get(response.headers["Location"])
            status: int = response.status_code
            return status

        status, left = at_once([sign_in, partial(acme.scim.set_active, user_id, False)])
        assert (status in (303, 403), left.status_code) == (True, 200)
        assert session_of(browser).status_code == 401
        assert json_of(acme.api.get(f"/sessions?user_id=user_{user_id}"))["data"] == []


def test_people_who_come_for_the_first_time_at_once_share_their_groups(
    door: SignOn, acme: Organization, chaos: bool
) -> None:
    for number in range(10 if chaos else 1):
        people = [f"new{number}.{place}@{door.domain}" for place in range(5)]

        def come(email: str, name: str = f"Group {number}") -> Any:
            told = {"email": (email,), "groups": (name,)}
            return session_of(door.sign_in(email, attributes=told)).status_code

        assert at_once([partial(come, email) for email in people]) == [200] * len(people)
        groups = json_of(acme.api.get("/groups?limit=1000"))["data"]
        assert [g["member_count"] for g in groups if g["display_name"] == f"Group {number}"] == [5]
