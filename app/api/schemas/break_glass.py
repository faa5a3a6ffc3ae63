"""Codes for owners when the identity provider is down."""

from marshmallow import Schema, fields

from app.api import edge_ids
from app.api.schemas.common import Answer
from app.api.schemas.fields import EdgeId


class NewBreakGlassCodes(Schema):
    user_id = EdgeId(edge_ids.USER, required=True)


class BreakGlassSchema(Answer):
    type = fields.Constant("break_glass", required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    unused = fields.Integer(required=True)


class BreakGlassCodes(BreakGlassSchema):
    codes = fields.List(fields.String(), required=True, metadata={"description": "Shown this once."})
