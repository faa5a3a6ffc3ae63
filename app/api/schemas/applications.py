"""Applications that people sign in to through us. A secret stands in one answer and nowhere else."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer, at_least_one_field, columns, name_field, no_repeats
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse
from app.core.connection import Row
from app.oauth.addresses import MAX_LENGTH
from app.oauth.applications import MAX_ADDRESSES, SCOPES, client_id_of

_REDIRECTS = "Where codes may be sent, compared letter by letter."
_AFTERWARDS = "Where a browser may go after `/oauth/logout`."
_LOGOUTS = "Where a logout token is posted when a session or a person ends."


def _addresses(at_least: int, **options: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.Length(1, MAX_LENGTH)),
        validate=[validate.Length(at_least, MAX_ADDRESSES), no_repeats],
        **options,
    )


def _scopes(**options: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        validate=[validate.Length(min=1), no_repeats],
        **options,
    )


def _logout_uri(**options: Any) -> fields.String:
    shown = {"description": _LOGOUTS}
    return fields.String(allow_none=True, validate=validate.Length(1, MAX_LENGTH), metadata=shown, **options)


class ApplicationSchema(Answer):
    type = fields.Constant("application", required=True)
    id = EdgeId(edge_ids.APPLICATION, required=True)
    client_id = fields.String(
        required=True, metadata={"description": "What OAuth calls it; the same as `id`."}
    )
    name = fields.String(required=True)
    confidential = fields.Boolean(required=True, metadata={"description": "Whether it can keep a secret."})
    redirect_uris = fields.List(fields.String(), required=True, metadata={"description": _REDIRECTS})
    post_logout_redirect_uris = fields.List(
        fields.String(), required=True, metadata={"description": _AFTERWARDS}
    )
    scopes = fields.List(fields.String(validate=validate.OneOf(SCOPES)), required=True)
    backchannel_logout_uri = fields.String(required=True, allow_none=True, metadata={"description": _LOGOUTS})
    created_at = Instant(required=True)
    secret_rotated_at = Instant(required=True, allow_none=True)
    previous_secret_expires_at = Instant(
        required=True, allow_none=True, metadata={"description": "Until when the secret before holds."}
    )


class ApplicationWithSecret(ApplicationSchema):
    client_secret = fields.String(
        required=True, allow_none=True, metadata={"description": "Shown this once; public ones have none."}
    )
    issuer = fields.String(
        required=True, metadata={"description": "Its discovery document says everything else."}
    )


class NewApplication(Schema):
    name = name_field(required=True)
    confidential = TrueOrFalse(load_default=True)
    redirect_uris = _addresses(1, required=True)
    post_logout_redirect_uris = _addresses(0, load_default=list)
    scopes = _scopes(load_default=lambda: list(SCOPES))
    backchannel_logout_uri = _logout_uri(load_default=None)


class ApplicationChanges(Schema):
    name = name_field()
    redirect_uris = _addresses(1)
    post_logout_redirect_uris = _addresses(0)
    scopes = _scopes()
    backchannel_logout_uri = _logout_uri()

    @validates_schema
    def _change_something(self, data: Mapping[str, Any], **_: Any) -> None:
        at_least_one_field(data)


def show_application(row: Row) -> dict[str, Any]:
    return {**columns(row), "client_id": client_id_of(row.id)}


def show_with_secret(row: Row, secret: str | None, issuer: str) -> dict[str, Any]:
    return {**show_application(row), "client_secret": secret, "issuer": issuer}
