"""Wishes for a higher limit, and what became of them."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api import edge_ids
from app.api.edge_ids import reference
from app.api.schemas.audit import Reference
from app.api.schemas.common import Answer, PageQuery, columns, reason_field
from app.api.schemas.fields import EdgeId, Instant, Usd
from app.api.schemas.limits import window_field
from app.core.connection import Row
from app.governance.models import INCREASE_STATES


class LimitIncreaseSchema(Answer):
    type = fields.Constant("limit_increase", required=True)
    id = EdgeId(edge_ids.LIMIT_INCREASE, required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    window = window_field(required=True)
    amount_usd = Usd(attribute="amount_nanousd", required=True)
    reason = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(INCREASE_STATES))
    requested_at = Instant(required=True)
    requested_by = fields.Nested(Reference, required=True)
    granted_usd = Usd(attribute="granted_nanousd", required=True, allow_none=True)
    expires_at = Instant(
        required=True, allow_none=True, metadata={"description": "When what was granted ends; null: never."}
    )
    resolved_at = Instant(required=True, allow_none=True)
    resolved_by = fields.Nested(Reference, required=True, allow_none=True)
    note = fields.String(attribute="resolution", required=True, allow_none=True)


class NewLimitIncrease(Schema):
    user_id = EdgeId(edge_ids.USER, required=True)
    window = window_field(required=True)
    amount_usd = Usd(required=True)
    reason = reason_field()


class LimitIncreaseApproval(Schema):
    """By default what was asked for, for good."""

    amount_usd = Usd(load_default=None, allow_none=True)
    expires_at = Instant(
        load_default=None, allow_none=True, metadata={"description": "Default: it holds for good."}
    )
    note = reason_field()


class LimitIncreaseDenial(Schema):
    note = reason_field()


class LimitIncreaseQuery(PageQuery):
    state = fields.String(validate=validate.OneOf(INCREASE_STATES))
    user_id = EdgeId(edge_ids.USER)
    window = window_field()


def show_increase(row: Row) -> dict[str, Any]:
    resolved_by = None
    if row.resolved_by_type is not None:
        resolved_by = reference(row.resolved_by_type, row.resolved_by_id, {})
    return {
        **columns(row),
        "requested_by": reference(row.requested_by_type, row.requested_by_id, {}),
        "resolved_by": resolved_by,
    }
