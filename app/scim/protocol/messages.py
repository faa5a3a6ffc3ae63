"""The protocol's own messages: lists, errors and queries. Knows neither HTTP nor resources' storage."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.errors import UsherError
from app.scim.protocol.constants import (
    DEFAULT_COUNT,
    ERROR,
    LIST_RESPONSE,
    MAX_COUNT,
    MAX_FILTER_LENGTH,
    MAX_START_INDEX,
)
from app.scim.protocol.errors import InvalidFilterError, InvalidValueError, excerpt

# RFC 7644 section 3.12: the detail error keywords for refusals that are not SCIM's alone.
_SCIM_TYPES = {
    "invalid_json": "invalidSyntax",
    "unknown_member": "invalidValue",
    "user_name_taken": "uniqueness",
    "display_name_taken": "uniqueness",
}
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


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


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A list or search request; sorting is not supported, so `sortBy` is ignored."""

    filter_text: str | None
    start_index: int
    count: int
    attributes: str | None
    excluded_attributes: str | None

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> "ListQuery":
        """Read query parameters; unknown ones are ignored, such as Entra's `aadOptscim062020`."""
        return cls(
            filter_text=_filter(params.get("filter")),
            # RFC 7644 section 3.4.2.4: below 1 is 1; a negative count is 0.
            start_index=min(max(_number(params, "startIndex", 1), 1), MAX_START_INDEX),
            count=min(max(_number(params, "count", DEFAULT_COUNT), 0), MAX_COUNT),
            attributes=params.get("attributes") or None,
            excluded_attributes=params.get("excludedAttributes") or None,
        )


def _filter(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidFilterError(
            f"The filter has {len(text)} characters; at most {MAX_FILTER_LENGTH} are accepted."
        )
    # RFC 7644 section 3.4.2.2: what cannot be parsed is refused. A blank filter is, too: a client whose
    # variable was empty must not receive everybody.
    if not text.strip():
        raise InvalidFilterError("The filter is empty. Leave the parameter out to list everything.")
    return text


def _number(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if text is None or not text.strip():
        return default
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise InvalidValueError(f"{name} must be a whole number, not {excerpt(text)}.")
    return int(text)
