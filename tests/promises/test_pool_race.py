"""P3 under fire: fifty people at the last seat through every door, and role changes among mapping changes."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.directory.groups import GroupService
from app.directory.models import users
from app.directory.users import UserService
from app.governance.decisions import differs
from app.governance.entitlements import EntitlementService
from tests.support.cast import Organization, create_organization, in_organization, json_of

PARALLEL = 50


@pytest.fixture
def rounds(chaos: bool) -> int:
    return 1_000 if chaos else 5


def at_once(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each in a thread of its own, all let go at the same moment."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        start.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


class Crowd:
    """Fifty people without a seat: some outside the mapped group, some inactive in it, some in own groups."""

    def __init__(self, acme: Organization) -> None:
        self.acme = acme
        with in_organization(acme.app, acme.id) as services:
            people, groups = services.get(UserService), services.get(GroupService)
            self.ids = [
                people.create({"userName": f"person{number}"}, active=number % 5 != 1).id
                for number in range(PARALLEL)
            ]
            sleeping = [self.ids[number] for number in range(PARALLEL) if number % 5 == 1]
            self.group_id = groups.create({"displayName": "Everybody"}, sleeping)
            self.own_groups = {
                person: groups.create({"displayName": f"Group of {person}"}, [person])
                for number, person in enumerate(self.ids)
                if number % 5 == 3
            }
            services.commit()
        acme.map_group(self.group_id)
        self.role_id = acme.role_id("member")

    def join(self, number: int) -> int:
        """Ask for a seat through one of five doors."""
        acme, person = self.acme, self.ids[number]
        doors: dict[int, Callable[[], Any]] = {
            0: lambda: acme.scim.add_members(self.group_id, person),
            1: lambda: acme.scim.set_active(person, True),
            2: lambda: acme.api.post("/seats", {"user_id": edge_id("user", person), "role_id": self.role_id}),
            3: lambda: acme.api.post(
                "/group_mappings",
                {"group_id": edge_id("group", self.own_groups[person]), "role_id": self.role_id},
            ),
            4: lambda: acme.scim.post("/Bulk", {"Operations": self._hire_and_add(number)}),
        }
        response = doors[number % 5]()
        assert response.status_code < 300, response.text
        return int(response.status_code)

    def _hire_and_add(self, number: int) -> list[dict[str, Any]]:
        members = [{"value": self.ids[number]}, {"value": "bulkId:new"}]
        add = {"op": "add", "path": "members", "value": members}
        return [
            {"method": "POST", "path": "/Users", "bulkId": "new", "data": {"userName": f"new{number}"}},
            {"method": "PATCH", "path": f"/Groups/{self.group_id}", "data": {"Operations": [add]}},
        ]


def pool(acme: Organization) -> tuple[int, int, int | None]:
    shown = json_of(acme.api.get("/seat_pool"))
    return shown["assigned"], shown["waitlisted"], shown["available"]


def declared_order(acme: Organization) -> list[str]:
    """Who waits, by the position of the mapping that gives the seat, those by hand last, then by time."""
    mappings = json_of(acme.api.get("/group_mappings"))["data"]
    positions = {mapping["id"]: position for position, mapping in enumerate(mappings)}
    seats = json_of(acme.api.get("/seats?state=waitlisted&limit=1000"))["data"]

    def place(seat: dict[str, Any]) -> tuple[int, str, str]:
        ranks = [positions.get(source["mapping_id"], len(mappings)) for source in seat["sources"]]
        return min(ranks), seat["since"], seat["user_id"]

    assert [seat["waiting_position"] for seat in sorted(seats, key=place)] == list(range(1, len(seats) + 1))
    return [seat["user_id"].removeprefix("user_") for seat in sorted(seats, key=place)]


def holder(acme: Organization) -> str:
    (seat,) = json_of(acme.api.get("/seats?state=assigned"))["data"]
    return str(seat["user_id"].removeprefix("user_"))


def test_fifty_at_the_last_seat_through_every_door_never_pass_the_quantity(app: Flask, rounds: int) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        acme.api.put("/seat_pool", {"quantity": 1})
        crowd = Crowd(acme)
        at_once([lambda number=number: crowd.join(number) for number in range(PARALLEL)])  # type: ignore[misc]
        # Ten requests hire one person more each.
        assert pool(acme) == (1, PARALLEL + 9, 0)
        waiting = declared_order(acme)
        for expected in waiting[:3]:
            acme.scim.set_active(holder(acme), False)
            assert holder(acme) == expected


def test_places_given_back_and_asked_for_at_once_are_counted_exactly(app: Flask, rounds: int) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        people = [acme.scim.create_user() for _ in range(16)]
        group_id = acme.scim.create_group(members=people[:8])
        acme.map_group(group_id)
        acme.api.put("/seat_pool", {"quantity": 8})
        leaving = [lambda person=person: acme.scim.set_active(person, False) for person in people[:4]]  # type: ignore[misc]
        joining = [lambda person=person: acme.scim.add_members(group_id, person) for person in people[8:]]  # type: ignore[misc]
        assert {response.status_code for response in at_once([*leaving, *joining])} <= {200, 204}
        # Whom a hand-over passed over, because they were being decided about, the next one serves.
        acme.api.put("/seat_pool", {"quantity": 8})
        assert pool(acme) == (8, 4, 0)


def differing(acme: Organization) -> list[str]:
    """Whose stored rights are not what deciding again says."""
    with in_organization(acme.app, acme.id, write=False) as services:
        ids = services.uow.execute(select(users.c.id).where(users.c.org_id == ORG_ID)).scalars()
        decisions = [services.get(EntitlementService).decide(user_id) for user_id in ids]
    return [decision.person.user_id for decision in decisions if differs(decision)]


def test_a_role_changed_while_mappings_and_members_give_it_leaves_nobody_with_old_rights(
    app: Flask, rounds: int
) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        api = acme.api
        role = json_of(api.post("/roles", {"name": "changing", "surfaces": ["code"]}))["id"]
        people = [acme.scim.create_user() for _ in range(6)]
        group_ids = [acme.scim.create_group(members=people[:3]) for _ in range(4)]
        acme.map_group(group_ids[0], "changing")

        def give(group_id: str, acme: Organization = acme, role: str = role) -> Any:
            body = {"group_id": edge_id("group", group_id), "role_id": role}
            return acme.api.post("/group_mappings", body)

        def by_hand(person: str, acme: Organization = acme, role: str = role) -> Any:
            return acme.api.post("/seats", {"user_id": edge_id("user", person), "role_id": role})

        changes: list[Callable[[], Any]] = [
            *(
                lambda body=body, role=role, api=api: api.patch(f"/roles/{role}", body)  # type: ignore[misc]
                for body in ({"surfaces": ["chat"]}, {"surfaces": ["cowork"]}, {"denies": ["chat"]})
            ),
            *(lambda group_id=group_id: give(group_id) for group_id in group_ids[1:]),  # type: ignore[misc]
            lambda: acme.scim.add_members(group_ids[1], people[3]),
            lambda: acme.scim.remove_members(group_ids[0], people[0]),
            lambda: by_hand(people[4]),
            lambda: by_hand(people[5]),
            lambda: api.patch("/organization", {"rights_mode": "first"}),
        ]
        statuses = {response.status_code for response in at_once(changes)}
        assert statuses <= {200, 201, 204}
        assert differing(acme) == []
