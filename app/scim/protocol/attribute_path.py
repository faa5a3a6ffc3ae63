"""Attribute names as clients write them, resolved to registry entries (RFC 7644 section 3.10).

Knows the schema registry and nothing else; filters, PATCH paths, projections and body keys all come
through `resolve`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.scim.protocol.constants import MAX_FILTER_LENGTH
from app.scim.protocol.errors import InvalidPathError, excerpt
from app.scim.protocol.registry import Attribute, ResourceType, Schema
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_names import bare_extension_attribute, dot_after_urn, scim_1_urn


@dataclass(frozen=True, slots=True)
class AttributePath:
    """Where a value stands: in the core schema or an extension, then attribute, then sub-attribute.

    A whole extension is the path whose attribute is the extension's container.
    """

    extension: Schema | None
    attribute: Attribute
    sub_attribute: Attribute | None = None

    @property
    def leaf(self) -> Attribute:
        return self.sub_attribute or self.attribute

    @property
    def is_whole_extension(self) -> bool:
        return self.extension is not None and self.attribute is self.extension.container

    @property
    def keys(self) -> tuple[str, ...]:
        """The canonical keys to walk in a resource, such as `("name", "givenName")`."""
        keys = (
            (self.attribute.name,)
            if self.sub_attribute is None
            else (self.attribute.name, self.sub_attribute.name)
        )
        return keys if self.extension is None or self.is_whole_extension else (self.extension.id, *keys)

    def __str__(self) -> str:
        names = (
            self.attribute.name
            if self.sub_attribute is None
            else f"{self.attribute.name}.{self.sub_attribute.name}"
        )
        return names if self.extension is None or self.is_whole_extension else f"{self.extension.id}:{names}"


def resolve(
    resource_type: ResourceType, text: str, tolerances: Tolerances, beside: Sequence[ResourceType] = ()
) -> AttributePath:
    """Resolve `name.givenName`, `urn:…:User:name.givenName`, `urn:…:enterprise:2.0:User` and the like.

    RFC 7644 section 3.4.2.1: where several types are searched at once, what only a type `beside` this
    one knows is an attribute without a value. Raises `InvalidPathError` for what none of them knows.
    """
    found = find(resource_type, text, tolerances) or _elsewhere(beside, text, tolerances)
    if found is None:
        names = " or ".join(known.name for known in (resource_type, *beside))
        raise InvalidPathError(
            f"{excerpt(text)} is not an attribute of {names}. "
            f"See /Schemas/{resource_type.schema.id} for the names."
        )
    return found


def _elsewhere(beside: Sequence[ResourceType], text: str, tolerances: Tolerances) -> AttributePath | None:
    for other in beside:
        found = find(other, text, tolerances)
        if found is not None:
            # Under the other type's URN no resource of this type holds anything, not even where both
            # types have an attribute of the same name.
            return replace(found, extension=found.extension or other.schema)
    return None


def find(resource_type: ResourceType, text: str, tolerances: Tolerances) -> AttributePath | None:
    """The same as `resolve`, with `None` for what the registry does not know."""
    if len(text) > MAX_FILTER_LENGTH:
        return None
    if ":" in text:
        return _qualified(resource_type, text, tolerances)
    name, dot, sub_name = text.partition(".")
    attribute = resource_type.attribute(name)
    if attribute is not None:
        return _with_sub_attribute(None, attribute, sub_name if dot else None)
    found = _bare_extension_attribute(resource_type, name, sub_name if dot else None)
    return found if found and tolerances.accept(bare_extension_attribute, text) else None


def _qualified(resource_type: ResourceType, text: str, tolerances: Tolerances) -> AttributePath | None:
    lowered = text.lower()
    for schema in (resource_type.schema, *resource_type.extensions):
        if not lowered.startswith(schema.id.lower()):
            continue
        extension = None if schema is resource_type.schema else schema
        rest = text[len(schema.id) :]
        if not rest:
            return None if extension is None else AttributePath(extension, extension.container)
        name, dot, sub_name = rest[1:].partition(".")
        attribute = schema.attribute(name) if extension else resource_type.attribute(name)
        if attribute is not None and (rest[0] == ":" or tolerances.accept(dot_after_urn, rest)):
            return _with_sub_attribute(extension, attribute, sub_name if dot else None)
    mended = tolerances.mend(scim_1_urn, text, resource_type.schema.id)
    return None if mended is text else _qualified(resource_type, mended, tolerances)


def _bare_extension_attribute(
    resource_type: ResourceType, name: str, sub_name: str | None
) -> AttributePath | None:
    """A name that stands in two extensions stays unknown, because guessing would change the wrong one."""
    holders = [schema for schema in resource_type.extensions if schema.attribute(name)]
    attribute = holders[0].attribute(name) if len(holders) == 1 else None
    return None if attribute is None else _with_sub_attribute(holders[0], attribute, sub_name)


def _with_sub_attribute(
    extension: Schema | None, attribute: Attribute, sub_name: str | None
) -> AttributePath | None:
    if sub_name is None:
        return AttributePath(extension, attribute)
    sub_attribute = attribute.sub(sub_name)
    return None if sub_attribute is None else AttributePath(extension, attribute, sub_attribute)
