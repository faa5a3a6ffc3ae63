"""Attribute paths and PATCH paths, as clients write them."""

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, USER
from app.scim.protocol.errors import InvalidPathError
from app.scim.protocol.path import parse_patch_path, resolve
from app.scim.protocol.registry import ResourceType
from tests.support.tolerances import auto


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("userName", ("userName",)),
        ("USERNAME", ("userName",)),
        ("name.givenName", ("name", "givenName")),
        (f"{USER}:name.GIVENNAME", ("name", "givenName")),
        (f"{USER}:externalId", ("externalId",)),
        ("meta.lastModified", ("meta", "lastModified")),
        (f"{ENTERPRISE_USER}:department", (ENTERPRISE_USER, "department")),
        (f"{ENTERPRISE_USER.lower()}:manager.value", (ENTERPRISE_USER, "manager", "value")),
        (f"{ENTERPRISE_USER}:manager.$ref", (ENTERPRISE_USER, "manager", "$ref")),
        (ENTERPRISE_USER, (ENTERPRISE_USER,)),
    ],
)
def test_names_resolve_to_canonical_keys(user_type: ResourceType, text: str, keys: tuple[str, ...]) -> None:
    assert resolve(user_type, text, auto()).keys == keys


@pytest.mark.parametrize("text", [f"{ENTERPRISE_USER}.manager", f"{ENTERPRISE_USER}.manager.value"])
def test_entra_may_write_a_dot_between_the_urn_and_the_attribute(user_type: ResourceType, text: str) -> None:
    assert resolve(user_type, text, auto()).attribute.name == "manager"


def test_entra_may_name_an_enterprise_attribute_without_its_urn(user_type: ResourceType) -> None:
    assert resolve(user_type, "department", auto()).keys == (ENTERPRISE_USER, "department")
    assert resolve(user_type, "manager.value", auto()).keys == (ENTERPRISE_USER, "manager", "value")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "nosuch",
        "name.",
        "name.nosuch",
        "name.givenName.more",
        "userName.value",
        USER,
        f"{USER}:",
        f"{USER}:department",
        f"{ENTERPRISE_USER}:",
        f"{ENTERPRISE_USER}:userName",
        f"{ENTERPRISE_USER}x",
        "urn:example:User:userName",
        "u" * 3000,
    ],
)
def test_unknown_names_are_invalid_paths(user_type: ResourceType, text: str) -> None:
    with pytest.raises(InvalidPathError) as caught:
        resolve(user_type, text, auto())
    assert caught.value.scim_type == "invalidPath"
    assert len(caught.value.detail) < 300


def test_a_group_has_no_user_attributes(group_type: ResourceType) -> None:
    with pytest.raises(InvalidPathError, match="not an attribute of Group"):
        resolve(group_type, "userName", auto())


def test_a_patch_path_may_pick_values(user_type: ResourceType) -> None:
    target = parse_patch_path(user_type, 'emails[type eq "work"].value', auto())
    assert target.path.keys == ("emails",)
    assert target.value_filter is not None
    assert target.sub_attribute is not None
    assert target.sub_attribute.name == "value"


def test_a_patch_path_without_brackets_is_an_attribute_path(user_type: ResourceType) -> None:
    target = parse_patch_path(user_type, "name.familyName", auto())
    assert target.path.keys == ("name", "familyName")
    assert target.value_filter is None
    assert target.sub_attribute is target.path.sub_attribute


@pytest.mark.parametrize(
    "text",
    [
        'emails[type eq "work"',
        "emails[]",
        'emails[type eq "work"].nosuch',
        'emails[type eq "work"].value.more',
        'emails[type eq "a"] or emails[type eq "b"]',
        'emails[type eq "a"] and title',
        'not (emails[type eq "a"])',
        'emails[type eq "a"].value eq "x" or title',
        'nosuch[type eq "work"]',
        'name[givenName eq "x"]',
        "emails[" + " and ".join(["type pr"] * 51) + "]",
        "emails" + "[" * 50,
    ],
)
def test_broken_value_paths_are_invalid_paths(user_type: ResourceType, text: str) -> None:
    with pytest.raises(InvalidPathError):
        parse_patch_path(user_type, text, auto())
