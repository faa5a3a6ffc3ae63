"""The protocol's own messages: lists and errors. Knows neither HTTP nor resources' storage."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.scim.protocol.constants import ERROR, LIST_RESPONSE


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
