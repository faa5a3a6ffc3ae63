"""JSON Schema in words: what a value is, and within which bounds. It knows the schemas that we write."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

Object = Mapping[str, Any]

_LINK = Markup('<a href="#schema-{name}">{name}</a>')
_CODE = Markup("<code>{}</code>")
# One bound from below, one from above, and what is counted.
_RANGES = (
    ("minimum", "maximum", ""),
    ("x-minimum", "x-maximum", ""),
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "items"),
)
_FORMATS = {"date-time": "date and time", "date": "date"}


def ref_of(schema: Object) -> str | None:
    """The name of the schema that is referred to."""
    ref = schema.get("$ref")
    return None if ref is None else str(ref).rpartition("/")[2]


def type_of(schema: Object) -> Markup:
    """Such as `list of string or null`, with links to the schemas named."""
    name = ref_of(schema)
    if name is not None:
        return _LINK.format(name=name)
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return Markup(" or ").join(type_of(choice) for choice in schema[either])
    kinds = schema.get("type")
    if kinds is None:
        # A constant is described by its only value.
        return code(schema["default"]) if "default" in schema else Markup("anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return Markup(" or ").join(_simple(kind, schema) for kind in kinds)


def _simple(kind: str, schema: Object) -> Markup:
    if kind == "array":
        return Markup("list of {}").format(type_of(schema.get("items", {})))
    if kind == "object" and schema.get("additionalProperties"):
        return Markup("map to {}").format(type_of(schema["additionalProperties"]))
    if kind == "string":
        return Markup("{}").format(_FORMATS.get(schema.get("format", ""), kind))
    return Markup("{}").format(kind)


def bounds_of(schema: Object) -> Markup:
    """Such as `1 to 200 characters; default 20`."""
    return Markup("; ").join(_bounds(schema))


def _bounds(schema: Object) -> Iterator[Markup]:
    items = schema.get("items", {})
    for values in (schema.get("enum"), items.get("enum")):
        if values:
            yield Markup("one of ") + Markup(", ").join(code(value) for value in values)
    for low, high, unit in _RANGES:
        yield from _range(schema.get(low), schema.get(high), unit)
    if "type" in schema and schema.get("default") is not None:
        yield Markup("default ") + code(schema["default"])
    if "example" in schema:
        yield Markup("such as ") + code(schema["example"])
    if items.get("maxLength"):
        yield Markup("each at most {} characters").format(_shown(items["maxLength"]))


def _range(low: Any, high: Any, unit: str) -> Iterator[Markup]:
    if low is not None and high is not None:
        text = f"{_shown(low)} to {_shown(high)}"
    elif high is not None:
        text = f"at most {_shown(high)}"
    elif low is not None:
        text = f"at least {_shown(low)}"
    else:
        return
    yield Markup("{}").format(f"{text} {unit}".strip())


def _shown(bound: Any) -> str:
    return f"{bound:,}" if isinstance(bound, int) else str(bound)


def code(value: object) -> Markup:
    return _CODE.format(value if isinstance(value, str) else json.dumps(value))
