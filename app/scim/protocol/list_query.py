"""What a client asks of a list: the query parameters of a GET, or the SearchRequest of a POST.

Both become the same `ListQuery`, so that they cannot answer differently. Names of attributes are
checked where the resource type is known. Must not know storage.

A list is never refused as tooMany (RFC 7644 section 3.4.2): whatever matches is given in pages, and
`filter.maxResults` of the configuration is the largest page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.scim.protocol.constants import (
    DEFAULT_COUNT,
    MAX_COUNT,
    MAX_FILTER_LENGTH,
    MAX_START_INDEX,
    SEARCH_REQUEST,
)
from app.scim.protocol.errors import (
    InvalidCountError,
    InvalidFilterError,
    InvalidSyntaxError,
    InvalidValueError,
    excerpt,
)

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_DESCENDING = {"ascending": False, "descending": True}
# RFC 7644 section 3.4.3 and RFC 9865 section 3: what a SearchRequest holds besides `schemas`.
_MEMBERS: Mapping[str, type] = {
    "attributes": list,
    "excludedAttributes": list,
    "filter": str,
    "sortBy": str,
    "sortOrder": str,
    "startIndex": int,
    "count": int,
    "cursor": str,
}
_CANONICAL = {name.lower(): name for name in _MEMBERS}
_WORDS: Mapping[type, str] = {list: "a list of attribute names", str: "text", int: "a whole number"}


@dataclass(frozen=True, slots=True)
class ListQuery:
    """`cursor` is `None` for paging by index, and empty for the first page by cursor."""

    filter_text: str | None
    start_index: int
    count: int
    attributes: str | None
    excluded_attributes: str | None
    sort_by: str | None
    descending: bool
    cursor: str | None

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> "ListQuery":
        """Read query parameters; unknown ones are ignored, such as Entra's `aadOptscim062020`."""
        cursor = params.get("cursor")
        if cursor is not None and params.get("startIndex", "").strip():
            # RFC 9865 section 2.4: one of the two chooses the method.
            raise InvalidValueError("startIndex and cursor exclude each other; send one of them.")
        return cls(
            filter_text=_filter(params.get("filter")),
            # RFC 7644 section 3.4.2.4: below 1 is 1; a negative count is 0.
            start_index=min(max(_number(params, "startIndex", 1), 1), MAX_START_INDEX),
            count=_count(params) if cursor is None else _count_of_cursor(params),
            attributes=params.get("attributes") or None,
            excluded_attributes=params.get("excludedAttributes") or None,
            sort_by=params.get("sortBy", "").strip() or None,
            descending=_descending(params.get("sortOrder", "").strip()),
            cursor=cursor,
        )

    @classmethod
    def of_search_request(cls, body: Any) -> "ListQuery":
        """Read the body of a POST to /.search (RFC 7644 section 3.4.3); unknown members are ignored."""
        if not isinstance(body, dict):
            raise InvalidSyntaxError(f"A search request must be a JSON object, not {excerpt(body)}.")
        _check_schemas(body)
        params: dict[str, str] = {}
        for key, value in body.items():
            name = _CANONICAL.get(key.lower())
            if name is None or value is None:
                continue
            if name in params:
                raise InvalidSyntaxError(f"{name} stands twice; names ignore letter case.")
            params[name] = _as_parameter(name, value)
        return cls.parse(params)


def _check_schemas(body: Mapping[str, Any]) -> None:
    schemas = next((value for key, value in body.items() if key.lower() == "schemas"), None)
    named = schemas if isinstance(schemas, list) else [schemas]
    if not any(isinstance(urn, str) and urn.lower() == SEARCH_REQUEST.lower() for urn in named):
        raise InvalidSyntaxError(f'The schemas of a search request must contain "{SEARCH_REQUEST}".')


def _as_parameter(name: str, value: Any) -> str:
    expected = _MEMBERS[name]
    is_right = isinstance(value, expected) and not isinstance(value, bool)
    if is_right and expected is list:
        is_right = all(isinstance(element, str) for element in value)
    if not is_right:
        raise InvalidSyntaxError(f"{name} must be {_WORDS[expected]}, not {excerpt(value)}.")
    return ",".join(value) if expected is list else str(value)


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


def _descending(text: str) -> bool:
    """RFC 7644 section 3.4.2.3: ascending unless said otherwise."""
    if not text:
        return False
    descending = _DESCENDING.get(text.lower())
    if descending is None:
        raise InvalidValueError(f"sortOrder must be ascending or descending, not {excerpt(text)}.")
    return descending


def _count(params: Mapping[str, str]) -> int:
    return min(max(_number(params, "count", DEFAULT_COUNT), 0), MAX_COUNT)


def _count_of_cursor(params: Mapping[str, str]) -> int:
    """RFC 9865 section 2.1: above the largest page is an error, where an index only gives less."""
    try:
        count = _number(params, "count", DEFAULT_COUNT)
    except InvalidValueError as error:
        raise InvalidCountError(error.detail) from None
    if count > MAX_COUNT:
        raise InvalidCountError(f"count is at most {MAX_COUNT} with a cursor, not {count}.")
    return max(count, 0)


def _number(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if text is None or not text.strip():
        return default
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise InvalidValueError(f"{name} must be a whole number, not {excerpt(text)}.")
    return int(text)
