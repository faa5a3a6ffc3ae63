"""PATCH by the RFC and in the forms that Okta and Entra really send."""

from copy import deepcopy
from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, PATCH_OP, USER
from app.scim.protocol.errors import (
    InvalidPathError,
    InvalidSyntaxError,
    InvalidValueError,
    MutabilityError,
    NoTargetError,
    ScimError,
    TooManyError,
)
from app.scim.protocol.patch import Patched, apply, parse_operations
from app.scim.protocol.registry import ResourceType
from tests.support.tolerances import auto

WORK = {"value": "a@work.example", "type": "work", "primary": True}
HOME = {"value": "a@home.example", "type": "home"}
ANNA: dict[str, Any] = {
    "schemas": [USER],
    "userName": "anna",
    "name": {"givenName": "Anna", "familyName": "Berg"},
    "active": True,
    "emails": [WORK, HOME],
}
MANAGED = {
    **ANNA,
    ENTERPRISE_USER: {"department": "Sales", "manager": {"value": "M1"}},
}

Op = dict[str, Any]


def patched(user_type: ResourceType, *operations: Op, before: dict[str, Any] = ANNA) -> Patched:
    untouched = deepcopy(before)
    tolerances = auto()
    body = {"schemas": [PATCH_OP], "Operations": list(operations)}
    result = apply(user_type, parse_operations(body, tolerances), before, tolerances)
    assert before == untouched
    return result


def replace(value: Any, path: str | None = None) -> Op:
    return (
        {"op": "replace", "value": value} if path is None else {"op": "replace", "path": path, "value": value}
    )


def add(value: Any, path: str | None = None) -> Op:
    return {**replace(value, path), "op": "add"}


def remove(path: str, **value: Any) -> Op:
    return {"op": "remove", "path": path, **value}


class TestEnvelope:
    @pytest.mark.scim("rfc/8", "rfc/21")
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (None, InvalidSyntaxError),
            ([], InvalidSyntaxError),
            ({}, InvalidSyntaxError),
            ({"Operations": []}, InvalidSyntaxError),
            ({"Operations": {"op": "add"}}, InvalidSyntaxError),
            ({"Operations": ["add"]}, InvalidSyntaxError),
            ({"Operations": [{"op": "move", "path": "title"}]}, InvalidSyntaxError),
            ({"Operations": [{"path": "title", "value": "x"}]}, InvalidSyntaxError),
            ({"Operations": [{"op": {}, "path": "title", "value": "x"}]}, InvalidSyntaxError),
            ({"schemas": [USER], "Operations": [add("x", "title")]}, InvalidSyntaxError),
            ({"Operations": [{"op": "add", "path": 7, "value": "x"}]}, InvalidPathError),
            ({"Operations": [{"op": "remove"}]}, NoTargetError),
            ({"Operations": [{"op": "remove", "path": ""}]}, NoTargetError),
            ({"Operations": [{"op": "add", "path": "title"}]}, InvalidValueError),
            ({"Operations": [{"op": "replace", "value": "x"}]}, InvalidValueError),
            ({"Operations": [{"op": "replace", "value": None}]}, InvalidValueError),
            ({"Operations": [add("x", "title")] * 1001}, TooManyError),
        ],
    )
    def test_a_broken_envelope_is_refused(self, body: Any, error: type[ScimError]) -> None:
        with pytest.raises(error):
            parse_operations(body, auto())

    def test_a_thousand_operations_are_accepted(self) -> None:
        assert len(parse_operations({"Operations": [add("x", "title")] * 1000}, auto())) == 1000

    @pytest.mark.scim("rfc/1")
    def test_entra_operation_names_are_capitalised(self) -> None:
        body = {"schemas": [PATCH_OP.upper()], "operations": [{"Op": "Add", "Path": "title", "Value": "x"}]}
        (operation,) = parse_operations(body, auto())
        assert (operation.op, operation.path, operation.value) == ("add", "title", "x")


