"""PATCH on groups: members are a difference and never a list that must be loaded."""

from typing import Any

import pytest

from app.scim.protocol.constants import GROUP, PATCH_OP
from app.scim.protocol.errors import InvalidPathError, InvalidValueError, MutabilityError
from app.scim.protocol.members import MemberChanges, named_members
from app.scim.protocol.patch import Patched, apply, parse_operations
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.tolerances import Tolerances
from tests.support.tolerances import auto

TEAM: dict[str, Any] = {"schemas": [GROUP], "displayName": "Team"}


def patched(group_type: ResourceType, *operations: dict[str, Any], resource_id: str | None = None) -> Patched:
    body = {"schemas": [PATCH_OP], "Operations": list(operations)}
    return apply(group_type, parse_operations(body, auto()), TEAM, auto(), resource_id=resource_id)


def members(group_type: ResourceType, *operations: dict[str, Any]) -> MemberChanges:
    result = patched(group_type, *operations)
    assert result.attributes == TEAM
    assert result.changed == frozenset()
    assert result.members is not None
    return result.members


def test_entra_adds_several_members_in_one_operation(group_type: ResourceType) -> None:
    value = [{"$ref": None, "value": "a"}, {"$ref": None, "value": "b"}]
    assert members(group_type, {"op": "Add", "path": "members", "value": value}) == MemberChanges(
        False, ("a", "b"), ()
    )


def test_entra_remove_with_a_value_list_removes_only_those(group_type: ResourceType) -> None:
    operation = {"op": "Remove", "path": "members", "value": [{"value": "a"}, {"$ref": None, "value": "b"}]}
    assert members(group_type, operation) == MemberChanges(False, (), ("a", "b"))


def test_an_empty_value_list_removes_nobody(group_type: ResourceType) -> None:
    operation = {"op": "Remove", "path": "members", "value": []}
    assert members(group_type, operation) == MemberChanges(False, (), ())


def test_remove_without_a_value_empties_the_group(group_type: ResourceType) -> None:
    assert members(group_type, {"op": "remove", "path": "members"}) == MemberChanges(True, (), ())


def test_remove_by_filter_takes_one_or_several(group_type: ResourceType) -> None:
    one = {"op": "remove", "path": 'members[value eq "a"]'}
    assert members(group_type, one) == MemberChanges(False, (), ("a",))
    several = {"op": "remove", "path": 'MEMBERS[value eq "a" or VALUE eq "b" or (value eq "c")]'}
    assert members(group_type, several) == MemberChanges(False, (), ("a", "b", "c"))


def test_okta_removes_then_adds_in_one_request(group_type: ResourceType) -> None:
    changes = members(
        group_type,
        {"op": "remove", "path": 'members[value eq "a"]'},
        {"op": "add", "path": "members", "value": [{"value": "b", "display": "b@example.com"}]},
    )
    assert changes == MemberChanges(False, ("b",), ("a",))


@pytest.mark.parametrize("empty", [[], None])
def test_replace_sets_the_list_and_replace_by_nothing_empties_it(
    group_type: ResourceType, empty: Any
) -> None:
    replace = {"op": "replace", "path": "members", "value": [{"value": "a"}, {"value": "a"}, {"value": "b"}]}
    assert members(group_type, replace) == MemberChanges(True, ("a", "b"), ())
    assert members(group_type, {**replace, "value": empty}) == MemberChanges(True, (), ())


def test_pathless_members_follow_the_operation(group_type: ResourceType) -> None:
    value = {"members": [{"value": "a"}]}
    assert members(group_type, {"op": "add", "value": value}) == MemberChanges(False, ("a",), ())
    assert members(group_type, {"op": "replace", "value": value}) == MemberChanges(True, ("a",), ())


@pytest.mark.scim("jumpcloud/provisioning")
def test_jumpcloud_and_single_objects_are_members_too(group_type: ResourceType) -> None:
    assert members(group_type, {"op": "add", "path": "members", "value": {"value": "a"}}).add == ("a",)
    nested = [{"value": "g", "type": "Group"}, {"Value": "u", "type": "User"}]
    assert members(group_type, {"op": "add", "path": "members", "value": nested}).add == ("g", "u")


def test_later_operations_adjust_earlier_ones(group_type: ResourceType) -> None:
    add = {"op": "add", "path": "members", "value": [{"value": "a"}]}
    remove = {"op": "remove", "path": "members", "value": [{"value": "a"}]}
    replace = {"op": "replace", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}
    clear = {"op": "remove", "path": "members"}
    assert members(group_type, add, remove) == MemberChanges(False, (), ("a",))
    assert members(group_type, remove, add) == MemberChanges(False, ("a",), ())
    assert members(group_type, replace, remove) == MemberChanges(True, ("b",), ())
    assert members(group_type, remove, replace) == MemberChanges(True, ("a", "b"), ())
    assert members(group_type, replace, clear, add) == MemberChanges(True, ("a",), ())


