"""What /ServiceProviderConfig, /ResourceTypes and /Schemas answer over HTTP (RFC 7644 section 4)."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.scim.protocol.constants import (
    ENTERPRISE_USER,
    GROUP,
    RESOURCE_TYPE,
    ROLE,
    SCHEMA,
    SEAT,
    SERVICE_PROVIDER_CONFIG,
    USER,
)
from tests.scim.answers import listed, ok, refused
from tests.support.cast import Organization

ENDPOINTS = ("/ServiceProviderConfig", "/ResourceTypes", "/Schemas")
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


def values(node: Any) -> Iterator[Any]:
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from values(child)


def attributes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for attribute in schema["attributes"]:
        yield attribute
        yield from attribute.get("subAttributes", [])


@pytest.mark.scim("rfc/46", "authentik/provisioning", "rippling/provisioning", "rfc/61")
def test_the_config_always_has_every_block(acme: Organization) -> None:
    config = ok(acme.scim.get("/ServiceProviderConfig"))
    assert config["schemas"] == [SERVICE_PROVIDER_CONFIG]
    assert config["patch"] == config["etag"] == {"supported": True}
    assert config["changePassword"] == {"supported": False}
    assert config["sort"] == {"supported": True}
    assert config["filter"] == {"supported": True, "maxResults": 1000}
    assert config["bulk"] == {"supported": True, "maxOperations": 1000, "maxPayloadSize": 1_048_576}
    assert config["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": 200,
        "maxPageSize": 1000,
        "cursorTimeout": 3600,
    }
    (scheme,) = config["authenticationSchemes"]
    assert scheme["type"] == "oauthbearertoken"
    assert scheme["name"]
    assert scheme["description"]
    assert config["meta"]["location"].endswith("/scim/v2/ServiceProviderConfig")


@pytest.mark.scim("rfc/45")
def test_user_is_the_first_resource_type(acme: Organization) -> None:
    user, group = listed(acme.scim, "/ResourceTypes")["Resources"]
    assert user["schemas"] == [RESOURCE_TYPE]
    assert (user["id"], user["endpoint"], user["schema"]) == ("User", "/Users", USER)
    assert user["schemaExtensions"] == [{"schema": urn, "required": False} for urn in (ENTERPRISE_USER, SEAT)]
    assert (group["id"], group["endpoint"], group["schema"]) == ("Group", "/Groups", GROUP)


@pytest.mark.scim("rfc/47", "entra/schemas", "okta/entitlements")
def test_schemas_have_full_characteristics(acme: Organization) -> None:
    schemas = listed(acme.scim, "/Schemas")["Resources"]
    assert [schema["id"] for schema in schemas] == [USER, GROUP, ROLE, ENTERPRISE_USER, SEAT]
    assert schemas[0]["description"] == "User Account"
    for schema in schemas:
        assert schema["schemas"] == [SCHEMA]
        for attribute in attributes(schema):
            assert attribute.keys() >= CHARACTERISTICS, attribute["name"]
            assert ("subAttributes" in attribute) == (attribute["type"] == "complex")


@pytest.mark.scim("entra/schemas")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_nothing_is_null(acme: Organization, endpoint: str) -> None:
    assert None not in list(values(ok(acme.scim.get(endpoint))))


@pytest.mark.scim("rfc/45")
@pytest.mark.parametrize("endpoint", ["/ResourceTypes", "/Schemas"])
def test_each_item_is_found_at_its_location(acme: Organization, endpoint: str) -> None:
    for item in listed(acme.scim, endpoint)["Resources"]:
        assert item["meta"]["location"].endswith(f"/scim/v2{endpoint}/{item['id']}")
        assert ok(acme.scim.get(f"{endpoint}/{item['id']}")) == item
    refused(acme.scim.get(f"{endpoint}/urn:nothing"), 404)


@pytest.mark.scim("rfc/45")
@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "/ResourceTypes/User", f"/Schemas/{USER}"])
def test_a_filter_on_discovery_is_403(acme: Organization, endpoint: str) -> None:
    refused(acme.scim.get(endpoint, query_string={"filter": 'id eq "User"'}), 403)


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "/ResourceTypes/User", f"/Schemas/{USER}"])
def test_discovery_without_a_token_is_401(acme: Organization, endpoint: str) -> None:
    refused(acme.app.test_client().get(f"/scim/v2{endpoint}"), 401)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_discovery_cannot_be_written(acme: Organization, endpoint: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused(acme.scim.request(method, endpoint, {}), 405)
