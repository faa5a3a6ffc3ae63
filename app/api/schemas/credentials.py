"""SCIM tokens and API keys. A secret stands in one answer and nowhere else."""

from datetime import timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, columns, name_field, no_repeats
from app.api.schemas.fields import EdgeId, Instant
from app.api.scopes import SCOPES
from app.core.connection import Row
from app.directory.credentials import PROFILES, READ, WRITE

MAX_CREDENTIAL_NAME_LENGTH = 200
MAX_LIFETIME_DAYS = 3_650
MAX_TOLERANCES = 100
ACCESSES = (READ, WRITE)
_SETTING = {
    "description": "What the SCIM connection may send beyond the RFC.",
    "oneOf": [
        {"type": "string", "enum": list(PROFILES)},
        {"type": "array", "items": {"type": "string"}, "maxItems": MAX_TOLERANCES},
    ],
}


class ToleranceSetting(fields.Field[Any]):
    """`auto`, `strict` or a list of names; which names exist, the service knows."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        is_list = isinstance(value, list) and len(value) <= MAX_TOLERANCES
        if value in PROFILES or (is_list and all(isinstance(name, str) for name in value)):
            return value
        raise ValidationError("Send auto, strict or a list of names of tolerances.")


class _Credential(Answer):
    name = fields.String(required=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True, allow_none=True)
    last_used_at = Instant(required=True, allow_none=True)
    revoked_at = Instant(required=True, allow_none=True)


class ScimTokenSchema(_Credential):
    type = fields.Constant("scim_token", required=True)
    id = EdgeId(edge_ids.SCIM_TOKEN, required=True)
    previous_expires_at = Instant(
        required=True, allow_none=True, metadata={"description": "Until when the secret before holds."}
    )
    access = fields.String(required=True, validate=validate.OneOf(ACCESSES))
    tolerances = ToleranceSetting(required=True, metadata=_SETTING)


class ScimTokenWithSecret(ScimTokenSchema):
    token = fields.String(required=True, metadata={"description": "Shown this once."})
    base_url = fields.String(required=True)


class NewScimToken(Schema):
    name = name_field(MAX_CREDENTIAL_NAME_LENGTH, required=True)
    expires_in_days = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(1, MAX_LIFETIME_DAYS)
    )
    access = fields.String(load_default=WRITE, validate=validate.OneOf(ACCESSES))
    tolerances = ToleranceSetting(load_default="auto", metadata=_SETTING)


class ScimTokenChanges(Schema):
    tolerances = ToleranceSetting(required=True, metadata=_SETTING)


class ApiKeySchema(_Credential):
    type = fields.Constant("api_key", required=True)
    id = EdgeId(edge_ids.API_KEY, required=True)
    scopes = fields.List(fields.String(validate=validate.OneOf(SCOPES)), required=True)


class ApiKeyWithSecret(ApiKeySchema):
    key = fields.String(required=True, metadata={"description": "Shown this once."})


class NewApiKey(Schema):
    name = name_field(MAX_CREDENTIAL_NAME_LENGTH, required=True)
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        required=True,
        validate=[validate.Length(min=1), no_repeats],
    )


def show_scim_token(row: Row) -> dict[str, Any]:
    return {**columns(row), "access": WRITE if WRITE in row.scopes else READ}


def lifetime(body: dict[str, Any]) -> timedelta | None:
    days = body["expires_in_days"]
    return None if days is None else timedelta(days=days)
