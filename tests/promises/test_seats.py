"""P3: assigned seats never exceed the pool; who does not fit waits in mapping order, then in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.core.ids import edge_id
from app.governance.seat_pool import SeatPool
from app.jobs import JOBS
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock


def resize(acme: Organization, quantity: int | None) -> int:
    return acme.api.put("/seat_pool", {"quantity": quantity}).status_code


def pool(acme: Organization) -> tuple[int, int, int | None]:
    shown = json_of(acme.api.get("/seat_pool"))
    return shown["assigned"], shown["waitlisted"], shown["available"]


def test_who_does_not_fit_waits(acme: Organization) -> None:
    resize(acme, 1)
    people = [acme.scim.create_user() for _ in range(3)]
    acme.map_group(acme.scim.create_group(members=people))
    states = [acme.seat_state(person) for person in people]
    assert sorted(map(str, states)) == ["assigned", "waitlisted", "waitlisted"]
    assert pool(acme) == (1, 2, 0)


def test_a_freed_seat_goes_to_the_first_who_waits(acme: Organization) -> None:
    resize(acme, 1)
    group_id = acme.scim.create_group()
    acme.map_group(group_id)
    first, second, third = (acme.scim.create_user() for _ in range(3))
    for person in (first, second, third):
        acme.scim.add_members(group_id, person)
    acme.scim.set_active(first, False)
    states = [acme.seat_state(person) for person in (first, second, third)]
    assert states == ["released", "assigned", "waitlisted"]


def test_an_earlier_mapping_goes_before_an_earlier_asking(acme: Organization) -> None:
    resize(acme, 1)
    leaders, others = acme.scim.create_group(), acme.scim.create_group()
    acme.map_group(leaders)
    acme.map_group(others)
    holder, other, leader = (acme.scim.create_user() for _ in range(3))
    acme.scim.add_members(others, holder)
    acme.scim.add_members(others, other)
    acme.scim.add_members(leaders, leader)
    acme.scim.delete(f"/Users/{holder}")
    assert (acme.seat_state(leader), acme.seat_state(other)) == ("assigned", "waitlisted")


def test_a_bought_seat_goes_to_who_waits(acme: Organization) -> None:
    resize(acme, 0)
    people = [acme.scim.create_user() for _ in range(3)]
    acme.map_group(acme.scim.create_group(members=people))
    assert pool(acme) == (0, 3, 0)
    resize(acme, 2)
    assert pool(acme) == (2, 1, 0)
    resize(acme, None)
    assert pool(acme) == (3, 0, None)


def agree(acme: Organization, *contracts: tuple[int, int, int | None]) -> None:
    """Contracts as quantity, first day and last day, counted from today."""
    today = acme.container.environment.clock.now().date()

    def day(days: int | None) -> str | None:
        return None if days is None else str(today + timedelta(days=days))

    rows = [{"quantity": n, "starts_on": day(first), "ends_on": day(last)} for n, first, last in contracts]
    response = acme.api.put("/seat_pool", {"contracts": rows})
    assert response.status_code == 200, response.text


def work(acme: Organization) -> None:
    """What the worker does for this organization when a contract has begun or ended."""
    (job,) = (job for job in JOBS if job.name == "seat_pool.turn")
    with in_organization(acme.app, acme.id) as services:
        pool = services.get(SeatPool)
        if job.is_due(pool):
            job.run(pool)
        services.commit()


def test_seats_that_were_bought_go_to_who_waits_when_the_contract_begins(
    acme: Organization, clock: FakeClock
) -> None:
    agree(acme, (1, 0, None), (2, 1, None))
    people = [acme.scim.create_user() for _ in range(4)]
    acme.map_group(acme.scim.create_group(members=people))
    work(acme)
    assert pool(acme) == (1, 3, 0)
    clock.advance(days=1)
    work(acme)
    assert pool(acme) == (3, 1, 0)
    assert acme.audit_actions().count("seat_pool.changed") == 2


def test_an_ended_contract_evicts_nobody_and_gives_nothing_more(acme: Organization, clock: FakeClock) -> None:
    agree(acme, (3, 0, 0), (1, 0, None))
    first, *others = people = [acme.scim.create_user() for _ in range(4)]
    group_id = acme.scim.create_group(members=people)
    acme.map_group(group_id)
    clock.advance(days=1)
    # What nobody has turned yet is shown, and kept to, all the same.
    acme.scim.add_members(group_id, acme.scim.create_user())
    shown = json_of(acme.api.get("/seat_pool"))
    assert [shown[name] for name in ("quantity", "assigned", "over_assigned", "available")] == [1, 4, 3, 0]
    work(acme)
    acme.scim.set_active(first, False)
    assert pool(acme) == (3, 1, 0)
    for person in others[:2]:
        acme.scim.set_active(person, False)
    assert pool(acme) == (1, 1, 0)
    acme.scim.set_active(others[2], False)
    assert pool(acme) == (1, 0, 0)


def test_a_contract_begins_at_midnight_of_the_organizations_zone(
    acme: Organization, clock: FakeClock
) -> None:
    clock.fixed = datetime(2026, 6, 1, 23, tzinfo=UTC)
    agree(acme, (1, 1, None))
    assert pool(acme) == (0, 0, 0)
    acme.api.patch("/organization", {"zone": "Europe/Berlin"})
    assert pool(acme) == (0, 0, 1)
    acme.api.patch("/organization", {"zone": "Pacific/Honolulu"})
    clock.advance(hours=10)
    assert pool(acme) == (0, 0, 0)
    clock.advance(hours=1)
    assert pool(acme) == (0, 0, 1)


def test_the_pool_does_not_shrink_below_what_is_assigned(acme: Organization) -> None:
    acme.map_group(acme.scim.create_group(members=[acme.scim.create_user() for _ in range(2)]))
    response = acme.api.put("/seat_pool", {"quantity": 1})
    assert (response.status_code, json_of(response)["code"]) == (409, "seat_pool_in_use")


def test_a_manual_seat_comes_through_the_same_door(acme: Organization) -> None:
    resize(acme, 0)
    seat = {"user_id": edge_id("user", acme.scim.create_user()), "role_id": acme.role_id("member")}
    response = acme.api.post("/seats", seat)
    assert (response.status_code, json_of(response)["state"]) == (201, "waitlisted")


def test_a_suspended_seat_keeps_its_place(acme: Organization) -> None:
    resize(acme, 1)
    first, second = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group(members=[first])
    acme.map_group(group_id)
    acme.api.patch(f"/seats/{edge_id('user', first)}", {"suspended": True, "reason": "leave"})
    acme.scim.add_members(group_id, second)
    assert (acme.seat_state(first), acme.seat_state(second)) == ("suspended", "waitlisted")
    acme.scim.set_active(first, False)
    assert acme.seat_state(second) == "assigned"


def suspend(acme: Organization, user_id: str, suspended: bool) -> int:
    return acme.api.patch(f"/seats/{edge_id('user', user_id)}", {"suspended": suspended}).status_code


@pytest.mark.parametrize("way", ["deactivation", "deletion", "the group"])
def test_a_suspension_survives_leaving_and_coming_back(acme: Organization, way: str) -> None:
    anna = acme.scim.create_user("anna@example.com")
    group_id = acme.scim.create_group(members=[anna])
    acme.map_group(group_id)
    assert suspend(acme, anna, True) == 200
    if way == "deactivation":
        acme.scim.set_active(anna, False)
        acme.scim.set_active(anna, True)
    elif way == "deletion":
        acme.scim.delete(f"/Users/{anna}")
        anna = acme.scim.create_user("Anna@example.com")
        acme.scim.add_members(group_id, anna)
    else:
        acme.scim.remove_members(group_id, anna)
        acme.scim.add_members(group_id, anna)
    assert acme.seat_state(anna) == "suspended"
    assert suspend(acme, anna, False) == 200
    assert acme.seat_state(anna) == "assigned"


def test_a_suspended_person_waits_in_line_and_can_be_resumed_there(acme: Organization) -> None:
    resize(acme, 1)
    first, second = acme.scim.create_user(), acme.scim.create_user()
    group_id = acme.scim.create_group(members=[first])
    acme.map_group(group_id)
    suspend(acme, first, True)
    acme.scim.set_active(first, False)
    acme.scim.add_members(group_id, second)
    acme.scim.set_active(first, True)
    assert acme.seat_state(first) == "waitlisted"
    acme.scim.set_active(second, False)
    assert (acme.seat_state(first), pool(acme)) == ("suspended", (1, 0, 0))
    acme.scim.set_active(second, True)
    acme.scim.set_active(first, False)
    acme.scim.set_active(first, True)
    assert (acme.seat_state(first), suspend(acme, first, False)) == ("waitlisted", 200)
    acme.scim.set_active(second, False)
    assert acme.seat_state(first) == "assigned"


def test_fifty_parallel_joins_at_one_free_seat_assign_exactly_one(acme: Organization) -> None:
    resize(acme, 1)
    group_id = acme.scim.create_group()
    acme.map_group(group_id)
    manual = acme.role_id("member")
    people = [acme.scim.create_user() for _ in range(50)]

    def join(number: int) -> int:
        person = people[number]
        if number % 2:
            return acme.scim.add_members(group_id, person).status_code
        seat = {"user_id": edge_id("user", person), "role_id": manual}
        return acme.api.post("/seats", seat).status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(join, range(50))) <= {201, 204}
    assert pool(acme) == (1, 49, 0)