def test_no_member_operation_means_no_member_changes(group_type: ResourceType) -> None:
    assert patched(group_type, {"op": "replace", "path": "displayName", "value": "New"}).members is None


def test_okta_group_rename_repeats_the_id(group_type: ResourceType) -> None:
    rename = {"op": "replace", "value": {"id": "g1", "displayName": "New"}}
    result = patched(group_type, rename, resource_id="g1")
    assert result.attributes["displayName"] == "New"
    assert result.changed == {"displayName"}
    assert patched(group_type, rename).changed == {"displayName"}
    with pytest.raises(MutabilityError, match="never changes"):
        patched(group_type, rename, resource_id="g2")


def test_external_id_of_a_group_can_be_changed(group_type: ResourceType) -> None:
    operation = {"op": "Replace", "path": "externalId", "value": "e2"}
    assert patched(group_type, operation).attributes["externalId"] == "e2"


@pytest.mark.parametrize(
    "path",
    [
        'members[display eq "Anna"]',
        'members[type eq "User"]',
        'members[value ne "a"]',
        'members[value eq "a" and type eq "User"]',
        'members[not (value eq "a")]',
        "members[value pr]",
        "members[value eq null]",
    ],
)
def test_other_member_filters_say_what_is_supported(group_type: ResourceType, path: str) -> None:
    with pytest.raises(InvalidPathError, match="selected by id only"):
        patched(group_type, {"op": "remove", "path": path})


@pytest.mark.scim("rfc/35", "rfc/24")
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": 'members[value eq "a"].display', "value": "x"},
        {"op": "replace", "path": 'members[value eq "a"].value', "value": "b"},
        {"op": "replace", "path": 'members[value eq "a"]', "value": {"value": "b"}},
        {"op": "remove", "path": 'members[value eq "a"].type'},
        {"op": "remove", "path": "members.value"},
    ],
)
def test_parts_of_a_member_are_immutable(group_type: ResourceType, operation: dict[str, Any]) -> None:
    with pytest.raises(MutabilityError):
        patched(group_type, operation)


@pytest.mark.parametrize(
    "entry",
    [{}, {"display": "x"}, {"value": None}, {"value": ""}, {"value": 7}, 7, [], {"value": "x" * 2000}],
)
def test_a_member_without_an_id_is_an_invalid_value(entry: Any) -> None:
    with pytest.raises(InvalidValueError):
        named_members([{"value": "a"}, entry], auto())


def test_member_lists_are_capped_at_one_hundred_thousand() -> None:
    many = [{"value": str(number)} for number in range(100_000)]
    assert len(named_members(many, auto())) == 100_000
    with pytest.raises(InvalidValueError, match="100001 members"):
        named_members([*many, {"value": "x"}], auto())


def test_the_display_name_of_a_group_cannot_be_removed(group_type: ResourceType) -> None:
    with pytest.raises(MutabilityError):
        patched(group_type, {"op": "remove", "path": "displayName"})


def test_a_given_type_travels_with_the_member_and_the_last_word_counts(group_type: ResourceType) -> None:
    add = {"op": "add", "path": "members", "value": [{"value": "a", "TYPE": "group"}, {"value": "b"}]}
    assert members(group_type, add) == MemberChanges(False, ("a", "b"), (), {"a": "Group"})
    again = {"op": "add", "path": "members", "value": [{"value": "a", "type": "User"}]}
    assert members(group_type, add, again).types == {"a": "User"}
    remove = {"op": "remove", "path": "members", "value": [{"value": "a", "type": "Group"}]}
    assert members(group_type, add, remove) == MemberChanges(False, ("b",), ("a",))


def test_an_empty_type_is_absent_only_where_empty_text_is_tolerated() -> None:
    assert named_members([{"value": "a", "type": ""}], auto()) == {"a": None}
    assert named_members([{"value": "a", "type": None}], Tolerances()) == {"a": None}
    with pytest.raises(InvalidValueError, match="either User or Group"):
        named_members([{"value": "a", "type": ""}], Tolerances())


@pytest.mark.parametrize("type_", ["Robot", 7, True, {"a": 1}])
def test_a_type_that_is_neither_user_nor_group_is_refused_with_the_member(type_: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"'a' has the type .* either User or Group"):
        named_members([{"value": "a", "type": type_}], auto())
