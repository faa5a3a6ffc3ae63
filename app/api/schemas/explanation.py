"""Why somebody has what they have."""

from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.edge_ids import reference
from app.api.schemas.audit import Reference
from app.api.schemas.common import Answer
from app.api.schemas.fields import EdgeId, Instant
from app.api.schemas.limits import EffectiveSpendLimit, show_limit
from app.api.schemas.seats import SeatSchema, SeatSource, show_seat, usable_surfaces
from app.directory.models import RIGHTS_MODES, SEAT_STATES
from app.governance.resolver import OUTCOMES


class ExplanationReason(Answer):
    source = fields.Nested(
        SeatSource, required=True, allow_none=True, metadata={"description": "null: the organization."}
    )
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    reason = fields.String(required=True)


class ExplanationCause(Answer):
    action = fields.String(required=True)
    request_id = fields.String(required=True)
    actor = fields.Nested(Reference, required=True)
    occurred_at = Instant(required=True)
    data = fields.Dict(required=True)


class ExplanationSchema(Answer):
    type = fields.Constant("explanation", required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    active = fields.Boolean(required=True)
    blocked = fields.Boolean(required=True, metadata={"description": "Switched off by an administrator."})
    seat_state = fields.String(required=True, allow_none=True, validate=validate.OneOf(SEAT_STATES))
    role_id = EdgeId(edge_ids.ROLE, required=True, allow_none=True)
    surfaces = fields.List(fields.String(), required=True)
    models = fields.List(fields.String(), required=True, allow_none=True)
    permissions = fields.List(fields.String(), required=True)
    rights_mode = fields.String(required=True, validate=validate.OneOf(RIGHTS_MODES))
    groups = fields.List(EdgeId(edge_ids.GROUP), required=True)
    sources = fields.List(fields.Nested(SeatSource), required=True)
    reasons = fields.List(fields.Nested(ExplanationReason), required=True)
    seat = fields.Nested(SeatSchema, required=True, allow_none=True)
    limits = fields.List(fields.Nested(EffectiveSpendLimit), required=True)
    caused_by = fields.List(fields.Nested(ExplanationCause), required=True)


def show_explanation(explained: dict[str, Any]) -> dict[str, Any]:
    """What `ExplainService.explain` answers, ready for `ExplanationSchema`."""
    user_id, seat = explained["user_id"], explained["seat"]
    causes = [
        {**cause, "actor": reference(cause["actor"]["type"], cause["actor"]["id"], {})}
        for cause in explained["caused_by"]
    ]
    return {
        **explained,
        "surfaces": usable_surfaces(explained["seat_state"], explained["surfaces"]),
        "seat": None if seat is None else show_seat(seat, explained["waiting_positions"]),
        "limits": [show_limit(user_id, limit) for limit in explained["limits"]],
        "caused_by": causes,
    }
