"""The one door for resource bodies: canonical names, typed values, nothing that clients cannot write.

Knows the registry and the vendors' tolerances; must not know storage, so uniqueness and references
are checked elsewhere.
"""

from dataclasses import dataclass
from typing import Any

from app.scim.protocol.attribute_path import AttributePath, find
from app.scim.protocol.errors import InvalidSyntaxError, InvalidValueError, excerpt
from app.scim.protocol.folding import is_absent
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.values import clean


@dataclass(frozen=True, slots=True)
class Normalized:
    """`ignored` names what the registry does not know, for the log."""

    attributes: dict[str, Any]
    ignored: frozenset[str]


def normalize(resource_type: ResourceType, body: Any) -> Normalized:
    """Normalize a POST or PUT body; `schemas` is computed, required attributes are demanded."""
    if not isinstance(body, dict):
        raise InvalidSyntaxError(f"The body must be a JSON object, not {excerpt(body)}.")
    ignored: set[str] = set()
    found: dict[tuple[str, ...], Any] = {}
    for key, raw in body.items():
        path = find(resource_type, key)
        if path is None or (path.sub_attribute is not None and path.attribute.multi_valued):
            ignored.add(key[:80])
        elif not is_absent(raw) and _is_writable(path):
            if path.keys in found:
                raise InvalidSyntaxError(
                    f"{path} stands twice in the body; attribute names ignore letter case."
                )
            found[path.keys] = clean(path.leaf, raw, str(path), ignored)
    attributes = _assembled(found)
    _check_required(resource_type, attributes)
    attributes = {"schemas": present_schemas(resource_type, attributes), **attributes}
    return Normalized(attributes, frozenset(ignored))


def present_schemas(resource_type: ResourceType, attributes: dict[str, Any]) -> list[str]:
    """RFC 7643 section 3: `schemas` lists every namespace present.

    It is computed and not taken from the client, because Entra adds a Microsoft namespace of 2006 that
    nobody defines and sends extension data without naming its URN.
    Pinned by `test_schemas_are_computed_from_the_data`.
    """
    extensions = (schema.id for schema in resource_type.extensions if schema.id in attributes)
    return [resource_type.schema.id, *extensions]


def _is_writable(path: AttributePath) -> bool:
    """RFC 7644 section 3.3: readOnly input is ignored. So are `schemas`, and Okta's filler password.

    Pinned by `test_okta_password_is_dropped`.
    """
    if path.attribute.name == "schemas" or path.leaf.is_never_returned:
        return False
    return not (path.attribute.is_read_only or path.leaf.is_read_only)


def _assembled(found: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """Put values into place, whole objects before the parts that Entra names beside them."""
    attributes: dict[str, Any] = {}
    for keys, value in sorted(found.items(), key=lambda item: len(item[0])):
        if value is None:
            continue
        holder = attributes
        for key in keys[:-1]:
            holder = holder.setdefault(key, {})
        holder[keys[-1]] = value
    return attributes


def _check_required(resource_type: ResourceType, attributes: dict[str, Any]) -> None:
    for attribute in resource_type.schema.attributes:
        if attribute.required and not str(attributes.get(attribute.name, "")).strip():
            raise InvalidValueError(
                f"{attribute.name} is required for a {resource_type.name} and cannot be empty. "
                "Check the attribute mapping of the identity provider."
            )
