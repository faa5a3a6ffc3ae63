"""/Groups (RFC 7644 section 3)."""

from flask import Response, request

from app.scim.protocol.projection import Projection
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import group_patch_body
from app.scim.routes import if_match, list_query, no_content, read_body, route, send, send_json
from app.scim.service_groups import GroupReader, GroupResources
from app.scim.service_search import SearchService
from app.web.context import service


def _projection() -> Projection:
    arguments = request.args
    return service(GroupReader).projection(arguments.get("attributes"), arguments.get("excludedAttributes"))


@route("/Groups", "GET")
def list_groups() -> Response:
    return send_json(service(SearchService).within(service(GroupReader), list_query()))


@route("/Groups", "POST")
def create_group() -> Response:
    return send(service(GroupResources).create(read_body(), _projection()), 201)


@route("/Groups/<group_id>", "GET")
def get_group(group_id: str) -> Response:
    return send(service(GroupReader).get(group_id, _projection()))


@route("/Groups/<group_id>", "PUT")
def replace_group(group_id: str) -> Response:
    return send(service(GroupResources).replace(group_id, read_body(), if_match(), _projection()))


@route("/Groups/<group_id>", "PATCH")
def patch_group(group_id: str) -> Response:
    """204, as Entra prefers for groups; 200 with the asked attributes (RFC 7644 section 3.5.2)."""
    version = service(GroupResources).patch(group_id, read_body(), if_match())
    attributes = request.args.get("attributes")
    if attributes or service(Tolerances).accept(group_patch_body, attributes):
        return send(service(GroupReader).get(group_id, _projection()))
    return no_content(version)


@route("/Groups/<group_id>", "DELETE")
def delete_group(group_id: str) -> Response:
    service(GroupResources).delete(group_id, if_match())
    return no_content()
