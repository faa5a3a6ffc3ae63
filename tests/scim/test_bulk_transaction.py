"""A bulk request is one transaction: refusals leave nothing, a lost race repeats all of it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from app.core import unit_of_work
from app.core.errors import ConcurrentUpdateError, ConflictError
from app.core.retries import ATTEMPTS
from app.directory.principals import Principal
from app.directory.users import UserService
from app.governance.seat_pool import SeatPool
from tests.scim import malformed, malformed_bulks
from tests.scim.answers import error_of, found, listed, members, ok, refused, user
from tests.scim.test_bulk import bulk, change, gather, hire, id_of, statuses, switch_off
from tests.support.cast import Organization, json_of


class DriverError(Exception):
    sqlstate = "40P01"


RACES: dict[str, Callable[[], Exception]] = {
    "deadlock": lambda: OperationalError("UPDATE", {}, DriverError()),
    "violated constraint": lambda: IntegrityError("INSERT", {}, DriverError()),
    "stale version": lambda: ConcurrentUpdateError("The user was changed by another request."),
}


def fail_updates(monkeypatch: pytest.MonkeyPatch, times: int, error: Exception) -> list[int]:
    """Let the next updates of users fail after they have written; answers a list that grows with each."""
    update = UserService.update
    tries: list[int] = []

    def failing(self: UserService, *arguments: Any, **named: Any) -> Any:
        stored = update(self, *arguments, **named)
        tries.append(1)
        if len(tries) <= times:
            raise error
        return stored

    monkeypatch.setattr(UserService, "update", failing)
    return tries


@pytest.mark.parametrize("race", RACES.values(), ids=RACES.keys())
def test_a_lost_race_repeats_the_whole_request_and_does_nothing_twice(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, race: Callable[[], Exception]
) -> None:
    anna = acme.scim.create_user()
    with monkeypatch.context() as broken:
        tries = fail_updates(broken, 2, race())
        results = bulk(acme, hire("bert"), hire("bert2", userName=""), switch_off(f"/Users/{anna}"))
    assert (statuses(results), len(tries)) == (["201", "400", "200"], 3)
    assert listed(acme.scim, "/Users")["totalResults"] == 2
    assert acme.audit_actions(id_of(results[0])) == ["user.created"]
    assert acme.audit_actions(anna) == ["user.created", "user.deactivated"]


def test_a_race_that_is_always_lost_ends_the_whole_request_and_is_no_operation_s_refusal(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = acme.scim.create_user()
    with monkeypatch.context() as broken:
        tries = fail_updates(broken, 99, RACES["deadlock"]())
        body = {"Operations": [hire("bert"), switch_off(f"/Users/{anna}")]}
        response = acme.scim.post("/Bulk", body)
    assert (response.status_code, len(tries)) == (503, ATTEMPTS)
    assert json_of(response)["status"] == "503"
    assert found(acme.scim, "/Users", "active eq true") == [anna]


def test_a_leaver_in_a_bulk_request_has_lost_everything_when_it_is_answered(acme: Organization) -> None:
    (first, second, third) = people = [acme.scim.create_user() for _ in range(3)]
    group_id = acme.scim.create_group(members=people)
    acme.map_group(group_id)
    acme.api.put("/seat_pool", {"quantity": 3})
    waiting = acme.scim.create_user()
    acme.scim.add_members(group_id, waiting)
    assert acme.seat_state(waiting) == "waitlisted"
    results = bulk(
        acme,
        switch_off(f"/Users/{first}"),
        switch_off(f"/Users/{second}", version='W/"9"'),
        {"method": "DELETE", "path": f"/Users/{third}"},
        hire("new"),
        change(f"/Groups/{group_id}", {"op": "add", "path": "members", "value": [{"value": "bulkId:new"}]}),
    )
    assert statuses(results) == ["200", "412", "204", "201", "204"]
    assert [acme.seat_state(person) for person in (first, second, waiting)] == [
        "released",
        "assigned",
        "assigned",
    ]
    assert acme.seat_state(id_of(results[3])) == "assigned"
    pool = json_of(acme.api.get("/seat_pool"))
    assert (pool["assigned"], pool["waitlisted"], pool["available"]) == (3, 0, 0)
    assert acme.audit_actions(first)[-2:] == ["user.deactivated", "seat.released"]
    assert "user.deactivated" not in acme.audit_actions(second)
    assert acme.audit_actions(third)[-3:] == ["user.deleted", "group.member_removed", "seat.released"]


def test_what_an_operation_causes_is_undone_with_it(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seat's handler refuses: the person stays active, the others' operations stand."""
    first, second = acme.scim.create_user(), acme.scim.create_user()
    acme.map_group(acme.scim.create_group(members=[first, second]))
    release, calls = SeatPool.release, iter((1, 2))

    def refuse_first(self: SeatPool, count: int, leaving: Principal | None = None) -> None:
        release(self, count)
        if next(calls) == 1:
            raise ConflictError("The pool is closed.")

    with monkeypatch.context() as broken:
        broken.setattr(SeatPool, "release", refuse_first)
        results = bulk(acme, hire("new"), switch_off(f"/Users/{first}"), switch_off(f"/Users/{second}"))
    assert statuses(results) == ["201", "409", "200"]
    assert results[1]["response"]["detail"] == "The pool is closed."
    assert (user(acme.scim, first)["active"], user(acme.scim, second)["active"]) == (True, False)
    assert (acme.seat_state(first), acme.seat_state(second)) == ("assigned", "released")
    assert json_of(acme.api.get("/seat_pool"))["assigned"] == 1
    assert acme.audit_actions(first) == ["user.created", "group.member_added", "seat.assigned"]
    assert acme.audit_actions(second)[-2:] == ["user.deactivated", "seat.released"]


