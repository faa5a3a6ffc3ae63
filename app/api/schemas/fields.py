"""Field types that the REST schemas share: prefixed ids, money, instants."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields

from app.core.clock import rfc3339
from app.core.ids import UUID_PATTERN, edge_id, parse_edge_id
from app.core.money import format_usd, parse_usd

MAX_USD_LENGTH = 40
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")


def describe_edge_id(prefix: str) -> dict[str, str]:
    """What OpenAPI says of such an id beside that it is a string."""
    return {
        "pattern": f"^{prefix}_{UUID_PATTERN}$",
        "example": edge_id(prefix, "0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e"),
    }


class EdgeId(fields.String):
    """Bare inside, prefixed outside. A text that is no such id is `NotFoundError`, as a foreign id is."""

    def __init__(self, prefix: str, **options: Any) -> None:
        shown = {**describe_edge_id(prefix), **options.pop("metadata", {})}
        super().__init__(metadata=shown, **options)
        self.prefix = prefix

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> str | None:
        bare = super()._serialize(value, attr, obj, **options)
        return None if bare is None else edge_id(self.prefix, bare)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> str:
        return parse_edge_id(self.prefix, super()._deserialize(value, attr, data, **options))


class TrueOrFalse(fields.Boolean):
    """A JSON boolean; nothing that merely resembles one."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Usd(fields.String):
    """Nano-dollars inside, a decimal string outside. A JSON number is refused: it may have been rounded."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"example": "12.50", "pattern": f"^{_DECIMAL.pattern}$"}, **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> str | None:
        text = None if value is None else format_usd(value)
        return super()._serialize(text, attr, obj, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **options)
        if len(text) > MAX_USD_LENGTH or not _DECIMAL.fullmatch(text):
            raise ValidationError('Give dollars as a decimal string such as "12.50".')
        try:
            return parse_usd(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Instant(fields.AwareDateTime):
    """Aware UTC inside, RFC 3339 with microseconds outside; a time without a zone is refused."""

    SERIALIZATION_FUNCS = {**fields.AwareDateTime.SERIALIZATION_FUNCS, "iso": rfc3339}  # noqa: RUF012 - as declared upstream

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> datetime:
        moment = super()._deserialize(value, attr, data, **options)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError("The time is out of range.") from None