class TestPathless:
    def test_okta_deactivates_without_a_path(self, user_type: ResourceType) -> None:
        result = patched(user_type, replace({"active": False}))
        assert result.attributes == {**ANNA, "active": False}
        assert result.changed == {"active"}
        assert result.members is None

    def test_okta_password_sync_changes_nothing(self, user_type: ResourceType) -> None:
        for operation in (replace({"password": "s3cret"}), replace("s3cret", "password")):
            result = patched(user_type, operation)
            assert result.attributes == ANNA
            assert not result.changed

    @pytest.mark.scim("rfc/6")
    def test_complex_attributes_are_merged(self, user_type: ResourceType) -> None:
        result = patched(user_type, replace({"NAME": {"givenName": "Ann"}, "title": "Dr"}))
        assert result.attributes["name"] == {"givenName": "Ann", "familyName": "Berg"}
        assert result.changed == {"name", "title"}

    def test_empty_parts_are_cleared_and_their_siblings_stay(self, user_type: ResourceType) -> None:
        result = patched(user_type, replace({"name": {"givenName": ""}}))
        assert result.attributes["name"] == {"familyName": "Berg"}

    def test_read_only_and_unknown_attributes_are_ignored(self, user_type: ResourceType) -> None:
        value = {
            "id": "x",
            "meta": {"version": "9"},
            "groups": [{"value": "g"}],
            "nosuch": 1,
            "a[b": 2,
            "": 3,
        }
        assert not patched(user_type, add(value), replace(value)).changed

    def test_multi_valued_attributes_are_replaced_by_replace_and_extended_by_add(
        self, user_type: ResourceType
    ) -> None:
        other = {"value": "b@x.example", "type": "other"}
        assert patched(user_type, replace({"emails": [other]})).attributes["emails"] == [other]
        assert patched(user_type, add({"emails": [other]})).attributes["emails"] == [WORK, HOME, other]

    @pytest.mark.scim("entra/flagged-update")
    def test_entra_flagged_patch_resolves_each_key_as_a_path(self, user_type: ResourceType) -> None:
        value = {
            "name.givenName": "Ann",
            f"{ENTERPRISE_USER}:department": "Ops",
            'emails[type eq "work"].value': "new@work.example",
            "displayName": "Ann B",
        }
        after = patched(user_type, replace(value)).attributes
        assert after["name"] == {"givenName": "Ann", "familyName": "Berg"}
        assert after[ENTERPRISE_USER] == {"department": "Ops"}
        assert after["schemas"] == [USER, ENTERPRISE_USER]
        assert after["emails"] == [{**WORK, "value": "new@work.example"}, HOME]

    def test_extension_objects_are_merged_and_clear_their_urn_when_empty(
        self, user_type: ResourceType
    ) -> None:
        after = patched(user_type, replace({ENTERPRISE_USER: {"division": "D"}}), before=MANAGED).attributes
        assert after[ENTERPRISE_USER] == {**MANAGED[ENTERPRISE_USER], "division": "D"}
        cleared = replace({ENTERPRISE_USER: {"department": "", "manager": None}})
        after = patched(user_type, cleared, before=MANAGED).attributes
        assert ENTERPRISE_USER not in after
        assert after["schemas"] == [USER]


