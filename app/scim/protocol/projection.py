"""Which attributes an answer shows (RFC 7644 section 3.9). Knows the registry, not resources' storage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.scim.protocol.attribute_path import find
from app.scim.protocol.constants import MAX_PROJECTION_LENGTH
from app.scim.protocol.errors import InvalidValueError
from app.scim.protocol.registry import Attribute, ResourceType
from app.scim.protocol.tolerances import Tolerances

# Names under names; an empty tree stands for everything below.
Tree = dict[str, "Tree"]


@dataclass(frozen=True, slots=True)
class Projection:
    """At most one of `only` and `without` is set."""

    resource_type: ResourceType
    only: Tree | None = None
    without: Tree | None = None

    @classmethod
    def parse(
        cls,
        resource_type: ResourceType,
        attributes: str | None,
        excluded: str | None,
        tolerances: Tolerances,
    ) -> "Projection":
        """Read the two query parameters; unknown names are ignored."""
        if not attributes and not excluded:
            return cls(resource_type)
        if attributes and excluded:
            raise InvalidValueError("attributes and excludedAttributes exclude each other; send one of them.")
        if attributes:
            return cls(resource_type, only=_tree(resource_type, attributes, tolerances))
        return cls(resource_type, without=_tree(resource_type, str(excluded), tolerances))

    @property
    def is_default(self) -> bool:
        return self.only is None and not self.without

    def wants(self, name: str) -> bool:
        """Tell whether a top-level attribute will be shown, so that costly ones need not be loaded."""
        attribute = self.resource_type.attribute(name)
        return attribute is not None and self._shows(attribute)

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, value in document.items():
            attribute = self.resource_type.attribute(name)
            if attribute is None:
                # What the registry does not describe cannot be asked for and cannot be left out.
                if self.only is None:
                    shown[name] = value
                continue
            if not self._shows(attribute):
                continue
            part = self._part(attribute, value)
            if part not in ({}, []) or value in ({}, []):
                shown[name] = part
        return shown

    def _shows(self, attribute: Attribute) -> bool:
        # RFC 7643 section 2.2 on "returned".
        if attribute.returned == "always":
            return True
        if attribute.is_never_returned:
            return False
        if self.only is not None:
            return attribute.name in self.only
        return attribute.returned == "default" and (self.without or {}).get(attribute.name) != {}

    def _part(self, attribute: Attribute, value: Any) -> Any:
        only = (self.only or {}).get(attribute.name)
        without = (self.without or {}).get(attribute.name)
        if attribute.returned == "always" or not (only or without):
            return value
        return _pruned(value, only or {}, without or {})


def _pruned(value: Any, only: Tree, without: Tree) -> Any:
    # Below the top every attribute is returned by default; a test of the registry holds it to that.
    if isinstance(value, list):
        pruned = (_pruned(element, only, without) for element in value)
        return [element for element in pruned if element != {}]
    if not isinstance(value, Mapping):
        return value
    parts = {
        key: _pruned(item, only.get(key, {}), without.get(key, {}))
        for key, item in value.items()
        if (not only or key in only) and without.get(key) != {}
    }
    return {key: part for key, part in parts.items() if part not in ({}, [])}


def _tree(resource_type: ResourceType, text: str, tolerances: Tolerances) -> Tree:
    tree: Tree = {}
    for keys in _paths(resource_type, text, tolerances):
        branch = tree
        for place, key in enumerate(keys):
            known = branch.get(key)
            if known == {}:
                # The whole is already named, parts of it add nothing.
                break
            if place == len(keys) - 1:
                branch[key] = {}
            else:
                branch = branch.setdefault(key, {})
    return tree


def _paths(resource_type: ResourceType, text: str, tolerances: Tolerances) -> Iterator[tuple[str, ...]]:
    if len(text) > MAX_PROJECTION_LENGTH:
        raise InvalidValueError(
            f"attributes and excludedAttributes hold at most {MAX_PROJECTION_LENGTH} characters."
        )
    for name in text.split(","):
        path = find(resource_type, name.strip(), tolerances)
        if path is not None:
            yield path.keys
