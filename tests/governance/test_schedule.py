"""Mappings with a beginning and an end: gains come with the worker, losses hold without anybody."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.clock import rfc3339
from app.core.ids import edge_id
from app.governance.mappings import MappingService
from app.governance.resolver import GroupMapping, Policy, Role
from app.governance.schedule import entitle
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock

NOW = datetime(2026, 11, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOTH = frozenset({"g1", "g2"})


def role(name: str, *surfaces: str, seat: bool = True) -> Role:
    return Role(name, name, surfaces, None, (), frozenset(), seat=seat)


def policy(*mappings: tuple[str, str, datetime | None, datetime | None], mode: str = "union") -> Policy:
    roles = {one.id: one for one in (role("code", "code"), role("chat", "chat"), role("viewer", seat=False))}
    listed = [
        GroupMapping(f"m{place}", place, group, role_id, "provision", begin, end)
        for place, (group, role_id, begin, end) in enumerate(mappings, start=1)
    ]
    return Policy(mode, listed, roles, NOW)


def test_a_mapping_counts_from_its_beginning_until_just_before_its_end() -> None:
    mapping = GroupMapping("m", 1, "g1", "code", "provision", NOW, NOW + HOUR)
    moments = (NOW - HOUR, NOW, NOW + HOUR - timedelta(microseconds=1), NOW + HOUR)
    assert [mapping.is_in_force(moment) for moment in moments] == [False, True, True, False]


def test_rights_lapse_when_their_only_mapping_ends() -> None:
    found = entitle(policy(("g1", "code", None, NOW + HOUR)), BOTH, None)
    assert (found.wants_seat, found.lapses_at) == (True, NOW + HOUR)


def test_rights_that_another_mapping_gives_as_well_do_not_lapse() -> None:
    rules = policy(("g1", "code", None, NOW + HOUR), ("g2", "code", None, None))
    assert entitle(rules, BOTH, None).lapses_at is None


def test_rights_lapse_in_part_when_a_mapping_of_several_ends() -> None:
    rules = policy(("g1", "code", None, NOW + HOUR), ("g2", "chat", None, None))
    assert entitle(rules, BOTH, None).lapses_at == NOW + HOUR


def test_a_beginning_that_takes_the_seat_is_a_lapse() -> None:
    rules = policy(("g1", "viewer", NOW + HOUR, None), ("g2", "code", None, None), mode="first")
    assert entitle(rules, BOTH, None).lapses_at == NOW + HOUR


def test_a_mapping_out_of_its_time_is_a_reason() -> None:
    rules = policy(("g1", "code", NOW + HOUR, None), ("g2", "chat", None, NOW - HOUR))
    assert [(reason.outcome, reason.text) for reason in entitle(rules, BOTH, None).reasons] == [
        ("loses", f"it does not count before {(NOW + HOUR).isoformat()}"),
        ("loses", f"it expired at {(NOW - HOUR).isoformat()}"),
    ]


@pytest.fixture
def stopped(clock: FakeClock) -> FakeClock:
    clock.stop()
    return clock


def person_with_mapping(acme: Organization, clock: FakeClock, **hours: float) -> str:
    """Somebody in a group whose mapping begins or ends in so many hours."""
    person = acme.scim.create_user()
    times = {name: rfc3339(clock.now() + timedelta(hours=value)) for name, value in hours.items()}
    acme.map_group(acme.scim.create_group(members=[person]), **times)
    return person


def test_a_mapping_gives_nothing_before_its_time_and_the_worker_begins_it(
    acme: Organization, stopped: FakeClock
) -> None:
    person = person_with_mapping(acme, stopped, effective_at=1)
    assert acme.seat_state(person) is None
    assert json_of(acme.api.get("/group_mappings"))["data"][0]["warnings"] == ["not_yet_effective"]
    stopped.advance(hours=1)
    acme.work()
    assert acme.seat_state(person) == "assigned"


def test_an_expired_mapping_gives_nothing_even_without_a_worker(
    acme: Organization, stopped: FakeClock
) -> None:
    person = person_with_mapping(acme, stopped, expires_at=1)
    assert acme.seat_state(person) == "assigned"
    stopped.advance(hours=1)
    assert acme.seat_state(person) == "released"
    found = json_of(acme.api.get("/users?seat_state=assigned"))["data"]
    assert found == []
    seat = json_of(acme.api.get(f"/seats/{edge_id('user', person)}"))
    assert (seat["state"], seat["surfaces"], seat["sources"]) == ("released", [], [])
    assert json_of(acme.api.get("/seats?state=assigned"))["data"] == []
    assert json_of(acme.api.get("/seats?state=released"))["data"] == [seat]
    shown = json_of(acme.scim.get(f"/Users/{person}"))["urn:usher:scim:schemas:1.0:Seat"]
    assert shown == {"state": "released"}
    path = "/Users?filter=urn:usher:scim:schemas:1.0:Seat:state eq "
    totals = [
        json_of(acme.scim.get(f'{path}"{state}"'))["totalResults"] for state in ("assigned", "released")
    ]
    assert totals == [0, 1]
    path = f"/spend_limits/effective?user_id={edge_id('user', person)}"
    assert {row["source"] for row in json_of(acme.api.get(path))["data"]} == {"deprovisioned"}


def test_the_worker_frees_the_place_of_an_expired_mapping(acme: Organization, stopped: FakeClock) -> None:
    acme.api.put("/seat_pool", {"quantity": 1})
    person = person_with_mapping(acme, stopped, expires_at=1)
    waiting = acme.scim.create_user()
    acme.map_group(acme.scim.create_group(members=[waiting]))
    stopped.advance(hours=1)
    acme.work()
    assert (acme.seat_state(person), acme.seat_state(waiting)) == ("released", "assigned")
    assert json_of(acme.api.get("/group_mappings"))["data"][0]["warnings"] == ["expired"]


def test_no_later_decision_brings_an_expired_right_back(acme: Organization, stopped: FakeClock) -> None:
    person = person_with_mapping(acme, stopped, expires_at=1)
    stopped.advance(hours=1)
    acme.scim.set_active(person, False)
    acme.scim.set_active(person, True)
    assert acme.seat_state(person) == "released"
    acme.work()
    assert acme.seat_state(person) == "released"


def test_time_that_has_passed_is_applied_once(acme: Organization, stopped: FakeClock) -> None:
    person_with_mapping(acme, stopped, effective_at=1, expires_at=2)
    for _ in range(2):
        stopped.advance(hours=1)
        acme.work()
        with in_organization(acme.app, acme.id, write=False) as services:
            assert not services.get(MappingService).has_due()


def test_another_change_of_the_list_does_not_forget_what_time_has_done(
    acme: Organization, stopped: FakeClock
) -> None:
    person = person_with_mapping(acme, stopped, effective_at=1)
    stopped.advance(hours=1)
    acme.map_group(acme.scim.create_group())
    acme.work()
    assert acme.seat_state(person) == "assigned"


def test_an_end_before_its_beginning_is_refused(acme: Organization) -> None:
    body = {
        "group_id": edge_id("group", acme.scim.create_group()),
        "role_id": acme.role_id("member"),
        "effective_at": "2026-12-02T00:00:00Z",
        "expires_at": "2026-12-01T00:00:00Z",
    }
    response = acme.api.post("/group_mappings", body)
    assert (response.status_code, json_of(response)["detail"][:10]) == (400, "expires_at")


def test_a_free_place_is_not_given_to_who_has_lapsed_while_waiting(
    acme: Organization, stopped: FakeClock
) -> None:
    acme.api.put("/seat_pool", {"quantity": 1})
    leaver = acme.scim.create_user()
    acme.map_group(acme.scim.create_group(members=[leaver]))
    lapsed = person_with_mapping(acme, stopped, expires_at=1)
    behind = person_with_mapping(acme, stopped)
    stopped.advance(hours=1)
    acme.scim.set_active(leaver, False)
    acme.work()
    assert (acme.seat_state(lapsed), acme.seat_state(behind)) == ("released", "assigned")
    assert "seat.assigned" not in acme.audit_actions(lapsed)


def test_who_lapsed_in_part_while_waiting_keeps_their_turn(acme: Organization, stopped: FakeClock) -> None:
    acme.api.put("/seat_pool", {"quantity": 1})
    leaver = acme.scim.create_user()
    acme.map_group(acme.scim.create_group(members=[leaver]))
    role_id = json_of(acme.api.post("/roles", {"name": "chat", "surfaces": ["chat"]}))["id"]
    first = person_with_mapping(acme, stopped, expires_at=1)
    body = {"group_id": edge_id("group", acme.scim.create_group(members=[first])), "role_id": role_id}
    assert acme.api.post("/group_mappings", body).status_code == 201
    behind = person_with_mapping(acme, stopped)
    stopped.advance(hours=1)
    acme.scim.set_active(leaver, False)
    assert acme.seat_state(behind) == "waitlisted"
    acme.work()
    assert (acme.seat_state(first), acme.seat_state(behind)) == ("assigned", "waitlisted")


def test_a_plan_does_not_take_again_what_has_lapsed(acme: Organization, stopped: FakeClock) -> None:
    person_with_mapping(acme, stopped, expires_at=1)
    stopped.advance(hours=1)
    plan = json_of(acme.api.post("/group_mappings/plan", {"data": []}))
    assert (plan["data"], plan["totals"]["seats_lost"], plan["totals"]["monthly_usd"]) == ([], 0, "0")


def test_a_plan_says_of_a_lapsed_seat_that_it_is_released(acme: Organization, stopped: FakeClock) -> None:
    person = person_with_mapping(acme, stopped, expires_at=1)
    stopped.advance(hours=1)
    (mapping,) = json_of(acme.api.get("/group_mappings"))["data"]
    order = [{"group_id": mapping["group_id"], "role_id": mapping["role_id"]}]
    plan = json_of(acme.api.post("/group_mappings/plan", {"data": order}))
    (row,) = plan["data"]
    assert row["user_id"] == edge_id("user", person)
    assert row["seat_state"] == {"before": "released", "after": "assigned"}
    assert row["role_id"] == {"before": None, "after": mapping["role_id"]}
    assert plan["totals"]["seats_gained"] == 1
    assert (
        acme.api.post("/group_mappings/apply", {"plan_hash": plan["plan_hash"], "data": order}).status_code
        == 200
    )
    assert acme.seat_state(person) == "assigned"
