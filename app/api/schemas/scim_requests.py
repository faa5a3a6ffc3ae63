"""SCIM requests as they were answered, for whoever looks for why something did not arrive."""

from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery
from app.api.schemas.fields import EdgeId, Instant
from app.core.connection import Row
from app.core.urls import PublicUrls

LOWEST_STATUS, HIGHEST_STATUS = 100, 599
LOWEST_REFUSAL = 400


class ScimRequestSchema(Answer):
    """Without the bodies, so that a long list stays light."""

    type = fields.Constant("scim_request", required=True)
    id = EdgeId(edge_ids.SCIM_REQUEST, required=True)
    occurred_at = Instant(required=True)
    method = fields.String(required=True)
    path = fields.String(required=True, metadata={"description": "With the query, as it was sent."})
    status = fields.Integer(required=True)
    scim_type = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)
    help_url = fields.String(required=True, allow_none=True)
    duration_microseconds = fields.Integer(required=True)
    scim_token_id = EdgeId(edge_ids.SCIM_TOKEN, attribute="credential_id", required=True)
    user_agent = fields.String(required=True, allow_none=True)
    request_id = fields.String(required=True)
    user_id = EdgeId(edge_ids.USER, required=True, allow_none=True)
    group_id = EdgeId(edge_ids.GROUP, required=True, allow_none=True)
    tolerances = fields.List(fields.String(), required=True)
    changed = fields.List(fields.String(), required=True, metadata={"description": "Attribute names."})


class ScimRequestWithBodiesSchema(ScimRequestSchema):
    """Bodies are masked; null for a request that only read and was not refused."""

    request_body = fields.String(required=True, allow_none=True)
    response_body = fields.String(required=True, allow_none=True)


class ScimRequestQuery(PageQuery):
    user_id = EdgeId(edge_ids.USER)
    group_id = EdgeId(edge_ids.GROUP)
    status = fields.Integer(validate=validate.Range(LOWEST_STATUS, HIGHEST_STATUS))
    starting_at = Instant(metadata={"description": "Requests at or after this time."})
    ending_at = Instant(metadata={"description": "Requests before this time."})


def show_scim_request(trace: Row, urls: PublicUrls) -> dict[str, Any]:
    """A refusal leads to the help on its `scimType`, else on its status."""
    topic = trace.scim_type or f"http_{trace.status}"
    return {**trace._asdict(), "help_url": urls.help(topic) if trace.status >= LOWEST_REFUSAL else None}
