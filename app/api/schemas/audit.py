"""The audit log as readers see it, and why somebody has what they have."""

from typing import Any

from marshmallow import fields, validate

from app.api.edge_ids import EVENT, reference
from app.api.schemas.common import Answer, PageQuery, columns
from app.api.schemas.fields import EdgeId, Instant
from app.core.connection import Row

_MAX_FILTER_LENGTH = 100


class Reference(Answer):
    type = fields.String(required=True)
    id = fields.String(required=True)


class AuditEventSchema(Answer):
    type = fields.Constant("audit_event", required=True)
    id = EdgeId(EVENT, required=True)
    position = fields.Integer(required=True, metadata={"description": "From 1, without gaps."})
    action = fields.String(required=True)
    actor = fields.Nested(Reference, required=True)
    target = fields.Nested(Reference, required=True)
    occurred_at = Instant(required=True)
    request_id = fields.String(required=True)
    data = fields.Dict(required=True, metadata={"description": "As it was recorded; ids in it are bare."})


def _filter() -> fields.String:
    return fields.String(validate=validate.Length(1, _MAX_FILTER_LENGTH))


class AuditQuery(PageQuery):
    action = _filter()
    actor_id = _filter()
    target_id = _filter()
    starting_at = Instant(metadata={"description": "Events at or after this time."})
    ending_at = Instant(metadata={"description": "Events before this time."})


def show_event(event: Row) -> dict[str, Any]:
    return {
        **columns(event),
        "actor": reference(event.actor_type, event.actor_id, {}),
        "target": reference(event.target_type, event.target_id, event.data),
    }
