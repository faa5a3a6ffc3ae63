"""attributes and excludedAttributes (RFC 7644 section 3.9)."""

from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, USER
from app.scim.protocol.errors import InvalidValueError
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import Registry, ResourceType
from tests.support.tolerances import auto

ANNA: dict[str, Any] = {
    "schemas": [USER, ENTERPRISE_USER],
    "id": "1",
    "userName": "anna",
    "name": {"givenName": "Anna", "familyName": "Berg"},
    "emails": [{"value": "a@x", "type": "work"}, {"type": "home"}],
    "meta": {"version": "1"},
    ENTERPRISE_USER: {"department": "Sales", "manager": {"value": "m", "displayName": "M"}},
}
ALWAYS = {"schemas": ANNA["schemas"], "id": "1"}


def shown(
    user_type: ResourceType, attributes: str | None = None, excluded: str | None = None
) -> dict[str, Any]:
    return Projection.parse(user_type, attributes, excluded, auto()).apply(ANNA)


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_parameters_everything_is_shown(user_type: ResourceType, nothing: str | None) -> None:
    projection = Projection.parse(user_type, nothing, nothing, auto())
    assert projection.is_default
    assert projection.apply(ANNA) == ANNA
    assert projection.wants("groups")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("userName", {"userName": "anna"}),
        (f"{USER}:USERNAME, id", {"userName": "anna"}),
        ("name.givenName", {"name": {"givenName": "Anna"}}),
        ("name.givenName,name", {"name": ANNA["name"]}),
        ("name,name.givenName", {"name": ANNA["name"]}),
        ("emails.value", {"emails": [{"value": "a@x"}]}),
        (f"{ENTERPRISE_USER}:manager.$ref", {}),
        ("meta", {"meta": {"version": "1"}}),
        (ENTERPRISE_USER, {ENTERPRISE_USER: ANNA[ENTERPRISE_USER]}),
        (f"{ENTERPRISE_USER}:department", {ENTERPRISE_USER: {"department": "Sales"}}),
        (f"{ENTERPRISE_USER}:manager.value", {ENTERPRISE_USER: {"manager": {"value": "m"}}}),
        ("nosuch,,", {}),
        ("password", {}),
    ],
)
def test_attributes_are_shown_with_what_is_always_returned(
    user_type: ResourceType, attributes: str, expected: dict[str, Any]
) -> None:
    assert shown(user_type, attributes) == {**ALWAYS, **expected}


@pytest.mark.scim("rfc/29")
def test_excluded_attributes_are_left_out_but_for_what_is_always_returned(user_type: ResourceType) -> None:
    excluded = f"id,schemas,emails,name.familyName,{ENTERPRISE_USER}:manager,nosuch"
    assert shown(user_type, None, excluded) == {
        **ALWAYS,
        "userName": "anna",
        "name": {"givenName": "Anna"},
        "meta": {"version": "1"},
        ENTERPRISE_USER: {"department": "Sales"},
    }


def test_both_parameters_exclude_each_other(user_type: ResourceType) -> None:
    with pytest.raises(InvalidValueError, match="exclude each other"):
        Projection.parse(user_type, "userName", "emails", auto())


@pytest.mark.scim("rfc/28")
def test_what_is_never_returned_never_is(user_type: ResourceType) -> None:
    for projection in (
        Projection.parse(user_type, None, None, auto()),
        Projection.parse(user_type, "password", None, auto()),
    ):
        assert "password" not in projection.apply({**ANNA, "password": "x"})
        assert not projection.wants("password")


def test_costly_attributes_need_not_be_loaded(user_type: ResourceType, group_type: ResourceType) -> None:
    assert not Projection.parse(group_type, None, "members", auto()).wants("members")
    assert Projection.parse(group_type, None, "members.display", auto()).wants("members")
    assert not Projection.parse(group_type, "displayName", None, auto()).wants("members")
    assert Projection.parse(group_type, "members.value", None, auto()).wants("Members")
    assert not Projection.parse(user_type, None, "groups", auto()).wants("groups")
    assert not Projection.parse(user_type, None, "groups", auto()).is_default


def test_only_whole_attributes_have_another_rule_than_default(registry: Registry) -> None:
    below = [sub for schema in registry.schemas for each in schema.attributes for sub in each.sub_attributes]
    below += [attribute for schema in registry.user.extensions for attribute in schema.attributes]
    assert {attribute.returned for attribute in below} == {"default"}


def test_attributes_outside_the_registry_pass_unless_others_were_asked_for(user_type: ResourceType) -> None:
    document = {**ANNA, "urn:example:seat": {"state": "assigned"}}
    assert "urn:example:seat" in Projection.parse(user_type, None, "name", auto()).apply(document)
    assert "urn:example:seat" not in Projection.parse(user_type, "name", None, auto()).apply(document)


def test_an_endless_list_of_names_is_refused(user_type: ResourceType) -> None:
    with pytest.raises(InvalidValueError, match="8192"):
        Projection.parse(user_type, "a," * 5000, None, auto())
