"""Sessions and sign-in attempts as REST shows them."""

from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, PageQuery
from app.api.schemas.fields import EdgeId, Instant
from app.core.connection import Row
from app.core.urls import PublicUrls
from app.sso.models_sign_in import OUTCOMES, SESSION_KINDS

MAX_SEARCHED = 320


class SessionSchema(Answer):
    """A live session; its secret is known to its browser only."""

    type = fields.Constant("session", required=True)
    id = EdgeId(edge_ids.SESSION, required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    connection_id = EdgeId(edge_ids.CONNECTION, required=True, allow_none=True)
    kind = fields.String(required=True, validate=validate.OneOf(SESSION_KINDS))
    authenticated_at = Instant(required=True, metadata={"description": "When the IdP saw the person."})
    created_at = Instant(required=True)
    seen_at = Instant(required=True, metadata={"description": "The last use, at most a minute ago."})
    idle_ends_at = Instant(required=True)
    expires_at = Instant(required=True, metadata={"description": "The end, however much it is used."})
    user_agent = fields.String(required=True, allow_none=True)
    address = fields.String(required=True, allow_none=True)


class SessionQuery(PageQuery):
    user_id = EdgeId(edge_ids.USER)


class LoginTraceSchema(Answer):
    """One attempt to sign in, without its message."""

    type = fields.Constant("login_trace", required=True)
    id = EdgeId(edge_ids.LOGIN_TRACE, required=True)
    connection_id = EdgeId(edge_ids.CONNECTION, required=True, allow_none=True)
    occurred_at = Instant(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    step = fields.String(required=True, metadata={"description": "How far it came."})
    reason = fields.String(required=True, allow_none=True)
    expected = fields.String(required=True, allow_none=True)
    received = fields.String(required=True, allow_none=True)
    hint = fields.String(required=True, allow_none=True, metadata={"description": "How to mend it."})
    help_url = fields.String(required=True, allow_none=True)
    reference = fields.String(required=True, metadata={"description": "The number that the person saw."})
    email = fields.String(required=True, allow_none=True, attribute="email_key")
    user_id = EdgeId(edge_ids.USER, required=True, allow_none=True)
    session_id = EdgeId(edge_ids.SESSION, required=True, allow_none=True)
    xml = fields.String(
        required=True, allow_none=True, metadata={"description": "The message, names and secrets masked."}
    )
    claims = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "With OpenID Connect: the token as JSON, names and secrets masked."},
    )


class LoginTraceQuery(PageQuery):
    email = fields.String(validate=validate.Length(1, MAX_SEARCHED))
    reference = fields.String(validate=validate.Length(1, MAX_SEARCHED))
    reason = fields.String(validate=validate.Length(1, MAX_SEARCHED))
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))


def show_login_trace(trace: Row, urls: PublicUrls) -> dict[str, Any]:
    help_url = None if trace.reason is None else urls.help(trace.reason)
    return {**trace._asdict(), "help_url": help_url}
