"""One value from outside, brought to the type its attribute has in the registry.

Serves POST and PUT bodies and the values of PATCH operations alike. `None` means absent. Must not
know where a value goes.
"""

from typing import Any

from app.core.text import fold
from app.scim.protocol import tolerances
from app.scim.protocol.constants import (
    MAX_BLOB_LENGTH,
    MAX_BYTES_A_LETTER,
    MAX_INTEGER,
    MAX_STRING_BYTES,
    MAX_STRING_LENGTH,
    MAX_VALUES,
    MEMBERS,
)
from app.scim.protocol.errors import InvalidSyntaxError, InvalidValueError, excerpt
from app.scim.protocol.folding import is_absent
from app.scim.protocol.members import named_members
from app.scim.protocol.registry import Attribute

_EXPECTED = {
    "string": "text",
    "reference": "text with an address",
    "binary": "text in base64",
    "dateTime": "text with a time",
    "boolean": "true or false",
    "integer": "a whole number",
    "decimal": "a number",
    "complex": "an object",
}


def clean(attribute: Attribute, raw: Any, where: str, ignored: set[str]) -> Any:
    """Clean a whole attribute; `where` names it in errors, unknown sub-attributes go to `ignored`."""
    if is_absent(raw):
        return None
    if attribute.name == MEMBERS:
        return [
            {"value": member} if type_ is None else {"value": member, "type": type_}
            for member, type_ in named_members(raw).items()
        ] or None
    if attribute.multi_valued:
        return _list(attribute, raw, where, ignored)
    return clean_element(attribute, raw, where, ignored)


def clean_element(attribute: Attribute, raw: Any, where: str, ignored: set[str]) -> Any:
    """Clean one value of an attribute, multi-valued or not."""
    if is_absent(raw):
        return None
    if not attribute.is_complex:
        return _simple(attribute, raw, where)
    if attribute.multi_valued:
        raw = tolerances.bare_text_as_value(tolerances.json_text_as_object(raw))
    return _object(attribute, tolerances.manager_as_object(attribute, raw), where, ignored)


def check_single_primary(elements: list[Any], where: str) -> None:
    """RFC 7643 section 2.4: the primary value true appears no more than once."""
    primaries = sum(isinstance(element, dict) and element.get("primary") is True for element in elements)
    if primaries > 1:
        raise InvalidValueError(f"{where} has {primaries} primary values; mark at most one as primary.")


def check_count(elements: list[Any], where: str) -> None:
    if len(elements) > MAX_VALUES:
        raise InvalidValueError(f"{where} has {len(elements)} values; at most {MAX_VALUES} are accepted.")


def _list(attribute: Attribute, raw: Any, where: str, ignored: set[str]) -> list[Any] | None:
    elements = tolerances.single_object_as_list(raw)
    check_count(elements, where)
    result: list[Any] = []
    for element in elements:
        cleaned = clean_element(attribute, element, where, ignored)
        if cleaned is not None and cleaned not in result:
            result.append(cleaned)
    check_single_primary(result, where)
    return result or None


def _object(attribute: Attribute, raw: Any, where: str, ignored: set[str]) -> dict[str, Any] | None:
    if is_absent(raw):
        return None
    if not isinstance(raw, dict):
        raise _wrong_type(attribute, raw, where)
    result: dict[str, Any] = {}
    for key, value in raw.items():
        sub_attribute = attribute.sub(key)
        if sub_attribute is None:
            ignored.add(f"{where}.{key[:80]}")
            continue
        # RFC 7643 section 2.2: what clients cannot write is ignored when they send it.
        if sub_attribute.is_read_only or sub_attribute.is_never_returned or is_absent(value):
            continue
        if sub_attribute.name in result:
            raise InvalidSyntaxError(f"{where}.{sub_attribute.name} stands twice; names ignore letter case.")
        cleaned = clean(sub_attribute, value, f"{where}.{sub_attribute.name}", ignored)
        if cleaned is not None:
            result[sub_attribute.name] = cleaned
    return result or None


def _simple(attribute: Attribute, raw: Any, where: str) -> Any:
    kind = attribute.type
    if kind == "boolean":
        value = tolerances.text_boolean(raw)
        if not isinstance(value, bool):
            raise _wrong_type(attribute, raw, where)
        return value
    if kind in {"integer", "decimal"}:
        return _number(attribute, raw, where)
    return _text(attribute, raw, where)


def _text(attribute: Attribute, raw: Any, where: str) -> str:
    # Hand-written templates send employee numbers as numbers; as text they mean the same.
    if attribute.type == "string" and isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        raise _wrong_type(attribute, raw, where)
    limit = MAX_BLOB_LENGTH if attribute.type in {"binary", "reference"} else MAX_STRING_LENGTH
    if len(raw) > limit:
        raise InvalidValueError(f"{where} has {len(raw)} characters; at most {limit} are accepted.")
    # Folding lengthens some letters, and the folded text is what indexes hold.
    if attribute.type == "string" and len(raw) * MAX_BYTES_A_LETTER > MAX_STRING_BYTES:
        size = len(fold(raw).encode())
        if size > MAX_STRING_BYTES:
            raise InvalidValueError(f"{where} has {size} bytes; at most {MAX_STRING_BYTES} are accepted.")
    return raw


def _number(attribute: Attribute, raw: Any, where: str) -> int | float:
    number: int | float
    try:
        number = float(raw) if isinstance(raw, str) else raw
    except ValueError:
        raise _wrong_type(attribute, raw, where) from None
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= MAX_INTEGER:
        raise _wrong_type(attribute, raw, where)
    if attribute.type == "decimal":
        return number
    if number != int(number):
        raise _wrong_type(attribute, raw, where)
    return int(number)


def _wrong_type(attribute: Attribute, raw: Any, where: str) -> InvalidValueError:
    return InvalidValueError(f"{where} must be {_EXPECTED[attribute.type]}, not {excerpt(raw)}.")
