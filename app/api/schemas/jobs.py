"""A job: what a request has left to be done, and how far that is."""

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer
from app.api.schemas.fields import EdgeId, Instant

STATES = ("running", "finished")


class JobSchema(Answer):
    type = fields.Constant("job", required=True)
    id = EdgeId(edge_ids.JOB, required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    total = fields.Integer(required=True, metadata={"description": "People to deal with."})
    done = fields.Integer(required=True, metadata={"description": "People dealt with so far."})
    created_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)
