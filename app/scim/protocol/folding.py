"""The filter's view of values: folded text, comparable instants, empty means absent.

Both evaluators, in memory and in SQL, read documents made here, so that they cannot differ. Must
not know filters or storage.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core.clock import rfc3339
from app.core.text import fold
from app.scim.protocol.registry import Attribute, ResourceType

_INSTANT = re.compile(
    r"(\d{4,9})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_LAST_YEAR = 9999


def instant(text: str) -> datetime | None:
    """Read an xsd:dateTime as an aware UTC time; without an offset it is UTC, `None` if it is no time.

    Entra's delta reads ask with year 0001 and seven fraction digits: digits beyond the microsecond are
    cut and times outside Python's calendar are clamped to its ends.
    Pinned by `test_entra_delta_reads_compare_instants`.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.group(1, 2, 3, 4, 5, 6))
    microsecond = int((found[7] or "")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    clamped = min(max(year, 1), _LAST_YEAR)
    try:
        local = datetime(clamped, month, day, hour, minute, second, microsecond, UTC)
    except ValueError:
        return None
    if clamped != year:
        return _end_of_time(late=year > clamped)
    try:
        return local + offset if found[8] == "-" else local - offset
    except OverflowError:
        return _end_of_time(late=found[8] == "-")


def is_absent(value: object) -> bool:
    """RFC 7643 section 2.5: null and empty are the same as absent; Okta clears with empty text."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def search_document(resource_type: ResourceType, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What filters see of a resource whose attributes carry canonical names."""
    known = (attribute for attribute in resource_type.attributes if attribute.name in attributes)
    return _folded_object(known, attributes)


def folded_element(attribute: Attribute, element: Mapping[str, Any]) -> dict[str, Any]:
    """What a value path sees of one value of a multi-valued attribute."""
    return _folded_object(attribute.sub_attributes, element)


def _folded_object(attributes: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for attribute in attributes:
        value = values.get(attribute.name)
        if attribute.is_never_returned or is_absent(value):
            continue
        folded = _folded(attribute, value)
        if not is_absent(folded):
            document[attribute.name] = folded
    return document


def _folded(attribute: Attribute, value: Any) -> Any:
    if attribute.multi_valued:
        elements = value if isinstance(value, list) else [value]
        folded = (_folded_single(attribute, element) for element in elements)
        return [element for element in folded if not is_absent(element)]
    return _folded_single(attribute, value)


def _folded_single(attribute: Attribute, value: Any) -> Any:
    if attribute.is_complex:
        return _folded_object(attribute.sub_attributes, value) if isinstance(value, Mapping) else None
    if not isinstance(value, str):
        return value
    if attribute.type == "dateTime":
        moment = instant(value)
        return value if moment is None else rfc3339(moment)
    return value if attribute.case_exact else fold(value)


def _end_of_time(*, late: bool) -> datetime:
    return datetime.max.replace(tzinfo=UTC) if late else datetime.min.replace(tzinfo=UTC)
