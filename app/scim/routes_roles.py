"""/Roles: what Okta lists as entitlements."""

from flask import Response, request

from app.scim.roles import RoleResources
from app.scim.routes import list_query, route, send_json
from app.web.context import service


@route("/Roles", "GET")
def list_roles() -> Response:
    return send_json(service(RoleResources).list(list_query()))


@route("/Roles/<role_id>", "GET")
def get_role(role_id: str) -> Response:
    arguments = request.args
    return send_json(
        service(RoleResources).get(role_id, arguments.get("attributes"), arguments.get("excludedAttributes"))
    )
