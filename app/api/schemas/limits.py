"""Spend limits as they are set, and as they hold for one person."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse, Usd
from app.core.connection import Row
from app.core.ids import edge_id, parse_edge_id
from app.governance.limits import EffectiveLimit, Scope
from app.governance.models import MODES, WINDOWS

# Those of roles are edited with their role.
SETTABLE = ("user", "group", "organization")
_PREFIXES = {"user": edge_ids.USER, "group": edge_ids.GROUP, "organization": edge_ids.ORGANIZATION}


def window_field(**options: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(WINDOWS), **options)


class LimitScope(Answer):
    type = fields.String(required=True, validate=validate.OneOf(SETTABLE))
    id = fields.String(required=True)


class NewLimitScope(Schema):
    type = fields.String(
        required=True,
        validate=validate.OneOf(
            SETTABLE, error="Must be one of: {choices}. Limits of roles are set on /roles."
        ),
    )
    id = fields.String(required=True, metadata={"description": "`user_…`, `group_…` or `org_…`."})

    @post_load
    def _to_value(self, data: dict[str, str], **_: object) -> Scope:
        return Scope(data["type"], parse_edge_id(_PREFIXES[data["type"]], data["id"]))


class SpendLimitSchema(Answer):
    type = fields.Constant("spend_limit", required=True)
    id = EdgeId(edge_ids.SPEND_LIMIT, required=True)
    scope = fields.Nested(LimitScope, required=True)
    window = window_field(required=True)
    amount_usd = Usd(required=True, allow_none=True)
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    pool = fields.Boolean(required=True)
    expires_at = Instant(required=True, allow_none=True)
    created_at = Instant(required=True)


class NewSpendLimit(Schema):
    scope = fields.Nested(NewLimitScope, required=True)
    window = window_field(required=True)
    amount_usd = Usd(required=True, allow_none=True)
    mode = fields.String(load_default="hard", validate=validate.OneOf(MODES))
    pool = TrueOrFalse(
        metadata={"description": "One sum for all. Default: true for the organization, else false."}
    )
    expires_at = Instant(load_default=None, allow_none=True)

    @validates_schema
    def _fits_the_scope(self, data: dict[str, Any], **_: object) -> None:
        is_user = data["scope"].type == "user"
        if data["amount_usd"] is None and not is_user:
            raise ValidationError("Only a person can have no cap; delete the limit instead.", "amount_usd")
        if is_user and data.get("pool"):
            raise ValidationError("A person has nobody to share a pool with.", "pool")

    @post_load
    def _fill_pool(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        return {"pool": data["scope"].type == "organization", **data}


class SpendLimitQuery(PageQuery):
    scope_type = fields.String(validate=validate.OneOf(SETTABLE))
    user_id = EdgeId(edge_ids.USER)
    group_id = EdgeId(edge_ids.GROUP)
    window = window_field()


class EffectiveSpendLimit(Answer):
    type = fields.Constant("effective_spend_limit", required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    scope = fields.Nested(
        LimitScope, required=True, metadata={"description": "Whose spending is summed under this cap."}
    )
    pool = fields.Boolean(required=True)
    window = window_field(required=True)
    amount_usd = Usd(required=True)
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    source = fields.String(required=True)
    settled_usd = Usd(required=True)
    reserved_usd = Usd(required=True)
    remaining_usd = Usd(required=True)
    resets_at = Instant(required=True, allow_none=True)


class EffectiveLimitQuery(PageQuery):
    user_id = EdgeId(edge_ids.USER, required=True)


def show_scope(type_: str, id_: str) -> dict[str, str]:
    return {"type": type_, "id": edge_id(_PREFIXES[type_], id_)}


def show_spend_limit(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "scope": show_scope(row.scope_type, row.user_id or row.scope_id),
        "window": row.window,
        "amount_usd": row.amount_nanousd,
        "mode": row.mode,
        "pool": row.pool,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
    }


def show_limit(user_id: str, limit: EffectiveLimit) -> dict[str, Any]:
    cap = limit.cap
    used = limit.settled_nanousd + limit.reserved_nanousd
    return {
        "user_id": user_id,
        "scope": show_scope(cap.scope_type, cap.scope_id if cap.is_pool else user_id),
        "pool": cap.is_pool,
        "window": cap.window,
        "amount_usd": cap.amount_nanousd,
        "mode": cap.mode,
        "source": cap.source,
        "settled_usd": limit.settled_nanousd,
        "reserved_usd": limit.reserved_nanousd,
        "remaining_usd": max(0, cap.amount_nanousd - used),
        "resets_at": limit.resets_at,
    }
