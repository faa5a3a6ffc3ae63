"""The registry and what /ServiceProviderConfig, /ResourceTypes and /Schemas say of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from scim2_models import ResourceType as ResourceTypeModel
from scim2_models import Schema as SchemaModel
from scim2_models import ServiceProviderConfig

from app.scim.protocol import discovery
from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, ROLE, SEAT, USER
from app.scim.protocol.registry import Registry

BASE = "https://usher.example/scim/v2"
CHARACTERISTICS = {
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
}


def walk(attributes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for attribute in attributes:
        yield attribute
        yield from walk(attribute.get("subAttributes", []))


def test_the_config_has_every_block() -> None:
    config = discovery.service_provider_config(BASE)
    assert config["patch"] == {"supported": True}
    assert config["bulk"] == {"supported": True, "maxOperations": 1000, "maxPayloadSize": 1048576}
    assert config["filter"] == {"supported": True, "maxResults": 1000}
    assert config["changePassword"] == {"supported": False}
    assert config["sort"] == {"supported": True}
    assert config["etag"] == {"supported": True}
    assert config["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": 200,
        "maxPageSize": 1000,
        "cursorTimeout": 3600,
    }
    assert config["authenticationSchemes"][0]["type"] == "oauthbearertoken"
    assert config["meta"] == {
        "resourceType": "ServiceProviderConfig",
        "location": f"{BASE}/ServiceProviderConfig",
    }
    assert ServiceProviderConfig.model_validate(config)


def test_user_is_the_first_resource_type(registry: Registry) -> None:
    user, group, role = discovery.resource_types(registry, BASE)
    assert (user["id"], user["endpoint"], user["schema"]) == ("User", "/Users", USER)
    assert user["schemaExtensions"] == [{"schema": urn, "required": False} for urn in (ENTERPRISE_USER, SEAT)]
    assert (group["id"], group["endpoint"], group["schema"]) == ("Group", "/Groups", GROUP)
    assert (role["id"], role["endpoint"], role["schema"]) == ("Role", "/Roles", ROLE)
    assert user["meta"]["location"] == f"{BASE}/ResourceTypes/User"
    assert ResourceTypeModel.model_validate(user)


@pytest.mark.scim("entra/schemas")
def test_schemas_carry_the_descriptions_that_microsoft_checks(registry: Registry) -> None:
    found = {schema["id"]: schema["description"] for schema in discovery.schemas(registry, BASE)}
    expected = {USER: "User Account", GROUP: "Group", ENTERPRISE_USER: "Enterprise User"}
    assert {urn: found[urn] for urn in expected} == expected


def test_every_attribute_has_all_characteristics_and_no_null(registry: Registry) -> None:
    for schema in discovery.schemas(registry, BASE):
        assert SchemaModel.model_validate(schema)
        for attribute in walk(schema["attributes"]):
            assert attribute.keys() >= CHARACTERISTICS
            assert None not in attribute.values()
            assert ("subAttributes" in attribute) == (attribute["type"] == "complex")
            assert ("referenceTypes" in attribute) == (attribute["type"] == "reference")


@pytest.mark.scim("rfc/47")
def test_complex_attributes_hold_no_complex_attributes(registry: Registry) -> None:
    for schema in registry.schemas:
        for attribute in schema.attributes:
            assert not any(sub.is_complex for sub in attribute.sub_attributes)


@pytest.mark.parametrize(
    ("schema_id", "name"),
    [(USER, "userName"), (GROUP, "displayName")],
)
def test_names_are_required_unique_and_ignore_case(registry: Registry, schema_id: str, name: str) -> None:
    schema = next(schema for schema in registry.schemas if schema.id == schema_id)
    attribute = schema.attribute(name.upper())
    assert attribute is not None
    assert (attribute.required, attribute.uniqueness, attribute.case_exact) == (True, "server", False)


@pytest.mark.scim("rfc/37", "rfc/35")
def test_errata_are_applied(registry: Registry) -> None:
    members = registry.group.attribute("members")
    assert members is not None
    # The name comes from the directory, so a client that sends another must not expect it back.
    assert {sub.name: sub.mutability for sub in members.sub_attributes} == {
        "value": "immutable",
        "$ref": "immutable",
        "type": "immutable",
        "display": "readOnly",
    }
    manager = registry.user.extensions[0].attribute("manager")
    assert manager is not None
    value, display_name = manager.sub("value"), manager.sub("displayName")
    assert value is not None
    assert value.case_exact
    assert display_name is not None
    assert display_name.is_read_only


@pytest.mark.scim("rfc/16")
def test_ids_and_references_are_case_exact(registry: Registry) -> None:
    for name in ("id", "externalId"):
        attribute = registry.user.attribute(name)
        assert attribute is not None
        assert attribute.case_exact
    for schema in discovery.schemas(registry, BASE):
        for shape in walk(schema["attributes"]):
            assert shape["caseExact"] or shape["type"] not in {"reference", "binary"}
