"""Domains: claimed, and proved by a record in DNS or a document on their web server."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api import edge_ids
from app.api.schemas.common import Answer, columns
from app.api.schemas.fields import EdgeId, Instant
from app.core.connection import Row
from app.sso.addresses import MAX_DOMAIN_LENGTH
from app.sso.domain_checks import challenge_url, challenge_value
from app.sso.domain_names import challenge_name
from app.sso.models import DOMAIN_STATES, LOOKS, PROOFS


class TxtRecord(Answer):
    type = fields.Constant("TXT", required=True)
    name = fields.String(required=True)
    value = fields.String(required=True)


class Document(Answer):
    url = fields.String(required=True, metadata={"description": "Served as it is, without a redirect."})
    value = fields.String(required=True, metadata={"description": "All that the document says."})


class DomainSchema(Answer):
    type = fields.Constant("domain", required=True)
    id = EdgeId(edge_ids.DOMAIN, required=True)
    name = fields.String(
        required=True,
        metadata={"description": "`*.acme.example` is all below acme.example; the longest match counts."},
    )
    state = fields.String(required=True, validate=validate.OneOf(DOMAIN_STATES))
    record = fields.Nested(TxtRecord, required=True)
    document = fields.Nested(
        Document,
        required=True,
        allow_none=True,
        metadata={"description": "Proves control as well as the record; null: a wildcard has only that."},
    )
    proof = fields.String(required=True, allow_none=True, validate=validate.OneOf(PROOFS))
    connection_id = EdgeId(
        edge_ids.CONNECTION,
        required=True,
        allow_none=True,
        metadata={"description": "The connection that sign-in takes; null: the oldest that is on."},
    )
    created_at = Instant(required=True)
    verified_at = Instant(required=True, allow_none=True)
    checked_at = Instant(required=True, allow_none=True)
    last_look = fields.String(
        attribute="look",
        required=True,
        allow_none=True,
        validate=validate.OneOf(LOOKS),
        metadata={"description": "published: the zone has the record, resolvers do not see it yet."},
    )
    next_check_at = Instant(attribute="due_at", required=True, allow_none=True)
    state_ends_at = Instant(
        required=True, allow_none=True, metadata={"description": "When the grace or the dispute is over."}
    )
    refused_elsewhere = fields.Integer(
        required=True,
        metadata={"description": "Sign-ins with this domain that other organizations were refused."},
    )


class NewDomain(Schema):
    name = fields.String(required=True, validate=validate.Length(1, MAX_DOMAIN_LENGTH))


class DomainChanges(Schema):
    connection_id = EdgeId(edge_ids.CONNECTION, required=True, allow_none=True)


def show_domain(row: Row) -> dict[str, Any]:
    value, url = challenge_value(row.token), challenge_url(row.name)
    shown = {
        "record": {"name": challenge_name(row.name), "value": value},
        "document": None if url is None else {"url": url, "value": value},
    }
    return {**columns(row), **shown}
