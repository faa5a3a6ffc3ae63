"""The spend limits that hold for one person."""

from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery
from app.api.schemas.fields import EdgeId, Instant, Usd
from app.governance.limits import EffectiveLimit
from app.governance.models import WINDOWS


class EffectiveSpendLimit(Answer):
    type = fields.Constant("effective_spend_limit", required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    window = fields.String(required=True, validate=validate.OneOf(WINDOWS))
    amount_usd = Usd(required=True)
    source = fields.String(required=True)
    settled_usd = Usd(required=True)
    reserved_usd = Usd(required=True)
    remaining_usd = Usd(required=True)
    resets_at = Instant(required=True, allow_none=True)


class EffectiveLimitQuery(PageQuery):
    user_id = EdgeId(edge_ids.USER, required=True)


def show_limit(user_id: str, limit: EffectiveLimit) -> dict[str, Any]:
    # Nothing can be spent through Usher yet, so nothing is settled or reserved.
    settled = reserved = 0
    return {
        "user_id": user_id,
        "window": limit.window,
        "amount_usd": limit.amount_nanousd,
        "source": limit.source,
        "settled_usd": settled,
        "reserved_usd": reserved,
        "remaining_usd": limit.amount_nanousd - settled - reserved,
        "resets_at": limit.resets_at,
    }
