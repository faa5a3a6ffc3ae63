"""Stored attributes to the text of a SCIM resource, without parsing what is sent as it is."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from app.core.clock import rfc3339
from app.directory.profile import Stored
from app.scim.protocol.constants import LIST_RESPONSE
from app.scim.protocol.etag import weak
from app.scim.protocol.projection import Projection

# The attribute that is joined at read, by resource type.
RELATED = {"User": "groups", "Group": "members"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One resource ready to send."""

    id: str
    body: str
    version: int
    location: str


def render(row: Stored | Row[Any], base_url: str, projection: Projection, related: str | None) -> Answer:
    """`related` is the JSON list of a user's groups or a group's members, null when it is not shown."""
    resource_type = projection.resource_type
    location = f"{base_url}{resource_type.endpoint}/{row.id}"
    meta = {
        "resourceType": resource_type.name,
        "created": rfc3339(row.created_at),
        "lastModified": rfc3339(row.last_modified_at),
        "location": location,
        "version": weak(row.version),
    }
    tail = "" if related is None else f',"{RELATED[resource_type.name]}":{related}'
    body = f'{row.attributes[:-1]},"id":"{row.id}","meta":{json.dumps(meta)}{tail}}}'
    if not projection.is_default:
        body = json.dumps(projection.apply(json.loads(body)), ensure_ascii=False)
    return Answer(row.id, body, row.version, location)


def render_list(bodies: list[str], *, total: int, start_index: int) -> str:
    """RFC 7644 section 3.4.2: `Resources` is there even when empty, because Okta and Entra read it."""
    head = {
        "schemas": [LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": len(bodies),
    }
    return f'{json.dumps(head)[:-1]},"Resources":[{",".join(bodies)}]}}'
