"""A mass removal of seats is held for an administrator; deactivation never is; an owner is always left."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import outbox_messages
from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.directory.models import principals
from app.governance.mappings import MappingService
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock

MANY = 12


def seated(acme: Organization, count: int = MANY, role: str = "member") -> tuple[str, list[str]]:
    """A mapped group with so many people; answers its id and theirs."""
    people = [acme.scim.create_user() for _ in range(count)]
    group_id = acme.scim.create_group(members=people)
    acme.map_group(group_id, role)
    return group_id, people


def states(acme: Organization, people: Sequence[str]) -> set[str | None]:
    return {acme.seat_state(person) for person in people}


def held(acme: Organization, state: str = "held") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json_of(acme.api.get(f"/held_changes?state={state}"))["data"]
    return found


def decide(acme: Organization, change: dict[str, Any], verdict: str) -> Any:
    return acme.api.post(f"/held_changes/{change['id']}/{verdict}")


def member_ids(acme: Organization, group_id: str) -> list[str]:
    return [member["value"] for member in json_of(acme.scim.get(f"/Groups/{group_id}")).get("members", [])]


def rights(acme: Organization, person: str) -> tuple[Any, ...]:
    """What is stored of the person, after checking that deciding again says the same."""
    edge = edge_id("user", person)
    shown = json_of(acme.api.get(f"/users/{edge}/explain"))
    with in_organization(acme.app, acme.id) as services:
        services.get(MappingService).decide_everybody()
        services.commit()
    again = json_of(acme.api.get(f"/users/{edge}/explain"))
    assert {**again, "caused_by": None} == {**shown, "caused_by": None}
    return shown["seat_state"], shown["role_id"], shown["surfaces"], shown["limits"], shown["sources"]


Remove = Callable[[Organization, str, list[str]], Any]
REMOVALS: dict[str, Remove] = {
    "PATCH of the members": lambda org, group, people: org.scim.remove_members(group, *people),
    "emptying PUT": lambda org, group, _: org.scim.put(
        f"/Groups/{group}", {"displayName": "Empty now", "members": []}
    ),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS.keys())
def test_a_mass_removal_from_a_group_is_answered_and_held(acme: Organization, remove: Remove) -> None:
    group_id, people = seated(acme)
    before = rights(acme, people[0])
    assert remove(acme, group_id, people).status_code in (200, 204)
    assert member_ids(acme, group_id) == []
    assert states(acme, people) == {"assigned"}
    assert rights(acme, people[0]) == before
    (change,) = held(acme)
    assert (change["cause"], change["group_id"], change["people"]) == (
        "mass_removal",
        edge_id("group", group_id),
        MANY,
    )
    listed = json_of(acme.api.get(f"/held_changes/{change['id']}/people"))["data"]
    assert {person["user_id"] for person in listed} == {edge_id("user", person) for person in people}


def test_the_deletion_of_a_group_is_held_as_well(acme: Organization) -> None:
    group_id, people = seated(acme)
    before = rights(acme, people[0])
    assert acme.scim.delete(f"/Groups/{group_id}").status_code == 204
    assert acme.scim.get(f"/Groups/{group_id}").status_code == 404
    assert (states(acme, people), len(held(acme))) == ({"assigned"}, 1)
    assert rights(acme, people[0]) == before


def test_one_by_one_the_first_go_and_the_rest_is_one_held_change(acme: Organization) -> None:
    group_id, people = seated(acme, 15)
    for person in people:
        acme.scim.remove_members(group_id, person)
    assert [acme.seat_state(person) for person in people] == ["released"] * 9 + ["assigned"] * 6
    assert [change["people"] for change in held(acme)] == [6]


def test_slow_leaving_is_not_held(acme: Organization, clock: FakeClock) -> None:
    group_id, people = seated(acme, 15)
    for person in people:
        acme.scim.remove_members(group_id, person)
        clock.advance(minutes=2)
    assert (states(acme, people), held(acme)) == ({"released"}, [])


def test_a_small_share_is_not_held(acme: Organization) -> None:
    group_id, people = seated(acme, 60)
    acme.scim.remove_members(group_id, *people[:11])
    assert (states(acme, people[:11]), held(acme)) == ({"released"}, [])
    acme.scim.remove_members(group_id, people[11])
    assert (acme.seat_state(people[11]), len(held(acme))) == ("assigned", 1)


def test_who_keeps_the_seat_by_another_group_is_not_counted(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.map_group(acme.scim.create_group(members=people))
    acme.scim.remove_members(group_id, *people)
    assert (states(acme, people), held(acme)) == ({"assigned"}, [])


def test_the_guard_can_be_switched_off_and_set(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.api.patch("/organization", {"removal_guard": {"enabled": False}})
    acme.scim.remove_members(group_id, *people)
    assert states(acme, people) == {"released"}
    acme.api.patch("/organization", {"removal_guard": {"minimum_people": 2, "share_percent": 50}})
    other, pair = seated(acme, 2)
    acme.scim.remove_members(other, pair[0])
    assert acme.seat_state(pair[0]) == "assigned"


def test_audit_and_alert_follow_a_hold(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    assert acme.audit_actions().count("held_change.opened") == 1
    assert acme.audit_actions(people[0])[-2:] == ["group.member_removed", "held_change.person_held"]
    with in_organization(acme.app, acme.id, write=False) as services:
        query = select(outbox_messages).where(outbox_messages.c.org_id == ORG_ID)
        (message,) = services.uow.execute(query).all()
    assert (message.kind, message.payload["people"]) == ("held_change.opened", MANY)


def test_approving_lets_the_losses_happen(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    decided = decide(acme, held(acme)[0], "approve")
    shown = json_of(decided)
    assert (decided.status_code, shown["state"], shown["people"]) == (200, "approved", 0)
    assert (shown["decided_by"]["type"], states(acme, people), held(acme)) == ("api_key", {"released"}, [])
    assert rights(acme, people[0])[0] == "released"
    again = decide(acme, shown, "approve")
    assert (again.status_code, json_of(again)["code"]) == (409, "held_change_decided")


def test_discarding_keeps_what_people_have_as_manual_seats(acme: Organization) -> None:
    group_id, people = seated(acme)
    before = rights(acme, people[0])
    acme.scim.remove_members(group_id, *people)
    assert json_of(decide(acme, held(acme)[0], "discard"))["state"] == "discarded"
    after = rights(acme, people[0])
    assert after[:4] == before[:4]
    assert [source["type"] for source in after[4]] == ["manual"]
    seat = json_of(acme.api.get(f"/seats/{edge_id('user', people[0])}"))
    assert seat["given_by"]["type"] == "api_key"
    assert seat["reason"].startswith("Kept when the loss")


def test_discarding_keeps_what_the_group_gave_and_not_what_another_gives(acme: Organization) -> None:
    people = [acme.scim.create_user() for _ in range(MANY)]
    auditors, members = (acme.scim.create_group(members=people) for _ in range(2))
    acme.map_group(auditors, "auditor")
    acme.map_group(members)
    acme.scim.remove_members(members, *people)
    decide(acme, held(acme)[0], "discard")
    assert (acme.seat_state(people[0]), role_of(acme, people[0])) == ("assigned", "auditor")
    acme.scim.remove_members(auditors, people[0])
    assert (acme.seat_state(people[0]), role_of(acme, people[0])) == ("assigned", "member")


def test_discarding_leaves_a_seat_alone_that_was_given_by_hand_meanwhile(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    by_hand = {"user_id": edge_id("user", people[0]), "role_id": acme.role_id("admin"), "reason": "on call"}
    assert acme.api.post("/seats", by_hand).status_code == 201
    decide(acme, held(acme)[0], "discard")
    seats = [json_of(acme.api.get(f"/seats/{edge_id('user', person)}")) for person in people[:2]]
    assert [seat["role_id"] for seat in seats] == [acme.role_id("admin"), acme.role_id("member")]
    assert (seats[0]["reason"], seats[0]["state"]) == ("on call", "assigned")


def test_who_is_a_member_again_is_held_no_longer(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    acme.scim.add_members(group_id, *people[1:])
    assert [change["people"] for change in held(acme)] == [1]
    acme.scim.add_members(group_id, people[0])
    assert (held(acme), [change["people"] for change in held(acme, "ended")]) == ([], [0])
    # Leaving by ones is everyday again, once the window is over.
    acme.api.patch("/organization", {"removal_guard": {"enabled": False}})
    acme.scim.remove_members(group_id, people[0])
    assert acme.seat_state(people[0]) == "released"


@pytest.mark.parametrize("way", ["active: false", "DELETE"])
def test_deactivation_ends_a_hold_and_is_never_held(acme: Organization, way: str) -> None:
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    for person in people:
        acme.scim.delete(f"/Users/{person}") if way == "DELETE" else acme.scim.set_active(person, False)
    assert held(acme) == []
    assert json_of(acme.api.get("/seat_pool"))["assigned"] == 0
    if way != "DELETE":
        acme.scim.set_active(people[0], True)
        assert acme.seat_state(people[0]) == "released"


def test_a_mapping_change_reaches_held_people_as_members(acme: Organization) -> None:
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    (mapping,) = json_of(acme.api.get("/group_mappings"))["data"]
    acme.api.delete(f"/group_mappings/{mapping['id']}")
    assert states(acme, people) == {"released"}


def waiting_pool(acme: Organization) -> tuple[list[str], str, str]:
    """Twelve seats, taken, and one person who waits; answers the seated, the waiting and their group."""
    acme.api.put("/seat_pool", {"quantity": MANY})
    group_id, people = seated(acme)
    waiting = acme.scim.create_user()
    acme.scim.add_members(group_id, waiting)
    assert acme.seat_state(waiting) == "waitlisted"
    return people, waiting, group_id


def pool(acme: Organization) -> tuple[int | None, ...]:
    shown = json_of(acme.api.get("/seat_pool"))
    return tuple(shown[name] for name in ("assigned", "kept", "waitlisted", "available"))


def test_places_freed_by_a_mass_deactivation_are_kept_from_the_waiting_list(acme: Organization) -> None:
    people, first, group_id = waiting_pool(acme)
    others = [acme.scim.create_user() for _ in range(11)]
    acme.scim.add_members(group_id, *others)
    for person in people:
        acme.scim.set_active(person, False)
    assert states(acme, people) == {"released"}
    # Nine went to who waited before it was a mass; three are kept.
    assert pool(acme) == (9, 3, 3, 0)
    (change,) = held(acme)
    assert (change["cause"], change["people"]) == ("mass_deactivation", 3)
    newcomer = acme.scim.create_user()
    acme.scim.add_members(group_id, newcomer)
    assert acme.seat_state(newcomer) == "waitlisted"
    # Who comes back finds the place.
    acme.scim.set_active(people[-1], True)
    assert (acme.seat_state(people[-1]), pool(acme)) == ("assigned", (10, 2, 4, 0))
    assert decide(acme, change, "discard").status_code == 409
    assert json_of(decide(acme, change, "approve"))["state"] == "approved"
    assert (acme.seat_state(first), pool(acme)) == ("assigned", (12, 0, 2, 0))
    acme.scim.set_active(people[-2], True)
    assert acme.seat_state(people[-2]) == "waitlisted"


def test_a_kept_place_waits_for_who_is_hired_again(acme: Organization) -> None:
    people, _, group_id = waiting_pool(acme)
    acme.api.patch("/organization", {"removal_guard": {"minimum_people": 1, "share_percent": 1}})
    name = json_of(acme.scim.get(f"/Users/{people[0]}"))["userName"]
    acme.scim.delete(f"/Users/{people[0]}")
    assert pool(acme) == (11, 1, 1, 0)
    again = acme.scim.create_user(name)
    acme.scim.add_members(group_id, again)
    assert (acme.seat_state(again), pool(acme), held(acme)) == ("assigned", (12, 0, 1, 0), [])


def test_a_plan_knows_whose_place_is_kept(acme: Organization) -> None:
    people, waiting, _ = waiting_pool(acme)
    acme.api.patch("/organization", {"removal_guard": {"minimum_people": 1, "share_percent": 1}})
    name = json_of(acme.scim.get(f"/Users/{people[0]}"))["userName"]
    acme.scim.delete(f"/Users/{people[0]}")
    again = acme.scim.create_user(name)
    (mapping,) = json_of(acme.api.get("/group_mappings"))["data"]
    group = edge_id("group", acme.scim.create_group(members=[again]))
    entry = {"role_id": mapping["role_id"]}
    wanted = [{**entry, "group_id": mapping["group_id"]}, {**entry, "group_id": group}]
    plan = json_of(acme.api.post("/group_mappings/plan", {"data": wanted}))
    (row,) = plan["data"]
    assert (row["user_id"], row["seat_state"]["after"]) == (edge_id("user", again), "assigned")
    applied = acme.api.post("/group_mappings/apply", {"data": wanted, "plan_hash": plan["plan_hash"]})
    assert applied.status_code == 200
    assert (acme.seat_state(again), acme.seat_state(waiting)) == ("assigned", "waitlisted")


def test_without_a_limit_no_place_is_kept(acme: Organization) -> None:
    people, first, _ = waiting_pool(acme)
    acme.api.patch("/organization", {"removal_guard": {"minimum_people": 1, "share_percent": 1}})
    acme.scim.set_active(people[0], False)
    acme.api.put("/seat_pool", {"quantity": None})
    assert (acme.seat_state(first), pool(acme), held(acme)) == ("assigned", (12, 0, 0, None), [])
    acme.scim.set_active(people[0], True)
    assert acme.seat_state(people[0]) == "assigned"


def role_of(acme: Organization, person: str) -> str | None:
    role_id = json_of(acme.api.get(f"/users/{edge_id('user', person)}"))["role_id"]
    names = {role["id"]: role["name"] for role in json_of(acme.api.get("/roles?limit=1000"))["data"]}
    return names.get(role_id)


def test_the_last_owner_keeps_the_role_when_the_group_loses_them(acme: Organization) -> None:
    group_id, (first, second) = seated(acme, 2, "owner")
    acme.scim.remove_members(group_id, first)
    assert role_of(acme, first) is None
    acme.scim.remove_members(group_id, second)
    assert member_ids(acme, group_id) == []
    assert role_of(acme, second) == "owner"
    (change,) = held(acme)
    assert (change["cause"], change["people"]) == ("last_owner", 1)
    assert rights(acme, second)[0] == "assigned"
    refused = decide(acme, change, "approve")
    assert (refused.status_code, json_of(refused)["code"]) == (409, "last_owner")
    acme.scim.add_members(group_id, first)
    assert decide(acme, change, "approve").status_code == 200
    assert (role_of(acme, first), role_of(acme, second)) == ("owner", None)


def test_the_last_owner_keeps_the_role_when_a_mapping_goes_or_is_overtaken(acme: Organization) -> None:
    group_id, (owner,) = seated(acme, 1, "owner")
    group = edge_id("group", group_id)
    listed = json_of(acme.api.get("/group_mappings"))
    member = {"group_id": group, "role_id": acme.role_id("member")}
    overtaken = [member, {"group_id": group, "role_id": acme.role_id("owner")}]
    version = {"If-Match": str(listed["version"])}
    assert acme.api.put("/group_mappings", {"data": overtaken}, headers=version).status_code == 200
    assert (role_of(acme, owner), len(held(acme))) == ("owner", 1)
    for mapping in json_of(acme.api.get("/group_mappings"))["data"]:
        acme.api.delete(f"/group_mappings/{mapping['id']}")
    assert role_of(acme, owner) == "owner"
    assert json_of(decide(acme, held(acme)[0], "discard"))["state"] == "discarded"
    assert (role_of(acme, owner), rights(acme, owner)[0], held(acme)) == ("owner", "assigned", [])


def test_the_role_may_go_from_one_group_to_another_in_one_change(acme: Organization) -> None:
    _, (first,) = seated(acme, 1, "owner")
    second = acme.scim.create_user()
    group = edge_id("group", acme.scim.create_group(members=[second]))
    listed = json_of(acme.api.get("/group_mappings"))
    moved = {"data": [{"group_id": group, "role_id": acme.role_id("owner")}]}
    version = {"If-Match": str(listed["version"])}
    assert acme.api.put("/group_mappings", moved, headers=version).status_code == 200
    assert (role_of(acme, first), role_of(acme, second), held(acme)) == (None, "owner", [])


def test_an_owner_by_hand_is_an_owner(acme: Organization) -> None:
    group_id, (first,) = seated(acme, 1, "owner")
    second = acme.scim.create_user()
    seat = {"user_id": edge_id("user", second), "role_id": acme.role_id("owner"), "reason": "founder"}
    assert acme.api.post("/seats", seat).status_code == 201
    acme.scim.remove_members(group_id, first)
    assert (role_of(acme, first), held(acme)) == (None, [])


def test_the_deactivation_of_the_last_owner_is_not_held(acme: Organization) -> None:
    _, (owner,) = seated(acme, 1, "owner")
    acme.scim.set_active(owner, False)
    assert (role_of(acme, owner), acme.seat_state(owner), held(acme)) == (None, "released", [])


def test_holds_are_the_principals_own(acme: Organization) -> None:
    """Nobody of whom nothing is held costs a look at holds."""
    group_id, people = seated(acme)
    acme.scim.remove_members(group_id, *people)
    decide(acme, held(acme)[0], "approve")
    with in_organization(acme.app, acme.id, write=False) as services:
        query = select(principals.c.held).where(principals.c.org_id == ORG_ID)
        assert set(services.uow.execute(query).scalars()) == {False}
