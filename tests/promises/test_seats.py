"""P3: assigned seats never exceed the pool; who does not fit waits in mapping order, then in time."""

from concurrent.futures import ThreadPoolExecutor

from app.core.ids import edge_id
from tests.support.cast import Organization, json_of


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
