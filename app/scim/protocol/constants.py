"""Names and limits of the SCIM protocol. Knows nothing of how they are enforced."""

from typing import Final

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_USER: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SEAT: Final = "urn:usher:scim:schemas:1.0:Seat"
# Okta knows this schema and lists its resources as entitlements.
ROLE: Final = "urn:okta:scim:schemas:core:1.0:Role"
SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"
RESOURCE_TYPE: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SERVICE_PROVIDER_CONFIG: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
SEARCH_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"

MEDIA_TYPE: Final = "application/scim+json"

# The one attribute whose values are never loaded: a group may hold 100,000 of them.
MEMBERS: Final = "members"

MAX_FILTER_LENGTH: Final = 2048
MAX_FILTER_DEPTH: Final = 10
MAX_FILTER_TERMS: Final = 50
MAX_INTEGER: Final = 2**63 - 1

MAX_PATCH_OPERATIONS: Final = 1000
MAX_VALUES: Final = 100
MAX_MEMBERS: Final = 100_000
MAX_STRING_LENGTH: Final = 1024
# An index entry of PostgreSQL holds some 2,700 bytes, and a folded letter takes ten at most.
MAX_STRING_BYTES: Final = 2560
MAX_BYTES_A_LETTER: Final = 10
# Certificates and picture references are longer than names.
MAX_BLOB_LENGTH: Final = 16_384

DEFAULT_COUNT: Final = 200
# Also `filter.maxResults`: what matches beyond it is reached by paging and never refused as tooMany.
MAX_COUNT: Final = 1000
MAX_START_INDEX: Final = 1_000_000_000
MAX_PROJECTION_LENGTH: Final = 8192
CURSOR_TIMEOUT_SECONDS: Final = 3600

MAX_BULK_OPERATIONS: Final = 1000
MAX_BULK_PAYLOAD: Final = 1_048_576
