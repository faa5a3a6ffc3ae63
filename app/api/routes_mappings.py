"""`/group_mappings`: the ordered list group → role, guarded by its version."""

import re
from typing import Any

from flask import request

from app.api import edge_ids, scopes
from app.api.declarations import Endpoints, Reply
from app.api.schemas.common import deleted
from app.api.schemas.mappings import (
    GroupMappingList,
    GroupMappingSchema,
    NewGroupMapping,
    NewGroupMappingOrder,
    show_mapping,
    show_mappings,
)
from app.api.tables import CSV
from app.core.errors import BadRequestError
from app.governance.mappings import MappingService, NewMapping
from app.web.context import service

_VERSION = re.compile(r'(?:W/)?"([0-9]{1,10})"|([0-9]{1,10})')

mappings = Endpoints("Group mappings")


class IfMatchRequiredError(BadRequestError):
    code = "if_match_required"


@mappings.endpoint(
    "GET",
    "/group_mappings",
    scope=scopes.GOVERNANCE_READ,
    answer=GroupMappingList(),
    other_media_type=CSV,
)
def list_group_mappings() -> Reply:
    """Show the whole order; its version is the ETag."""
    return current_mappings()


@mappings.endpoint(
    "POST",
    "/group_mappings",
    scope=scopes.GOVERNANCE_WRITE,
    body=NewGroupMapping(),
    example={
        "group_id": "group_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
        "role_id": "role_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
    },
    answer=GroupMappingSchema(),
    status=201,
)
def append_group_mapping(body: NewMapping) -> dict[str, Any]:
    """Put a mapping at the end of the order."""
    mappings_ = service(MappingService)
    mapping = mappings_.append(body)
    return show_mapping(mapping, mappings_.groups_of([mapping]), mappings_.now)


@mappings.endpoint(
    "PUT",
    "/group_mappings",
    scope=scopes.GOVERNANCE_WRITE,
    body=NewGroupMappingOrder(),
    example={
        "data": [
            {
                "group_id": "group_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
                "role_id": "role_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
            }
        ]
    },
    answer=GroupMappingList(),
    headers={"If-Match": "The version that the new order was made from, as GET gave it."},
)
def replace_group_mappings(body: dict[str, Any]) -> Reply:
    """Replace the whole order."""
    service(MappingService).replace(body["data"], _expected_version())
    return current_mappings()


@mappings.endpoint(
    "DELETE",
    "/group_mappings/<mapping_id>",
    scope=scopes.GOVERNANCE_WRITE,
    answer=deleted("group_mapping", edge_ids.MAPPING),
)
def delete_group_mapping(mapping_id: str) -> dict[str, str]:
    """Take a mapping out of the order, and with it what only it gave."""
    service(MappingService).delete(mapping_id)
    return {"id": mapping_id}


def current_mappings() -> Reply:
    """The whole order as it is, with its version as ETag."""
    service_ = service(MappingService)
    version, ordered = service_.version(), service_.ordered()
    shown = show_mappings(ordered, service_.groups_of(ordered), version, service_.now)
    return Reply(shown, {"ETag": f'"{version}"'})


def _expected_version() -> int:
    given = request.headers.get("If-Match")
    if given is None:
        raise IfMatchRequiredError("Send If-Match with the version that GET /group_mappings gave.")
    match = _VERSION.fullmatch(given.strip())
    if match is None:
        raise BadRequestError('If-Match must hold one version, such as 3 or "3".')
    return int(match[1] or match[2])
