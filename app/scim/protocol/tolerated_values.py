"""Odd forms of values. Knows JSON and nothing of attributes; `values` asks where they show."""

from collections.abc import Mapping
from typing import Any

from app.core import strict_json
from app.scim.protocol.tolerances import tolerance

_TEXT_BOOLEANS = {"true": True, "false": False}


@tolerance(
    "Entra, OneLogin",
    strict="400 invalidValue",
    pinned_by="test_entra_create_is_accepted_as_it_is",
)
def text_boolean(value: Any) -> Any:
    """A boolean as text: `"active": "False"`."""
    return _TEXT_BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value


@tolerance(
    "Entra",
    strict="400 invalidFilter",
    pinned_by="test_text_booleans_are_booleans_for_boolean_attributes",
)
def text_boolean_in_filter(literal: Any) -> Any:
    """A boolean as text in a filter: `primary eq "True"`."""
    return _TEXT_BOOLEANS.get(literal.lower(), literal) if isinstance(literal, str) else literal


@tolerance(
    "OneLogin",
    strict="400 invalidValue (400 invalidSyntax for `schemas`)",
    pinned_by="test_onelogin_single_object_becomes_a_list",
)
def single_object_as_list(value: Any) -> Any:
    """One value where a list belongs: `"emails": {"value": "a@example.com"}`."""
    return value if isinstance(value, list) else [value]


@tolerance(
    "Entra",
    strict="400 invalidValue",
    pinned_by="test_entra_manager_forms_all_give_the_id",
)
def object_in_a_list(value: Any) -> Any:
    """A list around the one object of `manager` or of a filtered path: `[{"$ref": null, "value": "1"}]`."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


@tolerance(
    "Entra, OneLogin",
    strict="400 invalidValue",
    pinned_by="test_bare_text_in_a_list_of_objects_is_its_value",
)
def bare_text_as_value(value: Any) -> Any:
    """Bare text where an object belongs in a list: `"roles": ["admin"]`, `"members": ["1"]`."""
    return {"value": value} if isinstance(value, str) else value


@tolerance(
    "Entra",
    strict="the text is kept as the value",
    pinned_by="test_entra_roles_as_json_text_are_unfolded",
)
def json_text_as_object(value: Any) -> Any:
    r"""An app role as JSON text inside `value`: `{"value": "{\"id\": …, \"value\": …}"}`."""
    outer = value.get("value") if isinstance(value, Mapping) else value
    if not isinstance(outer, str) or not outer.lstrip().startswith("{"):
        return value
    try:
        inner = strict_json.loads(outer)
    except strict_json.InvalidJsonError:
        return value
    if not isinstance(inner, dict) or not isinstance(inner.get("value"), str):
        return value
    unfolded = {"value": inner["value"], "display": inner.get("displayName", inner.get("display"))}
    if not isinstance(value, Mapping):
        return unfolded
    return {**unfolded, **{key: item for key, item in value.items() if key != "value" and item is not None}}


@tolerance(
    "Entra",
    strict="400 invalidValue",
    pinned_by="test_entra_manager_forms_all_give_the_id",
)
def manager_as_text(value: Any) -> Any:
    """The manager as bare text: `"manager": "1"`."""
    return {"value": value} if isinstance(value, str) else value


@tolerance(
    "OneLogin",
    strict="400 invalidSyntax",
    pinned_by="test_onelogin_manager_id_is_the_manager_s_value",
)
def manager_id(value: Any) -> Any:
    """SCIM 1's name for the manager's value: `"manager": {"managerId": "1"}`."""
    if not isinstance(value, dict) or any(key.lower() == "value" for key in value):
        return value
    found = next((key for key in value if key.lower() == "managerid"), None)
    if found is None:
        return value
    return {"value" if key == found else key: item for key, item in value.items()}


@tolerance(
    "OneLogin",
    strict="400 invalidValue",
    pinned_by="test_enterprise_attributes_may_stand_at_the_top",
)
def number_as_text(value: Any) -> Any:
    """A number where text belongs: `"employeeNumber": 7`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@tolerance(
    "Okta, Entra",
    strict="400 invalidValue",
    pinned_by="test_entra_clears_the_manager_with_an_empty_value",
)
def empty_text(value: Any) -> Any:
    """A cleared value as empty text instead of null: `"title": ""`, `"manager": {"value": ""}`."""
    return None if value == "" else value
