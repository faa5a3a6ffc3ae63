"""Changes of mappings and roles reach everybody whom they touch, in their own transaction."""

from app.core.ids import edge_id
from tests.support.cast import Organization, json_of


def wanted(group_id: str, role_id: str) -> dict[str, str]:
    return {"group_id": edge_id("group", group_id), "role_id": role_id}


def replace(acme: Organization, *entries: dict[str, str]) -> int:
    version = json_of(acme.api.get("/group_mappings"))["version"]
    headers = {"If-Match": str(version)}
    return acme.api.put("/group_mappings", {"data": list(entries)}, headers=headers).status_code


def role_name(acme: Organization, user_id: str) -> str | None:
    role_id = json_of(acme.api.get(f"/users/{edge_id('user', user_id)}"))["role_id"]
    return json_of(acme.api.get(f"/roles/{role_id}"))["name"] if role_id else None


def test_mapping_a_group_seats_its_members(acme: Organization) -> None:
    people = [acme.scim.create_user() for _ in range(3)]
    acme.map_group(acme.scim.create_group(members=people))
    assert {acme.seat_state(person) for person in people} == {"assigned"}


def test_removing_a_mapping_frees_the_seats(acme: Organization) -> None:
    person = acme.scim.create_user()
    mapping_id = acme.map_group(acme.scim.create_group(members=[person]))
    assert acme.api.delete(f"/group_mappings/{mapping_id}").status_code == 200
    assert acme.seat_state(person) == "released"


def test_a_new_order_changes_the_role_of_who_is_in_both(acme: Organization) -> None:
    person, other = acme.scim.create_user(), acme.scim.create_user()
    first, second = acme.scim.create_group(members=[person, other]), acme.scim.create_group(members=[person])
    owner, member = acme.role_id("owner"), acme.role_id("member")
    assert replace(acme, wanted(first, owner), wanted(second, member)) == 200
    assert role_name(acme, person) == "owner"
    assert replace(acme, wanted(second, member), wanted(first, owner)) == 200
    assert role_name(acme, person) == "member"


def test_a_stale_version_changes_nothing(acme: Organization) -> None:
    group_id = acme.scim.create_group()
    body = {"data": [wanted(group_id, acme.role_id("member"))]}
    response = acme.api.put("/group_mappings", body, headers={"If-Match": "99"})
    assert response.status_code == 412
    assert json_of(acme.api.get("/group_mappings"))["data"] == []


def test_a_rename_in_the_idp_changes_nobodys_rights(acme: Organization) -> None:
    person = acme.scim.create_user()
    group_id = acme.scim.create_group("Engineering", [person])
    acme.map_group(group_id)
    before = acme.audit_actions(person)
    acme.scim.patch_operations(f"/Groups/{group_id}", {"op": "replace", "value": {"displayName": "Eng"}})
    assert acme.audit_actions(person) == before
    assert acme.seat_state(person) == "assigned"


def test_a_role_that_stops_giving_a_seat_frees_its_holders(acme: Organization) -> None:
    person = acme.scim.create_user()
    role = json_of(acme.api.post("/roles", {"name": "pilot", "surfaces": ["chat"]}))
    group_id = acme.scim.create_group(members=[person])
    acme.map_group(group_id, "pilot")
    assert acme.seat_state(person) == "assigned"
    assert acme.api.patch(f"/roles/{role['id']}", {"seat": False}).status_code == 200
    assert acme.seat_state(person) == "released"


def test_a_changed_rights_mode_is_applied_to_everybody(acme: Organization) -> None:
    person = acme.scim.create_user()
    acme.api.post("/roles", {"name": "viewer", "surfaces": [], "seat": False})
    first, second = (acme.scim.create_group(members=[person]) for _ in range(2))
    replace(acme, wanted(first, acme.role_id("viewer")), wanted(second, acme.role_id("member")))
    assert acme.seat_state(person) == "assigned"
    assert acme.api.patch("/organization", {"rights_mode": "first"}).status_code == 200
    assert acme.seat_state(person) == "released"


def test_a_mapping_of_a_deleted_group_gives_nobody_anything(acme: Organization) -> None:
    person = acme.scim.create_user()
    group_id = acme.scim.create_group(members=[person])
    acme.map_group(group_id)
    acme.scim.delete(f"/Groups/{group_id}")
    shown = json_of(acme.api.get("/group_mappings"))["data"]
    assert [(entry["member_count"], entry["warnings"]) for entry in shown] == [(0, ["group_deleted"])]
    assert acme.seat_state(person) == "released"


def test_a_group_of_a_thousand_is_seated_in_a_bounded_number_of_steps(acme: Organization) -> None:
    people = [acme.scim.create_user() for _ in range(1_050)]
    group_id = acme.scim.create_group(members=people)
    acme.api.put("/seat_pool", {"quantity": 1_000})
    acme.map_group(group_id)
    pool = json_of(acme.api.get("/seat_pool"))
    assert (pool["assigned"], pool["waitlisted"]) == (1_000, 50)


def test_role_limits_are_effective_for_who_holds_a_seat(acme: Organization) -> None:
    limit = [{"window": "monthly", "amount_usd": "50"}, {"window": "daily", "amount_usd": "5.50"}]
    acme.api.post("/roles", {"name": "capped", "surfaces": ["code"], "spend_limits": limit})
    person = acme.scim.create_user()
    acme.map_group(acme.scim.create_group(members=[person]), "capped")
    path = f"/spend_limits/effective?user_id={edge_id('user', person)}"
    rows = json_of(acme.api.get(path))["data"]
    assert [(row["window"], row["amount_usd"], row["source"]) for row in rows] == [
        ("daily", "5.5", "role"),
        ("monthly", "50", "role"),
    ]
