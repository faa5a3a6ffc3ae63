"""Groups in groups: how they are named, shown, filtered, bounded, and cleaned up after."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.directory.models import group_ancestors, group_members
from app.directory.nesting import MAX_NESTING_DEPTH
from app.scim.protocol.constants import GROUP, USER
from tests.scim.answers import found, group, groups_of, listed, members, ok, refused, user
from tests.support.cast import Organization, in_organization, json_of


def types_of(acme: Organization, user_id: str) -> dict[str, str]:
    """The groups that a user's answer shows, each with its type."""
    shown = user(acme.scim, user_id)["groups"]
    by_id = {entry["value"]: entry["type"] for entry in shown}
    assert len(by_id) == len(shown)
    return by_id


def version_of(acme: Organization, group_id: str) -> str:
    version: str = group(acme.scim, group_id)["meta"]["version"]
    return version


def stored(acme: Organization) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The edges and the ancestors as they are in the database."""
    with in_organization(acme.app, acme.id, write=False) as services:
        edges, around = (
            {(row[1], row[2]) for row in services.uow.execute(select(table).where(table.c.org_id == ORG_ID))}
            for table in (group_members, group_ancestors)
        )
    return edges, around


@pytest.mark.scim("rfc/36")
def test_a_group_is_a_member_with_address_name_and_type(acme: Organization) -> None:
    anna = acme.scim.create_user(displayName="Anna")
    inner = acme.scim.create_group("Inner")
    body = {"schemas": [GROUP], "displayName": "Outer", "members": [{"value": inner}, {"value": anna}]}
    answer = ok(acme.scim.post("/Groups", body), 201)
    shown = {entry["value"]: entry for entry in answer["members"]}
    assert shown == {
        anna: {
            "value": anna,
            "$ref": user(acme.scim, anna)["meta"]["location"],
            "display": "Anna",
            "type": "User",
        },
        inner: {
            "value": inner,
            "$ref": group(acme.scim, inner)["meta"]["location"],
            "display": "Inner",
            "type": "Group",
        },
    }
    path = f"/Groups/{answer['id']}"
    assert ok(acme.scim.get(path)) == answer
    assert ok(acme.scim.put(path, answer))["meta"] == answer["meta"]


@pytest.mark.scim("rfc/36", "rfc/11")
@pytest.mark.parametrize("type_", [{}, {"type": "Group"}, {"type": "group"}, {"type": None}, {"TYPE": ""}])
def test_every_form_of_adding_and_removing_takes_groups(acme: Organization, type_: dict[str, Any]) -> None:
    inner, outer = acme.scim.create_group(), acme.scim.create_group("Outer")
    path, value = f"/Groups/{outer}", [{"value": inner, **type_}]
    steps: list[tuple[dict[str, Any], list[str]]] = [
        ({"op": "add", "path": "members", "value": value}, [inner]),
        ({"op": "Add", "path": "members", "value": value}, [inner]),
        ({"op": "remove", "path": f'members[value eq "{inner}"]'}, []),
        ({"op": "replace", "path": "members", "value": value}, [inner]),
        ({"op": "Remove", "path": "members", "value": value}, []),
        ({"op": "add", "value": {"members": value}}, [inner]),
        ({"op": "remove", "path": "members"}, []),
    ]
    for operation, expected in steps:
        assert acme.scim.patch_operations(path, operation).status_code == 204
        assert members(acme.scim, outer) == expected
    assert version_of(acme, outer) == f'W/"{len(steps)}"'
    assert len(ok(acme.scim.put(path, {"displayName": "Outer", "members": value}))["members"]) == 1
    assert "members" not in ok(acme.scim.get(f"{path}?excludedAttributes=members"))


@pytest.mark.scim("rfc/36")
def test_a_type_that_does_not_fit_is_400_by_name_and_nothing_changes(acme: Organization) -> None:
    anna, inner = acme.scim.create_user(), acme.scim.create_group()
    outer = acme.scim.create_group("Outer", [anna, inner])
    before = group(acme.scim, outer)
    wrong = [
        (anna, "Group"),
        (inner, "User"),
        (anna, "Robot"),
        (inner, 7),
        (acme.scim.create_user(), "Group"),
    ]
    for member, type_ in wrong:
        value = [{"value": member, "type": type_}]
        add = {"op": "add", "path": "members", "value": value}
        for response in (
            acme.scim.patch_operations(f"/Groups/{outer}", add),
            acme.scim.put(f"/Groups/{outer}", {"displayName": "Outer", "members": value}),
            acme.scim.post("/Groups", {"displayName": "New", "members": value}),
        ):
            assert member in refused(response, 400, "invalidValue")
    assert group(acme.scim, outer) == before


@pytest.mark.scim("rfc/34")
def test_the_mirror_shows_direct_and_indirect_groups_once_and_direct_wins(acme: Organization) -> None:
    anna, bob = acme.scim.create_user(), acme.scim.create_user()
    inner = acme.scim.create_group("Inner", [anna])
    middle = acme.scim.create_group("Middle", [inner, bob])
    other = acme.scim.create_group("Other", [inner])
    top = acme.scim.create_group("Top", [middle, other, bob])
    before = user(acme.scim, anna)
    expected = {inner: "direct", middle: "indirect", other: "indirect", top: "indirect"}
    assert types_of(acme, anna) == expected
    assert types_of(acme, bob) == {middle: "direct", top: "direct"}
    people = ok(acme.scim.get("/Users"))["Resources"]
    assert {entry["value"]: entry["type"] for entry in people[0]["groups"]} == expected
    shown = next(entry for entry in before["groups"] if entry["value"] == top)
    assert (shown["display"], shown["$ref"]) == ("Top", group(acme.scim, top)["meta"]["location"])
    acme.scim.add_members(top, anna)
    assert types_of(acme, anna) == {**expected, top: "direct"}
    acme.scim.remove_members(middle, inner)
    acme.scim.remove_members(top, anna)
    assert types_of(acme, anna) == {inner: "direct", other: "indirect", top: "indirect"}
    assert user(acme.scim, anna)["meta"] == before["meta"]


@pytest.mark.scim("rfc/34", "rfc/36", "rfc/15", "rfc/38")
def test_filters_find_people_by_indirect_groups_and_groups_by_inner_groups(acme: Organization) -> None:
    anna, bob = sorted(acme.scim.create_user() for _ in range(2))
    inner = acme.scim.create_group("Inner", [anna])
    top = acme.scim.create_group("Top", [inner, bob])
    people: list[tuple[str, list[str]]] = [
        (f'groups.value eq "{top}"', [anna, bob]),
        (f'groups eq "{inner}"', [anna]),
        (f'not (groups eq "{inner}")', [bob]),
        ('groups.type eq "indirect"', [anna]),
        ('groups.type eq "direct"', [anna, bob]),
        ('groups.display eq "TOP"', [anna, bob]),
        ('groups[display eq "top" and type eq "Indirect"]', [anna]),
        (f'groups[value eq "{top}" and type eq "direct"]', [bob]),
        (f'id eq "{anna}" and groups.value eq "{top}"', [anna]),
        ("groups pr", [anna, bob]),
    ]
    for condition, expected in people:
        assert found(acme.scim, "/Users", condition) == expected, condition
    for condition, owners in (
        (f'members.value eq "{inner}"', [top]),
        ('members.type eq "Group"', [top]),
        ('members.type eq "user"', sorted([inner, top])),
        (f'id eq "{top}" and members eq "{inner}"', [top]),
        (f'id eq "{inner}" and members eq "{top}"', []),
        (f'members[value eq "{inner}" and type eq "User"]', []),
        (f'members eq "{bob}"', [top]),
    ):
        assert found(acme.scim, "/Groups", condition) == owners, condition


def test_people_are_sorted_by_indirect_groups_and_groups_by_inner_groups(acme: Organization) -> None:
    anna, bob, carl = sorted(acme.scim.create_user() for _ in range(3))
    inner = acme.scim.create_group("M", [anna])
    top = acme.scim.create_group("A", [inner])
    other = acme.scim.create_group("B", [bob])
    people = listed(acme.scim, "/Users", sortBy="groups.display")["Resources"]
    assert [person["id"] for person in people] == [anna, bob, carl]
    people = listed(acme.scim, "/Users", sortBy="groups.type", sortOrder="descending")["Resources"]
    assert [person["id"] for person in people] == [carl, anna, bob]
    groups = listed(acme.scim, "/Groups", sortBy="members.type")["Resources"]
    assert [group_["id"] for group_ in groups] == [top, inner, other]


@pytest.mark.scim("rfc/36")
@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_loop_of_any_length_is_400_and_names_its_groups(acme: Organization, length: int) -> None:
    chain = [acme.scim.create_group(f"Ring {number}") for number in range(length)]
    for outer, inner in pairwise(chain):
        assert acme.scim.add_members(outer, inner).status_code == 204
    before = stored(acme)
    versions = [version_of(acme, group_id) for group_id in chain]
    path, value = f"/Groups/{chain[-1]}", [{"value": chain[0]}]
    for response in (
        acme.scim.add_members(chain[-1], chain[0]),
        acme.scim.put(path, {"displayName": "Renamed", "members": value}),
        acme.scim.patch_operations(path, {"op": "replace", "path": "members", "value": value}),
    ):
        detail = refused(response, 400, "invalidValue")
        assert all(group_id in detail for group_id in chain)
    assert stored(acme) == before
    assert [version_of(acme, group_id) for group_id in chain] == versions


@pytest.mark.scim("rfc/36")
def test_a_loop_that_the_same_request_opens_is_none(acme: Organization) -> None:
    inner, outer = acme.scim.create_group(), acme.scim.create_group()
    acme.scim.add_members(outer, inner)
    assert acme.scim.remove_members(outer, inner).status_code == 204
    assert acme.scim.add_members(inner, outer).status_code == 204
    assert stored(acme) == ({(inner, outer)}, {(outer, inner)})


@pytest.mark.scim("rfc/36")
def test_groups_nest_to_a_depth_and_no_further(acme: Organization) -> None:
    chain = [acme.scim.create_group() for _ in range(MAX_NESTING_DEPTH + 2)]
    for inner, outer in pairwise(chain[:-1]):
        assert acme.scim.add_members(outer, inner).status_code == 204
    for outer, inner in ((chain[-1], chain[-2]), (chain[0], chain[-1])):
        refused(acme.scim.add_members(outer, inner), 400, "invalidValue")
    anna = acme.scim.create_user()
    acme.scim.add_members(chain[0], anna)
    assert len(groups_of(acme.scim, anna)) == MAX_NESTING_DEPTH + 1


@pytest.mark.scim("rfc/34", "rfc/27")
def test_a_deleted_group_leaves_its_outer_and_its_inner_groups(acme: Organization) -> None:
    anna = acme.scim.create_user()
    inner = acme.scim.create_group("Inner", [anna])
    middle = acme.scim.create_group("Middle", [inner])
    outer, other = acme.scim.create_group("Outer", [middle]), acme.scim.create_group("Other", [middle, inner])
    refused(acme.scim.delete(f"/Groups/{middle}", headers={"If-Match": 'W/"9"'}), 412)
    assert acme.scim.delete(f"/Groups/{middle}").status_code == 204
    assert stored(acme) == ({(other, inner)}, {(inner, other)})
    assert (members(acme.scim, outer), members(acme.scim, other)) == ([], [inner])
    assert [version_of(acme, id_) for id_ in (inner, outer, other)] == ['W/"1"', 'W/"2"', 'W/"2"']
    assert types_of(acme, anna) == {inner: "direct", other: "indirect"}
    refused(acme.scim.delete(f"/Groups/{middle}"), 404)


def test_a_deleted_user_leaves_no_trace_in_any_group(acme: Organization) -> None:
    anna, bob = acme.scim.create_user(), acme.scim.create_user()
    inner = acme.scim.create_group("Inner", [anna, bob])
    outer = acme.scim.create_group("Outer", [inner, anna])
    acme.scim.delete(f"/Users/{anna}")
    assert (members(acme.scim, inner), members(acme.scim, outer)) == ([bob], [inner])
    assert version_of(acme, outer) == 'W/"2"'


@pytest.mark.scim("rfc/49")
def test_nesting_of_another_organization_is_neither_seen_nor_touched(
    acme: Organization, globex: Organization
) -> None:
    theirs = globex.scim.create_group("Outer", [globex.scim.create_group("Inner")])
    before = group(globex.scim, theirs)
    ours = acme.scim.create_group()
    refused(acme.scim.add_members(ours, theirs), 400, "invalidValue")
    refused(acme.scim.add_members(theirs, ours), 404)
    assert found(acme.scim, "/Groups", 'members.type eq "Group"') == []
    assert group(globex.scim, theirs) == before


def test_nesting_gives_no_rights_and_a_mapped_group_with_nested_groups_is_a_warning(
    acme: Organization,
) -> None:
    anna, bob = acme.scim.create_user(), acme.scim.create_user()
    inner = acme.scim.create_group("Inner", [anna])
    outer = acme.scim.create_group("Outer", [inner, bob])
    acme.map_group(outer)
    assert (acme.seat_state(anna), acme.seat_state(bob)) == (None, "assigned")
    (mapping,) = json_of(acme.api.get("/group_mappings"))["data"]
    assert (mapping["warnings"], mapping["member_count"]) == (["nested_groups"], 1)
    shown = json_of(acme.api.get(f"/groups/{edge_id('group', outer)}"))
    assert shown["member_count"] == 1
    people = json_of(acme.api.get(f"/groups/{edge_id('group', outer)}/members"))["data"]
    assert [person["id"] for person in people] == [edge_id("user", bob)]
    acme.scim.remove_members(outer, inner)
    assert json_of(acme.api.get("/group_mappings"))["data"][0]["warnings"] == []


def test_each_change_of_nesting_stands_in_the_audit_log(acme: Organization) -> None:
    inner = acme.scim.create_group()
    outer = acme.scim.create_group(members=[inner])
    acme.scim.remove_members(outer, inner)
    acme.scim.add_members(outer, inner)
    acme.scim.delete(f"/Groups/{inner}")
    entries = json_of(acme.api.get("/audit/events?limit=1000"))["data"]
    changes = [entry["action"] for entry in entries if "member" in entry["action"]]
    assert changes == [
        "group.member_added",
        "group.member_removed",
        "group.member_added",
        "group.member_removed",
    ]


@pytest.fixture
def rounds(chaos: bool) -> int:
    return 100 if chaos else 5


def at_once(*requests: Callable[[], int]) -> list[int]:
    with ThreadPoolExecutor(len(requests)) as threads:
        return [future.result() for future in [threads.submit(request) for request in requests]]


@pytest.mark.scim("rfc/36")
def test_two_changes_that_together_close_a_loop_do_not_both_succeed(acme: Organization, rounds: int) -> None:
    for _ in range(rounds):
        ring = [acme.scim.create_group() for _ in range(3)]
        acme.scim.add_members(ring[1], ring[2])
        statuses = at_once(
            lambda ring=ring: acme.scim.add_members(ring[0], ring[1]).status_code,  # type: ignore[misc]
            lambda ring=ring: acme.scim.add_members(ring[2], ring[0]).status_code,  # type: ignore[misc]
        )
        assert sorted(statuses) == [204, 400]
        assert len(stored(acme)[0] & {(a, b) for a in ring for b in ring}) == 2


def test_whoever_is_deleted_while_being_added_is_in_no_group_afterwards(
    acme: Organization, rounds: int
) -> None:
    for _ in range(rounds):
        outer, inner, anna = acme.scim.create_group(), acme.scim.create_group(), acme.scim.create_user()
        statuses = at_once(
            lambda ids=(outer, anna): acme.scim.add_members(*ids).status_code,  # type: ignore[misc]
            lambda ids=(outer, inner): acme.scim.add_members(*ids).status_code,  # type: ignore[misc]
            lambda id_=anna: acme.scim.delete(f"/Users/{id_}").status_code,  # type: ignore[misc]
            lambda id_=inner: acme.scim.delete(f"/Groups/{id_}").status_code,  # type: ignore[misc]
        )
        assert set(statuses) <= {204, 400}
        assert statuses[2:] == [204, 204]
        assert members(acme.scim, outer) == []
        assert stored(acme) == (set(), set())


SIZE = 5
numbers = st.integers(0, SIZE - 1)
edits = st.lists(st.tuples(st.sampled_from(["add", "remove", "delete"]), numbers, numbers), max_size=12)


def reachable(edges: set[tuple[str, str]], start: str) -> set[str]:
    """Plain Python: every group around this one, found by asking again and again."""
    around: set[str] = set()
    while True:
        more = {outer for outer, inner in edges if inner == start or inner in around}
        if more <= around:
            return around
        around |= more


@pytest.mark.scim("rfc/36")
@examples(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_random_edits_of_nesting_equal_a_plain_model(
    acme: Organization, edits: list[tuple[str, int, int]]
) -> None:
    groups = [acme.scim.create_group() for _ in range(SIZE)]
    deleted: set[str] = set()
    edges: set[tuple[str, str]] = set()
    for kind, one, two in edits:
        outer, inner = groups[one], groups[two]
        if kind == "delete":
            expected = 404 if outer in deleted else 204
            assert acme.scim.delete(f"/Groups/{outer}").status_code == expected
            deleted.add(outer)
            edges = {edge for edge in edges if outer not in edge}
            continue
        gone = outer in deleted
        if kind == "remove":
            assert acme.scim.remove_members(outer, inner).status_code == (404 if gone else 204)
            edges.discard((outer, inner))
            continue
        closes = inner == outer or inner in reachable(edges, outer)
        expected = 404 if gone else 400 if closes or inner in deleted else 204
        assert acme.scim.add_members(outer, inner).status_code == expected
        edges |= {(outer, inner)} if expected == 204 else set()
    mine = set(groups)
    stored_edges, around = ({pair for pair in pairs if mine & {*pair}} for pairs in stored(acme))
    assert stored_edges == edges
    assert around == {(inner, outer) for inner in groups for outer in reachable(edges, inner)}


@pytest.mark.scim("rfc/36")
def test_schemas_allow_users_and_groups_as_members(acme: Organization) -> None:
    described = ok(acme.scim.get(f"/Schemas/{GROUP}"))["attributes"]
    parts = next(attribute for attribute in described if attribute["name"] == "members")["subAttributes"]
    reference = next(part for part in parts if part["name"] == "$ref")
    assert reference["referenceTypes"] == ["User", "Group"]
    assert ok(acme.scim.get(f"/Schemas/{USER}"))["id"] == USER
