"""PATCH of lists, value paths and the manager, in the forms that Entra and the RFC give them."""

from copy import deepcopy
from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, PATCH_OP, USER
from app.scim.protocol.errors import (
    InvalidValueError,
    NoTargetError,
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


class TestManager:
    @pytest.mark.parametrize(
        "path",
        [
            "manager",
            f"{ENTERPRISE_USER}:manager",
            f"{ENTERPRISE_USER}.manager",
            f"{ENTERPRISE_USER}:manager.value",
        ],
    )
    @pytest.mark.parametrize("op", ["Add", "replace"])
    def test_entra_manager_forms_all_give_the_id(self, user_type: ResourceType, op: str, path: str) -> None:
        forms: list[Any] = ["M2"]
        if not path.endswith(".value"):
            forms += [{"value": "M2"}, [{"$ref": None, "value": "M2"}]]
        for value in forms:
            after = patched(user_type, {"op": op, "path": path, "value": value}, before=MANAGED).attributes
            assert after[ENTERPRISE_USER] == {"department": "Sales", "manager": {"value": "M2"}}

    def test_a_reference_beside_the_manager_s_id_is_not_kept(self, user_type: ResourceType) -> None:
        same = patched(user_type, replace({"value": "M1"}, "manager"), before=MANAGED)
        assert not same.changed
        other = patched(user_type, replace({"value": "M2", "$ref": "../Users/M2"}, "manager"), before=MANAGED)
        assert other.attributes[ENTERPRISE_USER]["manager"] == {"value": "M2"}

    def test_a_manager_may_be_named_by_the_reference_alone(self, user_type: ResourceType) -> None:
        by_reference = replace({"$REF": "https://usher.example/scim/v2/Users/M2"}, "manager")
        after = patched(user_type, by_reference, before=MANAGED).attributes
        assert after[ENTERPRISE_USER]["manager"] == {"value": "M2"}

    @pytest.mark.parametrize("value", [{"value": ""}, "", None, [{"value": ""}]])
    def test_entra_clears_the_manager_with_an_empty_value(self, user_type: ResourceType, value: Any) -> None:
        result = patched(user_type, replace(value, f"{ENTERPRISE_USER}:manager"), before=MANAGED)
        assert result.attributes[ENTERPRISE_USER] == {"department": "Sales"}
        assert result.changed == {ENTERPRISE_USER}

    def test_a_manager_can_be_removed_and_so_can_the_extension(self, user_type: ResourceType) -> None:
        after = patched(user_type, remove(f"{ENTERPRISE_USER}:manager"), before=MANAGED).attributes
        assert after[ENTERPRISE_USER] == {"department": "Sales"}
        assert patched(user_type, remove(ENTERPRISE_USER), before=MANAGED).attributes == ANNA
        assert patched(user_type, replace(None, ENTERPRISE_USER), before=MANAGED).attributes == ANNA


class TestLists:
    @pytest.mark.scim("rfc/11")
    def test_add_appends_and_merges_what_is_there(self, user_type: ResourceType) -> None:
        given = [{"value": "A@HOME.example", "type": "Home", "display": "Home"}, {"value": "c@x.example"}]
        emails = patched(user_type, add(given, "emails")).attributes["emails"]
        assert emails == [WORK, {**HOME, **given[0]}, {"value": "c@x.example"}]

    @pytest.mark.scim("rfc/12")
    def test_a_new_primary_clears_the_old_one(self, user_type: ResourceType) -> None:
        new = {"value": "n@x.example", "type": "other", "primary": True}
        for operation in (add([new], "emails"), add({"emails": new})):
            emails = patched(user_type, operation).attributes["emails"]
            assert [email.get("primary") for email in emails] == [False, None, True]
        emails = patched(user_type, replace("true", 'emails[type eq "home"].primary')).attributes["emails"]
        assert [email.get("primary") for email in emails] == [False, True]

    def test_two_primaries_in_one_value_are_refused(self, user_type: ResourceType) -> None:
        two = [{"value": "a", "primary": True}, {"value": "b", "primary": "True"}]
        for operation in (replace(two, "emails"), add(two, "emails"), replace(True, "emails.primary")):
            with pytest.raises(InvalidValueError, match="primary"):
                patched(user_type, operation)

    @pytest.mark.scim("rfc/9", "rfc/7")
    def test_remove_empties_or_takes_what_the_filter_picks(self, user_type: ResourceType) -> None:
        assert "emails" not in patched(user_type, remove("emails")).attributes
        assert patched(user_type, remove('emails[type eq "WORK"]')).attributes["emails"] == [HOME]
        assert patched(user_type, remove("emails.type")).attributes["emails"] == [
            {"value": "a@work.example", "primary": True},
            {"value": "a@home.example"},
        ]

    def test_a_value_without_content_goes_with_it(self, user_type: ResourceType) -> None:
        for operation in (
            remove('emails[type eq "work"].value'),
            replace("", 'emails[type eq "work"].value'),
        ):
            assert patched(user_type, operation).attributes["emails"] == [HOME]

    def test_entra_removes_listed_values_of_any_list(self, user_type: ResourceType) -> None:
        assert patched(user_type, remove("emails", value=[{"value": "A@home.example"}])).attributes[
            "emails"
        ] == [WORK]
        assert not patched(user_type, remove("emails", value=[])).changed
        assert not patched(
            user_type, remove("emails", value=[{"value": "a@home.example", "type": "work"}])
        ).changed

    @pytest.mark.scim("entra/no-match", "rfc/10")
    def test_entra_filtered_paths_without_a_match_share_one_new_entry(self, user_type: ResourceType) -> None:
        address = {"locality": "Kiel", "country": "DE", "postalCode": "24103"}
        operations = [add(value, f'addresses[type eq "Work"].{name}') for name, value in address.items()]
        result = patched(user_type, *operations)
        assert result.attributes["addresses"] == [{"type": "Work", **address}]
        assert result.changed == {"addresses"}

    def test_a_created_entry_leaves_its_siblings_alone(self, user_type: ResourceType) -> None:
        after = patched(user_type, replace("o@x.example", 'emails[type eq "other"].value')).attributes
        assert after["emails"] == [WORK, HOME, {"type": "other", "value": "o@x.example"}]

    def test_entra_validator_builds_one_role_from_the_primary_filter(self, user_type: ResourceType) -> None:
        path = 'roles[primary eq "True"]'
        operations = [add("Adm", f"{path}.display"), add("adm", f"{path}.value"), add("app", f"{path}.type")]
        roles = patched(user_type, *operations).attributes["roles"]
        assert roles == [{"primary": True, "display": "Adm", "value": "adm", "type": "app"}]

    def test_entra_roles_as_json_text_are_unfolded(self, user_type: ResourceType) -> None:
        text = '{"id":"r1","value":"Admin","displayName":"Administrator"}'
        for value in ([{"value": text}], [text], {"value": text}):
            roles = patched(user_type, {"op": "Add", "path": "roles", "value": value}).attributes["roles"]
            assert roles == [{"value": "Admin", "display": "Administrator"}]
        around = add([{"value": text, "display": None, "type": "app"}], "roles")
        roles = patched(user_type, around).attributes["roles"]
        assert roles == [{"value": "Admin", "display": "Administrator", "type": "app"}]

    def test_entra_assertive_roles_replace_all(self, user_type: ResourceType) -> None:
        before = {**ANNA, "roles": [{"value": "old"}]}
        new = {"primary": False, "type": "WindowsAzureActiveDirectoryRole", "display": "A", "value": "a"}
        assert patched(user_type, replace([new], "roles"), before=before).attributes["roles"] == [new]

    def test_a_filtered_replace_keeps_what_selected_the_value(self, user_type: ResourceType) -> None:
        after = patched(user_type, replace({"value": "n@x.example"}, 'emails[type eq "work"]')).attributes
        assert after["emails"] == [{"type": "work", "value": "n@x.example"}, HOME]
        after = patched(user_type, add({"display": "W"}, 'emails[type eq "work"]')).attributes
        assert after["emails"] == [{**WORK, "display": "W"}, HOME]

    @pytest.mark.scim("rfc/10")
    @pytest.mark.parametrize(
        "filter_text", ['type eq "x" or type eq "y"', 'value co "zzz"', 'type eq "x" and display pr']
    )
    def test_a_filter_that_cannot_describe_a_value_has_no_target(
        self, user_type: ResourceType, filter_text: str
    ) -> None:
        with pytest.raises(NoTargetError):
            patched(user_type, replace("v", f"emails[{filter_text}].value"))

    def test_lists_are_capped(self, user_type: ResourceType) -> None:
        many = [{"value": f"{number}@x.example"} for number in range(98)]
        assert len(patched(user_type, add(many, "emails")).attributes["emails"]) == 100
        with pytest.raises(InvalidValueError, match="101 values"):
            patched(user_type, add([*many, {"value": "z"}], "emails"))
