"""Attribute paths and PATCH paths (RFC 7644 sections 3.10 and 3.5.2)."""

from dataclasses import dataclass

from app.scim.protocol.attribute_path import AttributePath, resolve
from app.scim.protocol.errors import InvalidFilterError, InvalidPathError
from app.scim.protocol.filter import parse_value_path
from app.scim.protocol.nodes import Node
from app.scim.protocol.registry import Attribute, ResourceType
from app.scim.protocol.tolerances import Tolerances

__all__ = ["AttributePath", "PatchPath", "parse_patch_path", "resolve"]


@dataclass(frozen=True, slots=True)
class PatchPath:
    """A target: `path` names the attribute, `value_filter` picks values of it, `sub_attribute` a part."""

    path: AttributePath
    value_filter: Node | None = None
    sub_attribute: Attribute | None = None


def parse_patch_path(resource_type: ResourceType, text: str, tolerances: Tolerances) -> PatchPath:
    """Parse `members`, `name.familyName`, `emails[type eq "work"].value` and URN forms of them."""
    if "[" not in text:
        path = resolve(resource_type, text, tolerances)
        return PatchPath(path, None, path.sub_attribute)
    try:
        path, value_filter, sub_attribute = parse_value_path(resource_type, text, tolerances)
    except InvalidFilterError as error:
        raise InvalidPathError(f"The path cannot be used: {error.detail}") from None
    return PatchPath(path, value_filter, sub_attribute)
