"""The one door for resource bodies: canonical names, typed values, nothing that clients cannot write.

Knows the registry and the vendors' tolerances; must not know storage, so uniqueness and references
are checked elsewhere.
"""

from typing import Any

from app.scim.protocol.attribute_path import AttributePath, find
from app.scim.protocol.errors import InvalidSyntaxError, InvalidValueError, excerpt
from app.scim.protocol.folding import is_absent
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.schemas_attribute import check_schemas, present_schemas
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_names import dotted_key, urn_key
from app.scim.protocol.tolerated_requests import filler_password
from app.scim.protocol.values import absent, clean, drop_unknown


def normalize(resource_type: ResourceType, body: Any, tolerances: Tolerances) -> dict[str, Any]:
    """Normalize a POST or PUT body; `schemas` is computed, required attributes are demanded."""
    if not isinstance(body, dict):
        raise InvalidSyntaxError(f"The body must be a JSON object, not {excerpt(body)}.")
    attributes = completed(resource_type, cleaned(resource_type, body, tolerances))
    given = next((value for key, value in body.items() if key.lower() == "schemas"), None)
    check_schemas(resource_type, given, attributes["schemas"], tolerances)
    return attributes


def completed(resource_type: ResourceType, attributes: dict[str, Any]) -> dict[str, Any]:
    """Canonical attributes with the `schemas` that follow from them; required ones are demanded."""
    _check_required(resource_type, attributes)
    return {"schemas": present_schemas(resource_type, attributes), **attributes}


def cleaned(resource_type: ResourceType, body: dict[str, Any], tolerances: Tolerances) -> dict[str, Any]:
    """Some attributes under their canonical names, with values of their types."""
    found: dict[tuple[str, ...], Any] = {}
    for key, raw in body.items():
        path = find(resource_type, key, tolerances)
        if path is None or (path.sub_attribute is not None and path.attribute.multi_valued):
            drop_unknown(key, raw, tolerances)
        elif not is_plain_key(key, path, tolerances):
            raise InvalidSyntaxError(f"{excerpt(key)} is a path and no name; nest {path} in its object.")
        elif _is_writable(path, raw, tolerances):
            where = str(path)
            if absent(raw, where, tolerances):
                continue
            if path.keys in found:
                raise InvalidSyntaxError(
                    f"{where} stands twice in the body; attribute names ignore letter case."
                )
            found[path.keys] = clean(path.leaf, raw, where, tolerances)
    return _assembled(found)


def is_plain_key(key: str, path: AttributePath, tolerances: Tolerances) -> bool:
    """Tell whether a key names an attribute or a whole extension; a path only where it is tolerated."""
    if path.is_whole_extension or (path.sub_attribute is None and ":" not in key):
        return True
    is_tolerated = path.sub_attribute is None or tolerances.accept(dotted_key, key)
    return is_tolerated and (":" not in key or tolerances.accept(urn_key, key))


def _is_writable(path: AttributePath, raw: Any, tolerances: Tolerances) -> bool:
    """RFC 7644 section 3.3: readOnly input is ignored; `schemas` is checked on its own."""
    if path.attribute.name == "schemas":
        return False
    check_password(path, raw, tolerances)
    return not (path.attribute.is_read_only or path.leaf.is_read_only or path.leaf.is_never_returned)


def check_password(path: AttributePath, raw: Any, tolerances: Tolerances) -> None:
    """A password is never kept, which only a client that means none may be spared to hear."""
    if not path.leaf.is_never_returned or is_absent(raw):
        return
    if not tolerances.accept(filler_password, path.leaf):
        raise InvalidValueError(f"{path} is not kept here; take it out of the attribute mapping.")


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
