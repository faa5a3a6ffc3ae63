"""A person's line: audit entries with the kind of each."""

from typing import Any

from marshmallow import fields, validate

from app.api.schemas.audit import AuditEventSchema, show_event
from app.api.schemas.common import PageQuery
from app.core.connection import Row
from app.governance.timeline import KINDS, kind_of


class TimelineEventSchema(AuditEventSchema):
    type = fields.Constant("timeline_event", required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))


class TimelineQuery(PageQuery):
    kind = fields.String(validate=validate.OneOf(KINDS))


def show_timeline_event(event: Row, user_id: str) -> dict[str, Any]:
    return {**show_event(event), "kind": kind_of(event, user_id)}
