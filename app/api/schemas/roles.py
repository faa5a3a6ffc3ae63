"""Roles: what a group can give."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates, validates_schema

from app.api import edge_ids
from app.api.schemas.common import (
    MAX_NAME_LENGTH,
    Answer,
    at_least_one_field,
    columns,
    name_field,
    no_repeats,
)
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse, Usd
from app.api.schemas.rights import denied_names, model_names, permission_names, surface_names
from app.core.text import fold
from app.governance.models import WINDOWS
from app.governance.roles import RoleWithLimits


class RoleLimit(Schema):
    window = fields.String(required=True, validate=validate.OneOf(WINDOWS))
    amount_usd = Usd(required=True)


class RoleSchema(Answer):
    type = fields.Constant("role", required=True)
    id = EdgeId(edge_ids.ROLE, required=True)
    name = fields.String(required=True)
    built_in = fields.Boolean(required=True)
    surfaces = surface_names(required=True)
    models = model_names(required=True, allow_none=True, metadata={"description": "null: every model."})
    permissions = permission_names(required=True)
    denies = denied_names(required=True, metadata={"description": "Permissions, surfaces and models."})
    seat = fields.Boolean(required=True)
    spend_limits = fields.List(fields.Nested(RoleLimit), required=True)
    created_at = Instant(required=True)


class _RoleInput(Schema):
    @validates("name")
    def _fits_folded(self, name: str, **_: object) -> None:
        # Some letters fold into several; the folded form is what has to fit its column.
        if len(fold(name)) > MAX_NAME_LENGTH:
            raise ValidationError(f"Longer than maximum length {MAX_NAME_LENGTH} when case-folded.")

    @post_load
    def _limits_by_window(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        limits = data.get("spend_limits")
        if limits is not None:
            data["spend_limits"] = {limit["window"]: limit["amount_usd"] for limit in limits}
        return data


def _one_limit_per_window(limits: list[dict[str, Any]]) -> None:
    no_repeats([limit["window"] for limit in limits])


def _limits(**options: Any) -> fields.List[Any]:
    return fields.List(fields.Nested(RoleLimit), validate=_one_limit_per_window, **options)


class NewRole(_RoleInput):
    name = name_field(required=True)
    surfaces = surface_names(load_default=list)
    models = model_names(load_default=None, allow_none=True)
    permissions = permission_names(load_default=list)
    denies = denied_names(load_default=list)
    seat = TrueOrFalse(load_default=True)
    spend_limits = _limits(load_default=list)


class RoleChanges(_RoleInput):
    name = name_field()
    surfaces = surface_names()
    models = model_names(allow_none=True)
    permissions = permission_names()
    denies = denied_names()
    seat = TrueOrFalse()
    spend_limits = _limits()

    @validates_schema
    def _refuse_empty(self, data: dict[str, object], **_: object) -> None:
        at_least_one_field(data)


def show_role(role: RoleWithLimits) -> dict[str, Any]:
    limits = [
        {"window": window, "amount_usd": role.limits[window]} for window in WINDOWS if window in role.limits
    ]
    return {**columns(role.row), "spend_limits": limits}
