"""Surfaces, models and permissions by name, as roles give them and ceilings bound them."""

from typing import Any

from marshmallow import fields, validate

from app.api.schemas.common import no_repeats
from app.governance.roles import PERMISSIONS, SURFACES

MAX_MODELS = 200
MAX_MODEL_LENGTH = 200


def surface_names(**options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=validate.OneOf(SURFACES)), validate=no_repeats, **options)


def permission_names(**options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=validate.OneOf(PERMISSIONS)), validate=no_repeats, **options)


def model_names(**options: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.Length(1, MAX_MODEL_LENGTH)),
        validate=[validate.Length(max=MAX_MODELS), no_repeats],
        **options,
    )
