"""Schemas and rules that several resources share. Requests with unknown fields are refused."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

from app.api.schemas.fields import EdgeId
from app.core.connection import Row

DEFAULT_LIMIT = 20
MAX_LIMIT = 1_000
MAX_CURSOR_LENGTH = 1_000
MAX_NAME_LENGTH = 100
MAX_REASON_LENGTH = 500
# The largest whole number that the database's integer columns hold.
MAX_INTEGER = 2_147_483_647
MAX_BIGINT = 9_223_372_036_854_775_807


def not_blank(text: str) -> None:
    if not text.strip():
        raise ValidationError("Give at least one visible character.")


def no_repeats(values: Collection[Any]) -> None:
    if len(set(values)) != len(values):
        raise ValidationError("Name each value once.")


def at_least_one_field(changes: Collection[Any]) -> None:
    if not changes:
        raise ValidationError("Give at least one field to change.")


def name_field(max_length: int = MAX_NAME_LENGTH, **options: Any) -> fields.String:
    return fields.String(validate=[validate.Length(max=max_length), not_blank], **options)


def reason_field() -> fields.String:
    return fields.String(load_default=None, allow_none=True, validate=validate.Length(max=MAX_REASON_LENGTH))


class Answer(Schema):
    """Base of what Usher answers; unlike requests, answers may gain fields."""

    class Meta:
        unknown = INCLUDE


class Nothing(Schema):
    """The body of requests that say everything by their path."""


class PageQuery(Schema):
    limit = fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=MAX_CURSOR_LENGTH))


def columns(row: Row) -> Mapping[str, Any]:
    """A row's values by column name."""
    shown: Mapping[str, Any] = row._asdict()
    return shown


@cache
def list_of(item: type[Schema]) -> Schema:
    """The envelope of every list of `item`."""
    parts: dict[str, Any] = {
        "data": fields.List(fields.Nested(item), required=True),
        "has_more": fields.Boolean(required=True),
        "next_cursor": fields.String(required=True, allow_none=True),
    }
    return Answer.from_dict(parts, name=f"{schema_name(item)}List")()


def deleted(type_: str, prefix: str) -> Schema:
    """What is left to say of an object that is gone."""
    parts: dict[str, Any] = {
        "type": fields.Constant(f"{type_}_deleted", required=True),
        "id": EdgeId(prefix, required=True),
    }
    name = "".join(word.capitalize() for word in type_.split("_"))
    return Answer.from_dict(parts, name=f"{name}Deleted")()


def schema_name(schema: type[Schema]) -> str:
    """The schema's name in OpenAPI."""
    return schema.__name__.removesuffix("Schema")
