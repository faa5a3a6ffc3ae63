"""/ServiceProviderConfig, /ResourceTypes, /Schemas (RFC 7644 section 4)."""

import json
from collections.abc import Sequence
from typing import Any

from flask import Response, request

from app.core.errors import ForbiddenError, NotFoundError
from app.core.urls import PublicUrls
from app.scim.protocol import discovery, messages
from app.scim.protocol.constants import ROLE
from app.scim.protocol.registry import Registry
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import roles_as_entitlements
from app.scim.routes import route, send_json
from app.web.context import service


@route("/ServiceProviderConfig", "GET")
def get_service_provider_config() -> Response:
    _refuse_filter()
    return send_json(json.dumps(discovery.service_provider_config(_base_url())))


@route("/ResourceTypes", "GET")
def list_resource_types() -> Response:
    types = discovery.resource_types(service(Registry), _base_url())
    if not _is_shown_roles():
        types = [type_ for type_ in types if type_["schema"] != ROLE]
    return _list(types)


@route("/ResourceTypes/<name>", "GET")
def get_resource_type(name: str) -> Response:
    return _one(discovery.resource_types(service(Registry), _base_url()), name)


@route("/Schemas", "GET")
def list_schemas() -> Response:
    return _list(discovery.schemas(service(Registry), _base_url()))


@route("/Schemas/<urn>", "GET")
def get_schema(urn: str) -> Response:
    return _one(discovery.schemas(service(Registry), _base_url()), urn)


def _is_shown_roles() -> bool:
    agent = request.headers.get("User-Agent", "")
    return roles_as_entitlements(agent) and service(Tolerances).allow(roles_as_entitlements)


def _base_url() -> str:
    return service(PublicUrls).scim_base_url


def _refuse_filter() -> None:
    # RFC 7644 section 4: nobody shall take an unfiltered answer for a filtered one.
    if "filter" in request.args:
        raise ForbiddenError("Discovery endpoints cannot be filtered; leave the filter out.")


def _list(items: Sequence[dict[str, Any]]) -> Response:
    _refuse_filter()
    return send_json(json.dumps(messages.list_response(items, len(items))))


def _one(items: Sequence[dict[str, Any]], id_: str) -> Response:
    _refuse_filter()
    for item in items:
        if item["id"] == id_:
            return send_json(json.dumps(item))
    raise NotFoundError(f"There is no {id_[:120]!r} here.")
