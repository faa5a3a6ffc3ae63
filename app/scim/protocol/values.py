"""One value from outside, brought to the type its attribute has in the registry.

Serves POST and PUT bodies and the values of PATCH operations alike. `None` means absent. Must not
know where a value goes.
"""

from typing import Any

from app.core.text import fold
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
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_names import unknown_attribute
from app.scim.protocol.tolerated_values import (
    bare_text_as_value,
    empty_text,
    json_text_as_object,
    manager_as_text,
    manager_id,
    number_as_text,
    object_in_a_list,
    single_object_as_list,
    text_boolean,
)

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


def clean(attribute: Attribute, raw: Any, where: str, tolerances: Tolerances) -> Any:
    """Clean a whole attribute; `where` names it in errors."""
    if absent(raw, where, tolerances):
        return None
    if attribute.name == MEMBERS:
        return [
            {"value": member} if type_ is None else {"value": member, "type": type_}
            for member, type_ in named_members(raw, tolerances).items()
        ] or None
    if attribute.multi_valued:
        return _list(attribute, raw, where, tolerances)
    return clean_element(attribute, raw, where, tolerances)


def clean_element(attribute: Attribute, raw: Any, where: str, tolerances: Tolerances) -> Any:
    """Clean one value of an attribute, multi-valued or not."""
    if absent(raw, where, tolerances):
        return None
    if not attribute.is_complex:
        return _simple(attribute, raw, where, tolerances)
    if attribute.multi_valued:
        raw = tolerances.mend(bare_text_as_value, tolerances.mend(json_text_as_object, raw))
    elif attribute.name == "manager":
        raw = manager(raw, tolerances)
    return _object(attribute, raw, where, tolerances)


def absent(raw: Any, where: str, tolerances: Tolerances) -> bool:
    """RFC 7643 section 2.5: null and an empty list are absent; empty text only where it is tolerated."""
    if not is_absent(raw):
        return False
    if tolerances.mend(empty_text, raw) == "":
        raise InvalidValueError(f"{where} is empty text; send null or leave it out to clear it.")
    return True


def manager(raw: Any, tolerances: Tolerances) -> Any:
    """The one object that `manager` takes, out of the forms in which it is named."""
    inner = tolerances.mend(manager_as_text, tolerances.mend(object_in_a_list, raw))
    return _with_referenced_id(tolerances.mend(manager_id, inner))


def _with_referenced_id(raw: Any) -> Any:
    """RFC 7643 section 4.3 leaves it to the client to name the manager by `$ref` alone."""
    if not isinstance(raw, dict):
        return raw
    parts = {key.lower(): item for key, item in raw.items()}
    reference = parts.get("$ref")
    if "value" in parts or not isinstance(reference, str):
        return raw
    return {**raw, "value": reference.rpartition("/")[2]}


def drop_unknown(name: str, value: Any, tolerances: Tolerances) -> None:
    """RFC 7644 section 3.12: what is not in the schema is invalidSyntax, unless it may be dropped."""
    if tolerances.accept(unknown_attribute, value):
        tolerances.ignored.add(name[: tolerances.MAX_NAME])
    elif value is not None:
        raise InvalidSyntaxError(
            f"{excerpt(name)} is in no schema of this resource. "
            "Take it out of the attribute mapping; /Schemas lists the names."
        )


def check_single_primary(elements: list[Any], where: str) -> None:
    """RFC 7643 section 2.4: the primary value true appears no more than once."""
    primaries = sum(isinstance(element, dict) and element.get("primary") is True for element in elements)
    if primaries > 1:
        raise InvalidValueError(f"{where} has {primaries} primary values; mark at most one as primary.")


def check_count(elements: list[Any], where: str) -> None:
    if len(elements) > MAX_VALUES:
        raise InvalidValueError(f"{where} has {len(elements)} values; at most {MAX_VALUES} are accepted.")


def _list(attribute: Attribute, raw: Any, where: str, tolerances: Tolerances) -> list[Any] | None:
    elements = tolerances.mend(single_object_as_list, raw)
    if not isinstance(elements, list):
        raise InvalidValueError(f"{where} must be a list, not {excerpt(raw)}.")
    check_count(elements, where)
    result: list[Any] = []
    for element in elements:
        cleaned = clean_element(attribute, element, where, tolerances)
        if cleaned is not None and cleaned not in result:
            result.append(cleaned)
    check_single_primary(result, where)
    return result or None


def _object(attribute: Attribute, raw: Any, where: str, tolerances: Tolerances) -> dict[str, Any] | None:
    if absent(raw, where, tolerances):
        return None
    if not isinstance(raw, dict):
        raise _wrong_type(attribute, raw, where)
    result: dict[str, Any] = {}
    for key, value in raw.items():
        sub_attribute = attribute.sub(key)
        if sub_attribute is None:
            drop_unknown(f"{where}.{key}", value, tolerances)
            continue
        # RFC 7643 section 2.2: what clients cannot write is ignored when they send it.
        if sub_attribute.is_read_only or sub_attribute.is_never_returned:
            continue
        cleaned = clean(sub_attribute, value, f"{where}.{sub_attribute.name}", tolerances)
        if cleaned is None:
            continue
        if sub_attribute.name in result:
            raise InvalidSyntaxError(f"{where}.{sub_attribute.name} stands twice; names ignore letter case.")
        result[sub_attribute.name] = cleaned
    return result or None


def _simple(attribute: Attribute, raw: Any, where: str, tolerances: Tolerances) -> Any:
    kind = attribute.type
    if kind == "boolean":
        value = raw if isinstance(raw, bool) else tolerances.mend(text_boolean, raw)
        if not isinstance(value, bool):
            raise _wrong_type(attribute, raw, where)
        return value
    if kind in {"integer", "decimal"}:
        return _number(attribute, raw, where)
    return _text(attribute, raw, where, tolerances)


def _text(attribute: Attribute, raw: Any, where: str, tolerances: Tolerances) -> str:
    if attribute.type == "string" and not isinstance(raw, str):
        raw = tolerances.mend(number_as_text, raw)
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
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) <= MAX_INTEGER:
        raise _wrong_type(attribute, raw, where)
    if attribute.type == "decimal":
        return raw
    if raw != int(raw):
        raise _wrong_type(attribute, raw, where)
    return int(raw)


def _wrong_type(attribute: Attribute, raw: Any, where: str) -> InvalidValueError:
    return InvalidValueError(f"{where} must be {_EXPECTED[attribute.type]}, not {excerpt(raw)}.")
