"""Reads what a request carries, strictly: one JSON object, known fields, known parameters."""

from typing import Any

from flask import request
from marshmallow import Schema

from app.api.edge_ids import PATH_IDS
from app.api.loading import load
from app.api.schemas.common import Nothing
from app.core import strict_json
from app.core.errors import BadRequestError, UnsupportedMediaTypeError
from app.core.ids import parse_edge_id

_NOTHING = Nothing()


def path_ids(arguments: dict[str, str]) -> dict[str, str]:
    """The path's ids, bare; raises `NotFoundError` for what is no id of the right type."""
    return {name: parse_edge_id(PATH_IDS[name], text) for name, text in arguments.items()}


def body(schema: Schema | None) -> Any:
    """The body as `schema` loads it; without a schema there must be none, or an empty object."""
    data = request.get_data()
    if schema is None and not data:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaTypeError("Send the body as JSON, with Content-Type: application/json.")
    value = strict_json.loads(data)
    if not isinstance(value, dict):
        raise BadRequestError("The body must be a JSON object.")
    return load(schema or _NOTHING, value)


def query(schema: Schema | None) -> Any:
    """The query parameters as `schema` loads them; each may stand once, but for lists (`name[]`)."""
    if schema is None and not request.query_string:
        return {}
    values: dict[str, Any] = {}
    for name, texts in request.args.to_dict(flat=False).items():
        is_list = name.endswith("[]")
        if len(texts) > 1 and not is_list:
            raise BadRequestError(f"The query parameter {name[:80]!r} stands more than once.")
        # PostgreSQL can neither store nor compare NUL.
        if "\x00" in "".join((name, *texts)):
            raise BadRequestError("A query parameter holds NUL.")
        values[name] = texts if is_list else texts[0]
    return load(schema or _NOTHING, values)
