"""The bodies of /ServiceProviderConfig, /ResourceTypes and /Schemas (RFC 7644 section 4).

Every block and sub-attribute is always there, supported or not: authentik and others switch all
features off when one is missing. `base_url` is the SCIM root, without a slash at its end.
"""

from typing import Any

from app.scim.protocol.constants import (
    CURSOR_TIMEOUT_SECONDS,
    DEFAULT_COUNT,
    MAX_BULK_OPERATIONS,
    MAX_BULK_PAYLOAD,
    MAX_COUNT,
    RESOURCE_TYPE,
    SCHEMA,
    SERVICE_PROVIDER_CONFIG,
)
from app.scim.protocol.registry import Attribute, Registry, ResourceType, Schema


def service_provider_config(base_url: str) -> dict[str, Any]:
    """RFC 7643 section 5, with the pagination block of RFC 9865 section 4."""
    return {
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": True},
        "bulk": {
            "supported": True,
            "maxOperations": MAX_BULK_OPERATIONS,
            "maxPayloadSize": MAX_BULK_PAYLOAD,
        },
        "filter": {"supported": True, "maxResults": MAX_COUNT},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
            "cursorTimeout": CURSOR_TIMEOUT_SECONDS,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "A SCIM token of the organization, sent as a bearer token.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": f"{base_url}/ServiceProviderConfig",
        },
    }


def resource_types(registry: Registry, base_url: str) -> list[dict[str, Any]]:
    return [_resource_type(resource_type, base_url) for resource_type in registry.resource_types]


def schemas(registry: Registry, base_url: str) -> list[dict[str, Any]]:
    return [_schema(schema, base_url) for schema in registry.schemas]


def _resource_type(resource_type: ResourceType, base_url: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "schemas": [RESOURCE_TYPE],
        "id": resource_type.name,
        "name": resource_type.name,
        "endpoint": resource_type.endpoint,
        "description": resource_type.description,
        "schema": resource_type.schema.id,
    }
    if resource_type.extensions:
        body["schemaExtensions"] = [
            {"schema": extension.id, "required": False} for extension in resource_type.extensions
        ]
    location = f"{base_url}/ResourceTypes/{resource_type.name}"
    return {**body, "meta": {"resourceType": "ResourceType", "location": location}}


def _schema(schema: Schema, base_url: str) -> dict[str, Any]:
    return {
        "schemas": [SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": [_attribute(attribute) for attribute in schema.attributes],
        "meta": {"resourceType": "Schema", "location": f"{base_url}/Schemas/{schema.id}"},
    }


def _attribute(attribute: Attribute) -> dict[str, Any]:
    """RFC 7643 section 7; members without content are left out, because Entra refuses null."""
    body: dict[str, Any] = {
        "name": attribute.name,
        "type": attribute.type,
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": attribute.mutability,
        "returned": attribute.returned,
        "uniqueness": attribute.uniqueness,
    }
    if attribute.canonical_values:
        body["canonicalValues"] = list(attribute.canonical_values)
    if attribute.reference_types:
        body["referenceTypes"] = list(attribute.reference_types)
    if attribute.sub_attributes:
        body["subAttributes"] = [_attribute(sub_attribute) for sub_attribute in attribute.sub_attributes]
    return body
