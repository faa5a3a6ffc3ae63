"""Reads values as a schema says; what is wrong is told by field. It must not know where they come from."""

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from app.core.errors import BadRequestError


def load(schema: Schema, values: Mapping[str, Any]) -> Any:
    """The values as the schema loads them; raises `BadRequestError`."""
    try:
        return schema.load(values)
    except ValidationError as error:
        raise BadRequestError(" ".join(_sentences("", error.messages))) from error


def _sentences(path: str, messages: Any) -> Iterator[str]:
    """Each fault with the path of its field: `spend_limits[0].window: Must be one of …`."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = f"[{key}]" if isinstance(key, int) else f".{str(key)[:80]}"
            yield from _sentences(path if key == "_schema" else path + step, inner)
    else:
        for message in messages:
            yield f"{path.removeprefix('.')}: {message}" if path else str(message)
