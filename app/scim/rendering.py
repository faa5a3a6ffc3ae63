"""Stored attributes to the text of a SCIM resource, without parsing what is sent as it is."""

import json
from typing import Any, NamedTuple

from app.core.clock import rfc3339
from app.core.connection import Row
from app.directory.profile import Stored
from app.scim.protocol.constants import LIST_RESPONSE
from app.scim.protocol.projection import Projection

# The attribute that is joined at read, by resource type.
RELATED = {"User": "groups", "Group": "members"}


class Answer(NamedTuple):
    """One resource ready to send."""

    id: str
    body: str
    version: int
    location: str


def with_manager(attributes: str, base_url: str, manager_id: str, name: str) -> str:
    """RFC 7643 section 4.3: the living manager's address beside the stored id, and the name if there is one.

    Only this one key can stand before an object in the stored text, because text inside a value has its
    quotation marks escaped.
    """
    stored = f'"manager":{{"value":"{manager_id}"'
    shown = f'{stored},"$ref":"{base_url}/Users/{manager_id}"'
    if name:
        shown = f'{shown},"displayName":{json.dumps(name, ensure_ascii=False)}'
    return attributes.replace(stored, shown, 1)


def render(
    row: Stored | Row, attributes: str, base_url: str, projection: Projection, related: str | None
) -> Answer:
    """`attributes` are the row's own as they are shown.

    `related` is the JSON list of a user's groups or a group's members, null when it is not shown.
    """
    resource_type = projection.resource_type
    location = f"{base_url}{resource_type.endpoint}/{row.id}"
    created_at = rfc3339(row.created_at)
    # Most of a page were never changed.
    is_new = row.last_modified_at == row.created_at
    last_modified_at = created_at if is_new else rfc3339(row.last_modified_at)
    # Names of types, times and base URLs hold nothing that JSON would escape.
    meta = (
        f'{{"resourceType":"{resource_type.name}","created":"{created_at}",'
        f'"lastModified":"{last_modified_at}","location":"{location}",'
        f'"version":"W/\\"{row.version}\\""}}'
    )
    tail = "" if related is None else f',"{RELATED[resource_type.name]}":{related}'
    body = f'{attributes[:-1]},"id":"{row.id}","meta":{meta}{tail}}}'
    if not projection.is_default:
        body = json.dumps(projection.apply(json.loads(body)), ensure_ascii=False)
    return Answer(row.id, body, row.version, location)


def render_list(
    bodies: list[str], *, total: int, start_index: int | None = None, next_cursor: str | None = None
) -> str:
    """RFC 7644 section 3.4.2: `Resources` is there even when empty, because Okta and Entra read it.

    Paged by index an answer has `startIndex`, paged by cursor it has not (RFC 9865 section 2).
    """
    head: dict[str, Any] = {"schemas": [LIST_RESPONSE], "totalResults": total}
    if start_index is not None:
        head["startIndex"] = start_index
    head["itemsPerPage"] = len(bodies)
    if next_cursor is not None:
        head["nextCursor"] = next_cursor
    return f'{json.dumps(head)[:-1]},"Resources":[{",".join(bodies)}]}}'
