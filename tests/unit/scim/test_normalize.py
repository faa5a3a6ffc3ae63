"""Bodies of POST and PUT, as connectors send them."""

from typing import Any

import pytest

from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, USER
from app.scim.protocol.errors import InvalidSyntaxError, InvalidValueError
from app.scim.protocol.normalize import normalize
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.tolerances import Tolerances
from tests.support.tolerances import auto


def attributes(user_type: ResourceType, **body: Any) -> dict[str, Any]:
    result = normalize(user_type, {"userName": "anna", **body}, auto())
    assert result.pop("schemas")[0] == USER
    assert result.pop("userName") == "anna"
    return result


def test_okta_create_is_accepted_as_it_is(user_type: ResourceType) -> None:
    body = {
        "schemas": [USER],
        "userName": "anna@example.com",
        "name": {"givenName": "Anna", "familyName": "Berg"},
        "emails": [{"primary": True, "value": "anna@example.com", "type": "work"}],
        "displayName": "Anna Berg",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    tolerances = auto()
    result = normalize(user_type, body, tolerances)
    assert result == {key: value for key, value in body.items() if key not in {"groups", "password"}}
    assert tolerances.ignored == set()
    assert tolerances.fired == {"filler_password"}


def test_okta_password_is_dropped(user_type: ResourceType) -> None:
    assert attributes(user_type, password="1mz050nq", PassWord="again") == {}


@pytest.mark.scim("okta/update", "rfc/24")
def test_okta_put_echoes_read_only_attributes(user_type: ResourceType) -> None:
    echoed = {"id": "1", "meta": {"resourceType": "User"}, "groups": [{"value": "g"}]}
    tolerances = Tolerances()
    result = normalize(user_type, {"schemas": [USER], "userName": "anna", **echoed}, tolerances)
    assert result == {"schemas": [USER], "userName": "anna"}
    assert tolerances.ignored == set()


def test_entra_create_is_accepted_as_it_is(user_type: ResourceType) -> None:
    body = {
        "schemas": [USER, ENTERPRISE_USER],
        "externalId": "0a21f0f2",
        "userName": "anna@example.com",
        "active": "True",
        "emails": [{"primary": "True", "type": "work", "value": "anna@example.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Anna Berg", "familyName": "Berg", "givenName": None},
        "roles": [],
        "department": None,
        "manager": None,
        ENTERPRISE_USER.upper(): {"department": "Sales", "manager": "m1", "costCenter": ""},
    }
    result = normalize(user_type, body, auto())
    assert result["active"] is True
    assert result["emails"] == [{"primary": True, "type": "work", "value": "anna@example.com"}]
    assert result["name"] == {"formatted": "Anna Berg", "familyName": "Berg"}
    assert result[ENTERPRISE_USER] == {"department": "Sales", "manager": {"value": "m1"}}
    assert result["schemas"] == [USER, ENTERPRISE_USER]
    assert "roles" not in result


@pytest.mark.scim("rfc/33")
def test_schemas_are_computed_from_the_data(user_type: ResourceType, group_type: ResourceType) -> None:
    adscim = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
    group = normalize(group_type, {"schemas": [GROUP, adscim], "displayName": "Team"}, auto())
    assert group == {"schemas": [GROUP], "displayName": "Team"}
    for schemas in (
        [],
        None,
        [ENTERPRISE_USER],
        ["urn:scim:schemas:core:1.0"],
        "x",
        [USER.replace(":2.0", "2.0")],
    ):
        body = {"schemas": schemas, "userName": "anna"}
        assert normalize(user_type, body, auto()) == {"schemas": [USER], "userName": "anna"}


def test_enterprise_attributes_may_stand_at_the_top(user_type: ResourceType) -> None:
    result = attributes(user_type, department="Sales", manager={"value": "m1"}, employeeNumber=7)
    assert result == {
        ENTERPRISE_USER: {"department": "Sales", "manager": {"value": "m1"}, "employeeNumber": "7"}
    }
    both = attributes(user_type, **{"department": "Sales", ENTERPRISE_USER: {"division": "D"}})
    assert both == {ENTERPRISE_USER: {"division": "D", "department": "Sales"}}


@pytest.mark.scim("rfc/1")
def test_names_ignore_letter_case(user_type: ResourceType) -> None:
    result = attributes(user_type, NICKNAME="A", Name={"GIVENname": "Anna"}, EMAILS=[{"VALUE": "a@x"}])
    assert result == {"nickName": "A", "name": {"givenName": "Anna"}, "emails": [{"value": "a@x"}]}


@pytest.mark.parametrize(
    "body", [{"USERNAME": "b"}, {"name": {"givenName": "a", "GivenName": "b"}}, {f"{USER}:userName": "b"}]
)
def test_a_name_that_stands_twice_is_refused(user_type: ResourceType, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidSyntaxError, match="twice"):
        attributes(user_type, **body)


@pytest.mark.scim("rfc/32")
@pytest.mark.parametrize("empty", [None, "", [], {}, [None], [{}], [{"value": ""}], {"value": None}])
def test_empty_is_absent(user_type: ResourceType, empty: Any) -> None:
    assert attributes(user_type, emails=empty) == {}


@pytest.mark.parametrize("empty", [None, "", {}, {"givenName": None, "familyName": ""}])
def test_empty_objects_are_absent(user_type: ResourceType, empty: Any) -> None:
    assert attributes(user_type, name=empty, title=None, displayName="") == {}


def test_unknown_attributes_are_dropped_and_named(user_type: ResourceType) -> None:
    body = {
        "userName": "a",
        "shoeSize": 7,
        "name": {"nick": "x"},
        "emails": [{"value": "a@x", "x": 1}],
        "name.y": 1,
    }
    tolerances = auto()
    result = normalize(user_type, {**body, "z" * 500: 1, "emails.value": "q"}, tolerances)
    assert tolerances.ignored == {"shoeSize", "name.nick", "emails.x", "name.y", "z" * 80, "emails.value"}
    assert result == {"schemas": [USER], "userName": "a", "emails": [{"value": "a@x"}]}


@pytest.mark.scim("onelogin/provisioning")
def test_onelogin_single_object_becomes_a_list(user_type: ResourceType) -> None:
    assert attributes(user_type, emails={"value": "a@x"}) == {"emails": [{"value": "a@x"}]}


def test_bare_text_in_a_list_of_objects_is_its_value(user_type: ResourceType) -> None:
    assert attributes(user_type, emails=["a@x", "a@x"], roles="admin") == {
        "emails": [{"value": "a@x"}],
        "roles": [{"value": "admin"}],
    }


def test_text_that_only_looks_like_json_is_kept(user_type: ResourceType) -> None:
    for text in ('{"broken', '{"id": 1}', "{}", '{"value": 7}', '{"value": "\\u0000"}'):
        assert attributes(user_type, roles=[{"value": text}]) == {"roles": [{"value": text}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"active": "perhaps"}, "active must be true or false"),
        ({"active": 1}, "active must be true or false"),
        ({"title": True}, "title must be text"),
        ({"title": 1.5}, "title must be text"),
        ({"title": ["a"]}, "title must be text"),
        ({"title": {"value": "a"}}, "title must be text"),
        ({"name": "Anna"}, "name must be an object"),
        ({"name": [{"givenName": "Anna"}]}, "name must be an object"),
        ({"name": {"givenName": {"x": 1}}}, "name.givenName must be text"),
        ({"emails": [7]}, "emails must be an object"),
        ({"emails": [["a@x"]]}, "emails must be an object"),
        ({"emails": [{"value": "a", "primary": "so so"}]}, "emails.primary must be true or false"),
        ({"profileUrl": 7}, "profileUrl must be text with an address"),
        ({ENTERPRISE_USER: "x"}, "enterprise:2.0:User must be an object"),
        ({"manager": ["a", "b"]}, "manager must be an object"),
        ({"title": "x" * 1025}, "title has 1025 characters; at most 1024"),
        ({"emails": [{"value": str(number)} for number in range(101)]}, "emails has 101 values; at most 100"),
        (
            {"emails": [{"value": "a", "primary": True}, {"value": "b", "primary": "true"}]},
            "2 primary values",
        ),
    ],
)
def test_a_wrong_value_is_named(user_type: ResourceType, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        attributes(user_type, **body)


def test_values_at_the_caps_are_accepted(user_type: ResourceType) -> None:
    body = {"title": "x" * 1024, "emails": [{"value": str(number)} for number in range(100)]}
    assert attributes(user_type, **body) == body
    assert attributes(user_type, x509Certificates=[{"value": "A" * 16_384}])


@pytest.mark.parametrize("name", [None, "", "absent"])
def test_required_attributes_are_required(
    user_type: ResourceType, group_type: ResourceType, name: str | None
) -> None:
    key = "other" if name == "absent" else "userName"
    with pytest.raises(InvalidValueError, match="userName is required for a User"):
        normalize(user_type, {key: name}, auto())
    with pytest.raises(InvalidValueError, match="displayName is required for a Group"):
        normalize(group_type, {"members": []}, auto())


@pytest.mark.parametrize("body", [None, [], "x", 7, [{"userName": "a"}]])
def test_a_body_that_is_no_object_is_a_syntax_error(user_type: ResourceType, body: Any) -> None:
    with pytest.raises(InvalidSyntaxError):
        normalize(user_type, body, auto())


def test_members_of_a_body_are_reduced_to_ids_and_types(group_type: ResourceType) -> None:
    members = [{"value": "a", "display": "A", "type": "User"}, {"$ref": None, "value": "b"}, {"value": "a"}]
    body = {"displayName": "Team", "Members": members}
    assert normalize(group_type, body, auto())["members"] == [{"value": "a", "type": "User"}, {"value": "b"}]
    with pytest.raises(InvalidValueError, match="has no value"):
        normalize(group_type, {"displayName": "Team", "members": [{"display": "A"}]}, auto())


def test_a_group_of_more_than_one_hundred_members_is_fine(group_type: ResourceType) -> None:
    members = [{"value": str(number)} for number in range(5000)]
    assert len(normalize(group_type, {"displayName": "Team", "members": members}, auto())["members"]) == 5000


def test_the_rfc_lets_a_manager_be_named_by_the_reference_alone(user_type: ResourceType) -> None:
    manager = {"$ref": "https://usher.example/scim/v2/Users/m1"}
    body = {"schemas": [USER, ENTERPRISE_USER], "userName": "anna", ENTERPRISE_USER: {"manager": manager}}
    assert normalize(user_type, body, Tolerances())[ENTERPRISE_USER] == {"manager": {"value": "m1"}}


def test_onelogin_manager_id_is_the_manager_s_value(user_type: ResourceType) -> None:
    for manager in ({"managerId": "m1"}, {"MANAGERID": "m1", "displayName": "M"}):
        assert attributes(user_type, **{ENTERPRISE_USER: {"manager": manager}}) == {
            ENTERPRISE_USER: {"manager": {"value": "m1"}}
        }
    both = {"managerId": "m1", "value": "m2"}
    assert attributes(user_type, manager=both) == {ENTERPRISE_USER: {"manager": {"value": "m2"}}}


def test_scim_1_urns_name_what_they_became(user_type: ResourceType) -> None:
    enterprise = "urn:scim:schemas:extension:enterprise:1.0"
    body = {
        "schemas": ["urn:scim:schemas:core:1.0", enterprise],
        "userName": "anna",
        "urn:scim:schemas:core:1.0:title": "Dr",
        enterprise: {"department": "Sales", "manager": {"managerId": "m1"}},
    }
    tolerances = auto()
    assert normalize(user_type, body, tolerances) == {
        "schemas": [USER, ENTERPRISE_USER],
        "userName": "anna",
        "title": "Dr",
        ENTERPRISE_USER: {"department": "Sales", "manager": {"value": "m1"}},
    }
    assert tolerances.fired == {"scim_1_urn", "urn_key", "manager_id"}


def test_a_schema_in_another_letter_case_needs_no_tolerance(user_type: ResourceType) -> None:
    tolerances = Tolerances()
    body = {"schemas": [USER.upper()], "userName": "anna"}
    assert normalize(user_type, body, tolerances)["schemas"] == [USER]
    assert tolerances.fired == set()
