"""Serves one declared endpoint: authenticate, read the input, call the view, shape the answer.

A POST with an `Idempotency-Key` is looked up before its body is judged, and its answer is stored
before the transaction ends.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request

from app.api import routes_input
from app.api.declarations import Accepted, Endpoint, Reply, Shown
from app.api.idempotency import Claim, IdempotencyStore, StoredAnswer, fingerprint
from app.api.routes_authentication import Bearer, authenticate
from app.api.schemas.common import MAX_LIMIT
from app.api.tables import CSV, JSON_LINES, as_csv, as_json_lines, columns_of, to_json
from app.web.context import service
from app.web.transaction import reads, writes

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
NEXT_CURSOR = "X-Next-Cursor"
JSON = "application/json"


def view_of(endpoint: Endpoint) -> Callable[..., Response]:
    """The Flask view of a declaration."""

    def view(**arguments: str) -> Response:
        return serve(endpoint, arguments)

    return writes(view) if endpoint.writes else reads(view)


def serve(endpoint: Endpoint, arguments: dict[str, str]) -> Response:
    if endpoint.scope is None:
        return _answer(endpoint, arguments)
    claim = _claim(endpoint, authenticate(endpoint.scope, writes=endpoint.writes))
    if claim is None:
        return _answer(endpoint, arguments)
    store = service(IdempotencyStore)
    stored = store.begin(claim)
    if stored is not None:
        return json_response(stored.body, stored.status, {REPLAYED: "true"})
    response = _answer(endpoint, arguments)
    store.finish(claim, StoredAnswer(response.status_code, response.get_data(as_text=True)))
    return response


def json_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, status=status, headers=dict(headers or {}), content_type=JSON)


def _claim(endpoint: Endpoint, bearer: Bearer) -> Claim | None:
    key = request.headers.get(IDEMPOTENCY_KEY)
    # What changes nothing is done twice without harm, and may answer anew.
    if key is None or request.method != "POST" or not endpoint.writes:
        return None
    print_ = fingerprint(request.method, request.full_path, request.get_data())
    return Claim(bearer.id, bearer.token, key, print_)


def _answer(endpoint: Endpoint, arguments: dict[str, str]) -> Response:
    given: dict[str, Any] = routes_input.path_ids(arguments)
    media_type = _wanted_form(endpoint)
    query = routes_input.query(endpoint.query)
    if media_type == CSV and "limit" not in request.args and "limit" in query:
        # Who opens a table wants all of it, as far as one answer goes.
        query["limit"] = MAX_LIMIT
    body = routes_input.body(endpoint.body)
    if endpoint.query is not None:
        given["query"] = query
    if endpoint.body is not None:
        given["body"] = body
    result = endpoint.view(**given)
    if isinstance(result, Response):
        return result
    if isinstance(result, Shown):
        return json_response(to_json(result.value), endpoint.status)
    if isinstance(result, Accepted):
        if endpoint.accepted is None:
            raise TypeError(f"{endpoint.name} does not declare what a 202 answers.")
        return json_response(to_json(endpoint.accepted.dump(result.value)), 202)
    reply = result if isinstance(result, Reply) else Reply(result, {})
    dumped = endpoint.answer.dump(reply.value)
    if media_type == JSON:
        return json_response(to_json(dumped), endpoint.status, reply.headers)
    return _listed(endpoint, media_type, dumped, reply.headers)


def _wanted_form(endpoint: Endpoint) -> str:
    if endpoint.other_media_type is None:
        return JSON
    return request.accept_mimetypes.best_match([JSON, endpoint.other_media_type]) or JSON


def _listed(
    endpoint: Endpoint, media_type: str, dumped: Mapping[str, Any], headers: Mapping[str, str]
) -> Response:
    """The items of a list in its second form; where the next ones begin stands in a header."""
    items = dumped["data"]
    text = as_json_lines(items) if media_type == JSON_LINES else as_csv(items, columns_of(endpoint.answer))
    if dumped["next_cursor"] is not None:
        headers = {**headers, NEXT_CURSOR: dumped["next_cursor"]}
    content_type = JSON_LINES if media_type == JSON_LINES else f"{CSV}; charset=utf-8"
    return Response(text, status=endpoint.status, headers=dict(headers), content_type=content_type)