class TestSimplePaths:
    def test_entra_sends_one_operation_per_attribute(self, user_type: ResourceType) -> None:
        result = patched(
            user_type,
            {"op": "Replace", "path": "displayName", "value": "Ann"},
            {"op": "Replace", "path": "name.givenName", "value": "Ann"},
            {"op": "Replace", "path": "externalId", "value": "E1"},
            {"op": "Replace", "path": f"{ENTERPRISE_USER}:employeeNumber", "value": "701984"},
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "x@work.example"},
        )
        assert result.attributes["displayName"] == "Ann"
        assert result.attributes["name"]["givenName"] == "Ann"
        assert result.attributes[ENTERPRISE_USER] == {"employeeNumber": "701984"}
        assert result.changed == {"displayName", "name", "externalId", "emails", ENTERPRISE_USER}

    @pytest.mark.parametrize(
        ("text", "value"), [("False", False), ("false", False), ("TRUE", True), (True, True)]
    )
    def test_entra_text_booleans_become_booleans(
        self, user_type: ResourceType, text: Any, value: bool
    ) -> None:
        assert patched(user_type, replace(text, "active")).attributes["active"] is value
        assert patched(user_type, replace({"active": text})).attributes["active"] is value

    def test_an_equal_value_is_no_change(self, user_type: ResourceType) -> None:
        operations = (replace("anna", "userName"), add([WORK], "emails"), replace({"name": ANNA["name"]}))
        assert not patched(user_type, *operations).changed

    @pytest.mark.parametrize("empty", ["", None, [], {}])
    def test_replace_by_nothing_removes_and_add_of_nothing_keeps(
        self, user_type: ResourceType, empty: Any
    ) -> None:
        assert "name" not in patched(user_type, replace(empty, "name")).attributes
        assert "emails" not in patched(user_type, replace(empty, "emails")).attributes
        assert not patched(
            user_type, add(empty, "name"), add(empty, "emails"), add(empty, "name.givenName")
        ).changed

    def test_the_last_part_takes_the_whole_with_it(self, user_type: ResourceType) -> None:
        after = patched(user_type, remove("name.givenName"), remove("name.familyName")).attributes
        assert "name" not in after

    def test_removing_what_is_absent_is_no_change(self, user_type: ResourceType) -> None:
        operations = (
            remove("title"),
            remove("name.formatted"),
            remove('emails[type eq "x"]'),
            remove("manager"),
        )
        assert not patched(user_type, *operations).changed

    @pytest.mark.scim("rfc/9")
    @pytest.mark.parametrize(
        "path", ["id", "meta", "meta.version", "groups", 'groups[value eq "g"]', "manager.displayName"]
    )
    def test_a_read_only_path_is_a_mutability_error(self, user_type: ResourceType, path: str) -> None:
        for operation in (replace("x", path), add("x", path), remove(path)):
            with pytest.raises(MutabilityError):
                patched(user_type, operation)

    @pytest.mark.scim("rfc/9")
    def test_a_required_attribute_cannot_be_removed_or_emptied(self, user_type: ResourceType) -> None:
        with pytest.raises(MutabilityError):
            patched(user_type, remove("userName"))
        with pytest.raises(InvalidValueError):
            patched(user_type, replace("", "userName"))

    def test_an_unknown_path_is_an_invalid_path(self, user_type: ResourceType) -> None:
        with pytest.raises(InvalidPathError, match="nosuch"):
            patched(user_type, replace("x", "nosuch"))

    @pytest.mark.scim("rfc/33")
    def test_schemas_follow_from_the_data(self, user_type: ResourceType) -> None:
        result = patched(user_type, add(["urn:example:x"], "schemas"), replace([], "schemas"))
        assert result.attributes["schemas"] == [USER]
        assert not result.changed
        with pytest.raises(MutabilityError):
            patched(user_type, remove("schemas"))

    def test_a_failing_operation_leaves_the_input_as_it_was(self, user_type: ResourceType) -> None:
        before = deepcopy(MANAGED)
        operations = [add([HOME], "emails"), replace("Ops", "department"), replace("x", "nosuch")]
        with pytest.raises(InvalidPathError):
            patched(user_type, *operations, before=before)
        assert before == MANAGED

    def test_read_only_attributes_of_the_input_come_back(self, user_type: ResourceType) -> None:
        before = {**ANNA, "id": "1", "meta": {"version": "1"}}
        assert patched(user_type, replace("T", "title"), before=before).attributes == {**before, "title": "T"}

    def test_a_wrong_type_names_the_attribute(self, user_type: ResourceType) -> None:
        with pytest.raises(InvalidValueError, match="active must be true or false, not 'maybe'"):
            patched(user_type, replace("maybe", "active"))
        with pytest.raises(InvalidValueError, match="name must be an object"):
            patched(user_type, replace(7, "name"))
