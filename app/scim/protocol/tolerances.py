"""What vendors send besides the RFC, one named function per quirk. Knows no storage and no requests.

Each function names the vendor, the form that was seen and the test that pins it. Quirks of attribute
names stand in `attribute_path`, quirks of filter literals in `filter_literals`.
"""

from collections.abc import Mapping
from typing import Any

from app.core import strict_json
from app.scim.protocol.errors import MutabilityError, excerpt
from app.scim.protocol.registry import Attribute

_TEXT_BOOLEANS = {"true": True, "false": False}


def text_boolean(value: Any) -> Any:
    """Entra sends `"active": "False"`; OneLogin's free-text template does so too.

    Pinned by `test_entra_text_booleans_become_booleans`.
    """
    return _TEXT_BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value


def single_object_as_list(value: Any) -> list[Any]:
    """OneLogin sends `"emails": {...}`, one object where a list belongs.

    Pinned by `test_onelogin_single_object_becomes_a_list`.
    """
    return value if isinstance(value, list) else [value]


def json_text_as_object(value: Any) -> Any:
    """Entra sends app roles as JSON text inside `value`: an object with id, value and displayName.

    Pinned by `test_entra_roles_as_json_text_are_unfolded`.
    """
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


def bare_text_as_value(value: Any) -> Any:
    """Entra and hand-written OneLogin templates send `"emails": ["a@example.com"]` or a role as bare text.

    Pinned by `test_bare_text_in_a_list_of_objects_is_its_value`.
    """
    return {"value": value} if isinstance(value, str) else value


def manager_as_object(attribute: Attribute, value: Any) -> Any:
    """Entra sends the manager as bare text, or as a list that holds one `{"$ref", "value"}`.

    Pinned by `test_entra_manager_forms_all_give_the_id`.
    """
    if attribute.name != "manager":
        return value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping):
        # RFC 7643 section 4.3 leaves it to the client to name the manager by `$ref` alone.
        parts = {key.lower(): item for key, item in value.items()}
        reference = parts.get("$ref")
        value = reference.rpartition("/")[2] if "value" not in parts and isinstance(reference, str) else value
    return {"value": value} if isinstance(value, str) and value else value


def operation_name(value: Any) -> Any:
    """Entra writes `Add`, `Replace` and `Remove`; RFC 7644 section 3.5.2 compares without case anyway.

    Pinned by `test_entra_operation_names_are_capitalised`.
    """
    return value.lower() if isinstance(value, str) else value


def check_echoed_id(value: Any, resource_id: str | None) -> None:
    """Okta repeats the group's id in a path-less PATCH (`{"id", "displayName"}`): the same id passes.

    Pinned by `test_okta_group_rename_repeats_the_id`. Another id means another resource was meant.
    """
    if resource_id is not None and value is not None and value != resource_id:
        raise MutabilityError(
            f"The PATCH carries the id {excerpt(value)}, but the resource is {resource_id}; "
            "an id never changes."
        )
