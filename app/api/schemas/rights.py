"""Surfaces, models and permissions by name, as roles give them and ceilings bound them."""

from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError, fields, validate

from app.api.schemas.common import no_repeats
from app.governance.rights import PERMISSIONS, SURFACES

MAX_MODELS = 200
MAX_MODEL_LENGTH = 200
_LIKE_PERMISSIONS = tuple({f"{name.partition('.')[0]}." for name in PERMISSIONS})


def surface_names(**options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=validate.OneOf(SURFACES)), validate=no_repeats, **options)


def permission_names(**options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=validate.OneOf(PERMISSIONS)), validate=no_repeats, **options)


def _permission_or_other(name: str) -> None:
    """A permission with a slip of the pen must not pass for a model and deny nothing."""
    if name.startswith(_LIKE_PERMISSIONS) and name not in PERMISSIONS:
        raise ValidationError(f"There is no such permission. Must be one of: {', '.join(PERMISSIONS)}.")


def denied_names(**options: Any) -> fields.List[Any]:
    return _names(_permission_or_other, **options)


def model_names(**options: Any) -> fields.List[Any]:
    return _names(**options)


def _names(*checks: Callable[[str], None], **options: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=[validate.Length(1, MAX_MODEL_LENGTH), *checks]),
        validate=[validate.Length(max=MAX_MODELS), no_repeats],
        **options,
    )
