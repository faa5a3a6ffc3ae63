"""/Users (RFC 7644 section 3)."""

from flask import Response, request

from app.scim.protocol.projection import Projection
from app.scim.routes import if_match, list_query, no_content, read_body, route, send, send_json
from app.scim.service_search import SearchService
from app.scim.service_users import UserReader, UserResources
from app.web.context import service


def _projection() -> Projection:
    arguments = request.args
    return service(UserReader).projection(arguments.get("attributes"), arguments.get("excludedAttributes"))


@route("/Users", "GET")
def list_users() -> Response:
    return send_json(service(SearchService).within(service(UserReader), list_query()))


@route("/Users", "POST")
def create_user() -> Response:
    return send(service(UserResources).create(read_body(), _projection()), 201)


@route("/Users/<user_id>", "GET")
def get_user(user_id: str) -> Response:
    return send(service(UserReader).get(user_id, _projection()))


@route("/Users/<user_id>", "PUT")
def replace_user(user_id: str) -> Response:
    return send(service(UserResources).replace(user_id, read_body(), if_match(), _projection()))


@route("/Users/<user_id>", "PATCH")
def patch_user(user_id: str) -> Response:
    return send(service(UserResources).patch(user_id, read_body(), if_match(), _projection()))


@route("/Users/<user_id>", "DELETE")
def delete_user(user_id: str) -> Response:
    service(UserResources).delete(user_id, if_match())
    return no_content()
