"""The protocol's own messages: lists and errors. Knows neither HTTP nor resources' storage."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import UsherError
from app.scim.protocol.constants import ERROR, LIST_RESPONSE

# RFC 7644 section 3.12: the detail error keywords for refusals that are not SCIM's alone.
_SCIM_TYPES = {
    "invalid_json": "invalidSyntax",
    "unknown_member": "invalidValue",
    "invalid_nesting": "invalidValue",
    "user_name_taken": "uniqueness",
    "display_name_taken": "uniqueness",
}


def list_response(resources: Sequence[Mapping[str, Any]], total: int, start_index: int = 1) -> dict[str, Any]:
    """RFC 7644 section 3.4.2: `totalResults` counts all matches, `itemsPerPage` this page.

    `Resources` is there even when empty, because Okta and Entra read it.
    """
    return {
        "schemas": [LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def error(status: int, detail: str, scim_type: str | None = None) -> dict[str, Any]:
    """RFC 7644 section 3.12: the status is text."""
    body: dict[str, Any] = {"schemas": [ERROR], "status": str(status), "detail": detail}
    return body if scim_type is None else {**body, "scimType": scim_type}


def refusal(error_: UsherError) -> dict[str, Any]:
    """The Error body of any refusal, SCIM's own or not."""
    scim_type = getattr(error_, "scim_type", None) or _SCIM_TYPES.get(error_.code)
    return error(error_.status, error_.detail, scim_type)


def names_schema(schemas: Any, urn: str) -> bool:
    """Whether the `schemas` of a message name it; one bare text counts, and letter case does not."""
    names = schemas if isinstance(schemas, list) else [schemas]
    return any(isinstance(name, str) and name.lower() == urn.lower() for name in names)
