"""P3 under fire: fifty people at the last seat through every door, and role changes among mapping changes."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

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


def at_once(actions: Sequence[Callable[[], TestResponse]]) -> list[TestResponse]:
    """Run each in a thread of its own, all let go at the same moment."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], TestResponse]) -> TestResponse:
        start.wait()
        response = action()
        assert response.status_code < 300, response.text
        return response

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

    def join(self, number: int) -> TestResponse:
        """Ask for a seat through one of five doors."""
        acme, person = self.acme, self.ids[number]
        doors: dict[int, Callable[[], TestResponse]] = {
            0: lambda: acme.scim.add_members(self.group_id, person),
            1: lambda: acme.scim.set_active(person, True),
            2: lambda: acme.api.post("/seats", {"user_id": edge_id("user", person), "role_id": self.role_id}),
            3: lambda: acme.api.post(
                "/group_mappings",
                {"group_id": edge_id("group", self.own_groups[person]), "role_id": self.role_id},
            ),
            4: lambda: acme.scim.post("/Bulk", {"Operations": self._hire_and_add(number)}),
        }
        return doors[number % 5]()

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


def differing(acme: Organization) -> list[str]:
    """Whose stored rights are not what deciding again says."""
    with in_organization(acme.app, acme.id, write=False) as services:
        ids = services.uow.execute(select(users.c.id).where(users.c.org_id == ORG_ID)).scalars()
        decisions = [services.get(EntitlementService).decide(user_id) for user_id in ids]
    return [decision.person.user_id for decision in decisions if differs(decision)]


def test_fifty_at_the_last_seat_through_every_door_never_pass_the_quantity(app: Flask, rounds: int) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        acme.api.put("/seat_pool", {"quantity": 1})
        crowd = Crowd(acme)
        at_once([partial(crowd.join, number) for number in range(PARALLEL)])
        # Ten requests hire one person more each.
        assert pool(acme) == (1, PARALLEL + 9, 0)
        for expected in declared_order(acme)[:3]:
            acme.scim.set_active(holder(acme), False)
            assert holder(acme) == expected


def test_places_given_back_and_asked_for_at_once_are_counted_exactly(app: Flask, rounds: int) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        people = [acme.scim.create_user() for _ in range(16)]
        group_id = acme.scim.create_group(members=people[:8])
        acme.map_group(group_id)
        acme.api.put("/seat_pool", {"quantity": 8})
        leaving = [partial(acme.scim.set_active, person, False) for person in people[:4]]
        joining = [partial(acme.scim.add_members, group_id, person) for person in people[8:]]
        at_once([*leaving, *joining])
        # Whom a hand-over passed over, because they were being decided about, the next one serves.
        acme.api.put("/seat_pool", {"quantity": 8})
        assert pool(acme) == (8, 4, 0)


def test_a_role_changed_while_mappings_and_members_give_it_leaves_nobody_with_old_rights(
    app: Flask, rounds: int
) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        api, scim = acme.api, acme.scim
        role = json_of(api.post("/roles", {"name": "changing", "surfaces": ["code"]}))["id"]
        people = [scim.create_user() for _ in range(6)]
        groups = [scim.create_group(members=people[:3]) for _ in range(4)]
        mappings = [{"group_id": edge_id("group", group), "role_id": role} for group in groups]
        seats = [{"user_id": edge_id("user", person), "role_id": role} for person in people[4:]]
        api.post("/group_mappings", mappings[0])
        changes = ({"surfaces": ["chat"]}, {"surfaces": ["cowork"]}, {"denies": ["chat"]})
        at_once(
            [
                *(partial(api.patch, f"/roles/{role}", change) for change in changes),
                *(partial(api.post, "/group_mappings", mapping) for mapping in mappings[1:]),
                *(partial(api.post, "/seats", seat) for seat in seats),
                partial(scim.add_members, groups[1], people[3]),
                partial(scim.remove_members, groups[0], people[0]),
                partial(api.patch, "/organization", {"rights_mode": "first"}),
            ]
        )
        assert differing(acme) == []


def test_two_owners_removed_at_once_leave_one(app: Flask, rounds: int) -> None:
    for _ in range(rounds):
        acme = create_organization(app)
        owners = [acme.scim.create_user() for _ in range(2)]
        groups = [acme.scim.create_group(members=[owner]) for owner in owners]
        for group_id in groups:
            acme.map_group(group_id, "owner")
        pairs = zip(groups, owners, strict=True)
        at_once([partial(acme.scim.remove_members, group_id, owner) for group_id, owner in pairs])
        assert sorted(str(acme.seat_state(owner)) for owner in owners) == ["assigned", "released"]
        assert differing(acme) == []
