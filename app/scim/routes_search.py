"""POST /.search at each endpoint, and the root over all types (RFC 7644 sections 3.4.2.1 and 3.4.3)."""

from flask import Response

from app.scim.protocol.list_query import ListQuery
from app.scim.routes import list_query, read_body, route, send_json
from app.scim.service_groups import GroupReader
from app.scim.service_search import SearchService
from app.scim.service_users import UserReader
from app.web.context import service
from app.web.transaction import reads


@route("/Users/.search", "POST")
@reads
def search_users() -> Response:
    return send_json(service(SearchService).within(service(UserReader), _search_request()))


@route("/Groups/.search", "POST")
@reads
def search_groups() -> Response:
    return send_json(service(SearchService).within(service(GroupReader), _search_request()))


@route("/.search", "POST")
@reads
def search_everything() -> Response:
    return send_json(service(SearchService).everywhere(_search_request()))


@route("/", "GET", with_slash=True)
def list_everything() -> Response:
    return send_json(service(SearchService).everywhere(list_query()))


def _search_request() -> ListQuery:
    return ListQuery.of_search_request(read_body())
