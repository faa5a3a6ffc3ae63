"""The one table of attribute characteristics (RFC 7643 section 7).

/Schemas, validation, filters, PATCH and projection all read it, so they cannot disagree. It must
not know requests, storage or vendors. Lookups ignore letter case (RFC 7643 section 2.1). Objects
compare by identity: there is one registry per application.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, ROLE, SEAT, USER

_FOLDER = Path(__file__).parent / "schemas"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Attribute:
    name: str
    type: str
    multi_valued: bool
    required: bool
    case_exact: bool
    mutability: str
    returned: str
    uniqueness: str
    description: str
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: "tuple[Attribute, ...]" = ()
    _by_name: "Mapping[str, Attribute]" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", _by_lower_name(self.sub_attributes))

    def __repr__(self) -> str:
        return f"<Attribute {self.name}>"

    def sub(self, name: str) -> "Attribute | None":
        """Find a sub-attribute, whatever the case of its letters."""
        return self._by_name.get(name.lower())

    @property
    def is_complex(self) -> bool:
        return self.type == "complex"

    @property
    def is_read_only(self) -> bool:
        return self.mutability == "readOnly"

    @property
    def is_never_returned(self) -> bool:
        return self.returned == "never"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One namespace; `container` is the attribute under which a resource holds it as an extension."""

    id: str
    name: str
    description: str
    attributes: tuple[Attribute, ...] = field(repr=False)
    container: Attribute = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # An extension's data is an object under its URN (RFC 7643 section 3.3), hence it acts as
        # a complex attribute whose sub-attributes are the extension's attributes.
        container = Attribute(
            name=self.id,
            type="complex",
            multi_valued=False,
            required=False,
            case_exact=False,
            mutability="readWrite",
            returned="default",
            uniqueness="none",
            description=self.description,
            sub_attributes=self.attributes,
        )
        object.__setattr__(self, "container", container)

    def attribute(self, name: str) -> Attribute | None:
        return self.container.sub(name)


@dataclass(frozen=True, slots=True, eq=False)
class ResourceType:
    """A kind of resource: its core schema, its extensions, and the attributes all resources share."""

    name: str
    endpoint: str
    description: str
    schema: Schema
    extensions: tuple[Schema, ...]
    common: tuple[Attribute, ...]
    _by_name: Mapping[str, Attribute] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        containers = (extension.container for extension in self.extensions)
        everything = (*self.common, *self.schema.attributes, *containers)
        object.__setattr__(self, "_by_name", _by_lower_name(everything))

    def attribute(self, name: str) -> Attribute | None:
        """Find what may stand at the top of a resource: a core attribute or an extension's URN."""
        return self._by_name.get(name.lower())

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return tuple(self._by_name.values())

    def extension(self, urn: str) -> Schema | None:
        wanted = urn.lower()
        return next((schema for schema in self.extensions if schema.id.lower() == wanted), None)


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    user: ResourceType
    group: ResourceType
    role: ResourceType

    @classmethod
    def load(cls) -> "Registry":
        """Read the definitions that ship with this package."""
        common = tuple(_attribute(raw) for raw in _read("common")["attributes"])
        names = ("user", "group", "role", "enterprise_user", "seat")
        user, group, role, enterprise, seat = (_schema(_read(name)) for name in names)
        if [user.id, group.id, role.id, enterprise.id, seat.id] != [USER, GROUP, ROLE, ENTERPRISE_USER, SEAT]:
            raise ValueError("The schema files in app/scim/protocol/schemas carry the wrong ids.")
        return cls(
            user=ResourceType("User", "/Users", "User Account", user, (enterprise, seat), common),
            group=ResourceType("Group", "/Groups", "Group", group, (), common),
            role=ResourceType("Role", "/Roles", "Role", role, (), common),
        )

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """User comes first: Microsoft's validator takes the first entry for the user type."""
        return (self.user, self.group, self.role)

    @property
    def schemas(self) -> tuple[Schema, ...]:
        return (self.user.schema, self.group.schema, self.role.schema, *self.user.extensions)


def _by_lower_name(attributes: Iterable[Attribute]) -> dict[str, Attribute]:
    return {attribute.name.lower(): attribute for attribute in attributes}


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _schema(raw: Mapping[str, Any]) -> Schema:
    attributes = tuple(_attribute(item) for item in raw["attributes"])
    return Schema(raw["id"], raw["name"], raw["description"], attributes)


def _attribute(raw: Mapping[str, Any]) -> Attribute:
    return Attribute(
        name=raw["name"],
        type=raw["type"],
        multi_valued=raw["multiValued"],
        required=raw["required"],
        case_exact=raw["caseExact"],
        mutability=raw["mutability"],
        returned=raw["returned"],
        uniqueness=raw["uniqueness"],
        description=raw["description"],
        canonical_values=tuple(raw.get("canonicalValues", ())),
        reference_types=tuple(raw.get("referenceTypes", ())),
        sub_attributes=tuple(_attribute(item) for item in raw.get("subAttributes", ())),
    )