def test_the_cap_on_events_guards_each_operation_and_not_their_sum(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion raises an event for every group that is left; a thousand of them raise many."""
    people = [hire(f"p{number}") for number in range(10)]
    everybody = [f"bulkId:p{number}" for number in range(10)]
    groups = [gather(f"g{number}", *everybody, name=f"Group {number}") for number in range(5)]
    hired = bulk(acme, *people, *groups)
    monkeypatch.setattr(unit_of_work, "MAX_EVENTS", 10)
    leavers = [{"method": "DELETE", "path": f"/Users/{id_of(result)}"} for result in hired[:10]]
    assert set(statuses(bulk(acme, *leavers))) == {"204"}
    assert members(acme.scim, id_of(hired[-1])) == []


def test_parallel_bulk_requests_lose_nothing_and_create_nothing_twice(acme: Organization) -> None:
    group_id = acme.scim.create_group()

    def send(number: int) -> list[str]:
        joining = {"op": "add", "path": "members", "value": [{"value": "bulkId:own"}]}
        own = {**hire("own"), "data": {"userName": f"own{number}@example.com"}}
        response = acme.scim.post(
            "/Bulk", {"Operations": [own, hire("same"), change(f"/Groups/{group_id}", joining)]}
        )
        return statuses(ok(response)["Operations"])

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(16)))
    assert sorted(answers) == sorted([["201", "201", "204"], *[["201", "409", "204"]] * 15])
    assert len(members(acme.scim, group_id)) == 16
    assert len(found(acme.scim, "/Users", 'userName sw "same"')) == 1


def test_broken_operations_are_refused_one_by_one_and_change_nothing(acme: Organization) -> None:
    ids = {"user": acme.scim.create_user("anna@example.com", title="Lead"), "group": acme.scim.create_group()}
    before = [listed(acme.scim, "/Users")["Resources"], listed(acme.scim, "/Groups")["Resources"]]
    broken = list(malformed_bulks.broken_operations())
    assert len(broken) >= 100
    for operation in broken:
        text = json.dumps(operation).replace("{user}", ids["user"]).replace("{group}", ids["group"])
        response = acme.scim.post("/Bulk", f'{{"Operations": [{text}]}}')
        if response.status_code == 200:
            (result,) = json_of(response)["Operations"]
            assert result["status"] in ("400", "404", "409", "412", "501"), operation
            assert result["response"]["detail"]
        else:
            error_of(response)
    assert [listed(acme.scim, "/Users")["Resources"], listed(acme.scim, "/Groups")["Resources"]] == before


def test_what_a_single_request_refuses_a_bulk_request_refuses_in_the_same_words(acme: Organization) -> None:
    ids = {"user": acme.scim.create_user("anna@example.com"), "group": acme.scim.create_group("Sales")}

    def fill(path: str) -> str:
        return path.replace("{user}", ids["user"]).replace("{group}", ids["group"])

    requests = [
        request
        for family in (malformed.wrong_types, malformed.garbage_patches)
        for request in list(family())[::7]
    ]
    operations = [
        {"method": request.method, "path": fill(request.path), "bulkId": str(number), "data": request.body}
        for number, request in enumerate(requests)
    ]
    assert len(operations) > 100
    half = len(operations) // 2
    results = bulk(acme, *operations[:half]) + bulk(acme, *operations[half:])
    for request, result in zip(requests, results, strict=True):
        single = acme.scim.request(request.method, fill(request.path), request.body)
        assert result["response"] == error_of(single)


def test_bulk_is_for_a_live_token_and_for_posting_only(acme: Organization) -> None:
    body = {"Operations": [hire("anna")]}
    stranger = {"Authorization": "Bearer nobody"}
    refused(acme.scim.post("/Bulk", body, headers=stranger), 401)
    refused(acme.scim.get("/Bulk"), 405)
    refused(acme.scim.post("/Bulk", json.dumps(body), content_type="text/plain"), 415)
    assert listed(acme.scim, "/Users")["totalResults"] == 0
