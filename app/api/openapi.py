"""The OpenAPI 3.1 description, made from the same declarations that serve the requests."""

import re
from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from app.api.declarations import Endpoint
from app.api.edge_ids import PATH_IDS
from app.api.schemas.common import Answer, schema_name
from app.api.schemas.fields import describe_edge_id

ROOT = "/api/v1"
VERSION = "1"
_PARAMETER = re.compile(r"<(\w+)>")
_JSON = "application/json"
_CREDENTIALS = ("bearer", "api_key", "session")
# The part of a description that is short enough for a list of operations.
_SUMMARY = re.compile(r"[^.;:]+(?:[.;:]\S[^.;:]*)*")
# CommonMark, as OpenAPI has it.
_CONVENTIONS = """\
Administration of seats, roles, limits and audit.

* **Ids** are a prefix and a UUID, such as `user_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e`. An id of another
  organization is 404, as is one that never was.
* **Times** are RFC 3339 in UTC. **Money** is a decimal string in US dollars, such as `"12.50"`, with up to
  nine places, in fields that end in `_usd`.
* **Lists** answer `data`, `has_more` and `next_cursor`, which goes on as `cursor`. `limit` is 20 unless said
  otherwise, and at most 1,000.
* **Requests** with unknown fields are refused; answers may gain fields, so read over those you do not know.
* **Refusals** are `application/problem+json` (RFC 9457). Decide by `code`, which never changes; `detail` says
  how to mend it; quote `request_id` to whoever runs the server.
* **Retries**: a `POST` with an `Idempotency-Key` answers the same body the same for 24 hours; another body
  under the same key is 409 `idempotency_mismatch`. After a 429 or 503, wait as `Retry-After` says.
"""


class Problem(Answer):
    """RFC 9457."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "Stable; decide by this."})
    detail = fields.String(required=True, metadata={"description": "What is wrong and how to mend it."})
    request_id = fields.String(required=True)


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document of the given endpoints."""
    spec = APISpec(
        title="Usher",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": _CONVENTIONS},
        plugins=[MarshmallowPlugin(schema_name_resolver=_name_of)],
        servers=[{"url": "/"}],
    )
    spec.components.security_scheme(
        "bearer",
        {"type": "http", "scheme": "bearer", "description": "An API key with the scope of the operation."},
    )
    spec.components.security_scheme(
        "api_key",
        {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "The same API key, where a proxy keeps `Authorization` for itself.",
        },
    )
    spec.components.security_scheme(
        "session",
        {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-usher_session",
            "description": "A signed-in person, whose role says the scopes. A write comes from a page of "
            "this server, or with the session's token in `X-CSRF-Token`.",
        },
    )
    spec.components.schema("Problem", schema=Problem)
    for endpoint in endpoints:
        spec.path(
            path=ROOT + _PARAMETER.sub(r"{\1}", endpoint.path),
            operations={endpoint.method.lower(): _operation(endpoint)},
        )
    return spec.to_dict()


def _name_of(schema: type[Schema] | Schema | str) -> str:
    if isinstance(schema, str):
        return schema
    return schema_name(schema if isinstance(schema, type) else type(schema))


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    text = " ".join((endpoint.view.__doc__ or "").split())
    summary = _SUMMARY.match(text)
    scope = "No key needed." if endpoint.scope is None else f"Scope: `{endpoint.scope}`."
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": summary.group() if summary else endpoint.name,
        "description": f"{text} {scope}",
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
        # What such a credential must hold stands in its list.
        "security": [{name: [endpoint.scope]} for name in _CREDENTIALS if endpoint.scope is not None],
    }
    if endpoint.body is not None:
        content = {"schema": endpoint.body, "example": endpoint.example}
        operation["requestBody"] = {"required": True, "content": {_JSON: content}}
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "schema": {"type": "string", **describe_edge_id(PATH_IDS[name])},
        }
        for name in _PARAMETER.findall(endpoint.path)
    ]
    if endpoint.query is not None:
        parameters.append({"in": "query", "schema": endpoint.query})
    headers = {name: (text, True) for name, text in endpoint.headers.items()}
    if endpoint.method == "POST" and endpoint.writes:
        headers["Idempotency-Key"] = ("The same key and body again get the same answer, for 24 hours.", False)
    parameters += [
        {
            "in": "header",
            "name": name,
            "required": required,
            "schema": {"type": "string"},
            "description": text,
        }
        for name, (text, required) in headers.items()
    ]
    return parameters


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {_JSON: {"schema": endpoint.answer}}
    if endpoint.other_media_type is not None:
        content[endpoint.other_media_type] = {"schema": {"type": "string"}}
    done: dict[str, Any] = {"description": "Done.", "content": content}
    if endpoint.other_media_type is not None:
        done["headers"] = {
            "X-Next-Cursor": {
                "description": f"`next_cursor` of the list as {endpoint.other_media_type}.",
                "schema": {"type": "string"},
            }
        }
    responses = {str(endpoint.status): done}
    if endpoint.accepted is not None:
        accepted = {_JSON: {"schema": endpoint.accepted}}
        responses["202"] = {"description": "Done but for what a job goes on with.", "content": accepted}
    problem = {"application/problem+json": {"schema": "Problem"}}
    for status, text in _refusals(endpoint).items():
        responses[status] = {"description": text, "content": problem}
    return responses


def _refusals(endpoint: Endpoint) -> dict[str, str]:
    refusals = {
        **endpoint.refusals,
        "400": "The request is malformed; `detail` names each field and its fault.",
    }
    if endpoint.scope is not None:
        refusals |= {
            "401": "No valid API key and no session.",
            "403": "The key lacks the scope (`scope_missing`).",
            "429": "Too many requests; wait as Retry-After says.",
        }
    if "<" in endpoint.path or endpoint.body is not None or endpoint.query is not None:
        refusals["404"] = "There is no such object in this organization."
    if endpoint.method != "GET":
        refusals["409"] = "The present state does not allow it; `code` says why."
    if endpoint.body is not None:
        refusals["413"] = "The body is too large."
        refusals["415"] = "The body is not declared as JSON."
        refusals["422"] = "The fields are well formed and cannot be done together; `code` says why."
    if "If-Match" in endpoint.headers:
        refusals["412"] = "The object has changed since the version in If-Match."
    return dict(sorted(refusals.items()))
