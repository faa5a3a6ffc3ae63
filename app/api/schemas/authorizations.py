"""What gateways ask and report: authorizations, their settlement, their limits."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import Answer
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse, Usd
from app.api.schemas.limits import LimitScope, show_scope, window_field
from app.core.clock import rfc3339
from app.core.ids import edge_id, is_uuid
from app.core.money import format_usd
from app.governance.models import MODES
from app.governance.rights import SURFACES
from app.spend.models import STATES
from app.spend.pricing import Usage
from app.spend.requests import Call, Cost, Granted, Person, Used

MAX_TEXT_LENGTH = 200
MAX_USER_NAME_LENGTH = 1_000
# Of one call. What is beyond is a mistake, and sums of such would leave the integers of the database.
MAX_TOKENS = 100_000_000
MAX_CALL_NANOUSD = 100_000 * 1_000_000_000


def _tokens(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(0, MAX_TOKENS), **options)


def _text() -> fields.String:
    return fields.String(load_default=None, allow_none=True, validate=validate.Length(1, MAX_TEXT_LENGTH))


def _bounded(nanousd: int) -> None:
    if nanousd > MAX_CALL_NANOUSD:
        raise ValidationError("One call costs at most 100000 US dollars.")


class Spender(Schema):
    id = EdgeId(edge_ids.USER)
    user_name = fields.String(validate=validate.Length(1, MAX_USER_NAME_LENGTH))

    @validates_schema
    def _is_named_once(self, data: dict[str, Any], **_: object) -> None:
        if len(data) != 1:
            raise ValidationError("Name the person by either id or user_name.")


class TokenEstimate(Schema):
    input_tokens = _tokens(required=True)
    output_tokens = _tokens(required=True, metadata={"description": "The most that the call may answer."})


class NewAuthorization(Schema):
    user = fields.Nested(Spender, required=True)
    surface = fields.String(required=True, validate=validate.OneOf(SURFACES))
    model = fields.String(required=True, validate=validate.Length(1, MAX_TEXT_LENGTH))
    estimate = fields.Nested(TokenEstimate)
    max_cost_usd = Usd(validate=_bounded)
    repository = _text()
    feature = _text()
    session_id = _text()
    batch = TrueOrFalse(load_default=False)
    dispatched = TrueOrFalse(
        load_default=True,
        metadata={"description": "false: nothing is sent yet, so that an expiry frees the money."},
    )

    def load(self, data: Any, **options: Any) -> Any:
        """What gateways send all day is read at once; everything else is marshmallow's to read or refuse."""
        return _usual_call(data) or super().load(data, **options)

    @validates_schema
    def _is_bounded_once(self, data: dict[str, Any], **_: object) -> None:
        if ("estimate" in data) == ("max_cost_usd" in data):
            raise ValidationError("Send either estimate or max_cost_usd.")

    @post_load
    def _to_value(self, data: dict[str, Any], **_: object) -> Call:
        estimate = data.get("estimate", {})
        return Call(
            person=Person(data["user"].get("id"), data["user"].get("user_name")),
            surface=data["surface"],
            model=data["model"],
            input_tokens=estimate.get("input_tokens", 0),
            output_tokens=estimate.get("output_tokens", 0),
            max_cost_nanousd=data.get("max_cost_usd"),
            repository=data["repository"],
            feature=data["feature"],
            session_id=data["session_id"],
            batch=data["batch"],
            dispatched=data["dispatched"],
        )


_USUAL = frozenset(NewAuthorization().fields) - {"max_cost_usd"}
_NAMED_BY_ID = {"id"}
_TOKENS = frozenset(TokenEstimate().fields)


def _usual_call(data: dict[str, Any]) -> Call | None:
    """The call of a body that names a person by id and a size in tokens, or null if anything is odd."""
    user, estimate = data.get("user"), data.get("estimate")
    if not data.keys() <= _USUAL or type(user) is not dict or type(estimate) is not dict:
        return None
    if user.keys() != _NAMED_BY_ID or estimate.keys() != _TOKENS:
        return None
    prefix, _, user_id = str(user["id"]).partition("_")
    texts = [data.get(name) for name in ("repository", "feature", "session_id")]
    sizes = [estimate["input_tokens"], estimate["output_tokens"]]
    flags = [data.get("batch", False), data.get("dispatched", True)]
    is_usual = (
        prefix == edge_ids.USER
        and is_uuid(user_id)
        and data.get("surface") in SURFACES
        and all(text is None or _is_text(text) for text in texts)
        and _is_text(data.get("model"))
        and all(type(size) is int and 0 <= size <= MAX_TOKENS for size in sizes)
        and all(flag is True or flag is False for flag in flags)
    )
    if not is_usual:
        return None
    return Call(
        person=Person(user_id, None),
        surface=data["surface"],
        model=data["model"],
        input_tokens=sizes[0],
        output_tokens=sizes[1],
        max_cost_nanousd=None,
        repository=texts[0],
        feature=texts[1],
        session_id=texts[2],
        batch=flags[0],
        dispatched=flags[1],
    )


def _is_text(value: object) -> bool:
    return type(value) is str and 1 <= len(value) <= MAX_TEXT_LENGTH


class UsageReport(Schema):
    input_tokens = _tokens(load_default=0)
    output_tokens = _tokens(load_default=0)
    cache_read_input_tokens = _tokens(load_default=0)
    cache_creation_5m_input_tokens = _tokens(load_default=0)
    cache_creation_1h_input_tokens = _tokens(load_default=0)

    @post_load
    def _to_value(self, data: dict[str, int], **_: object) -> Usage:
        return Usage(**data)


class Settlement(Schema):
    usage = fields.Nested(UsageReport)
    cost_usd = Usd(validate=_bounded)

    @validates_schema
    def _is_one_of_both(self, data: dict[str, Any], **_: object) -> None:
        if ("usage" in data) == ("cost_usd" in data):
            raise ValidationError("Send either usage or cost_usd.")

    @post_load
    def _to_value(self, data: dict[str, Any], **_: object) -> Cost:
        return Cost(data.get("usage"), data.get("cost_usd"))


class AuthorizationLimit(Answer):
    scope = fields.Nested(LimitScope, required=True)
    pool = fields.Boolean(required=True)
    window = window_field(required=True)
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    source = fields.String(required=True)
    amount_usd = Usd(required=True)
    settled_usd = Usd(required=True)
    reserved_usd = Usd(required=True)
    remaining_usd = Usd(required=True)
    exceeded = fields.Boolean(required=True, metadata={"description": "Only a soft limit can be."})
    resets_at = Instant(required=True, allow_none=True)


class AuthorizationSchema(Answer):
    type = fields.Constant("authorization", required=True)
    id = EdgeId(edge_ids.AUTHORIZATION, required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    revoked = fields.Boolean(required=True)
    surface = fields.String(required=True)
    model = fields.String(required=True)
    priced_as = fields.String(required=True)
    batch = fields.Boolean(required=True)
    dispatched = fields.Boolean(required=True)
    repository = fields.String(required=True, allow_none=True)
    feature = fields.String(required=True, allow_none=True)
    session_id = fields.String(required=True, allow_none=True)
    reserved_usd = Usd(attribute="reserved_nanousd", required=True)
    max_overrun_usd = Usd(attribute="max_overrun_nanousd", required=True)
    settled_usd = Usd(attribute="settled_nanousd", required=True, allow_none=True)
    authorized_at = Instant(required=True)
    expires_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)


class GrantedAuthorization(AuthorizationSchema):
    decision = fields.Constant("allow", required=True)
    limits = fields.List(fields.Nested(AuthorizationLimit), required=True)


def show_granted(granted: Granted) -> Mapping[str, Any]:
    """What `GrantedAuthorization` describes, written out: every call of a gateway waits for it."""
    made = granted.reservation
    return {
        "type": "authorization",
        "id": edge_id(edge_ids.AUTHORIZATION, made["id"]),
        "user_id": edge_id(edge_ids.USER, made["user_id"]),
        "state": made["state"],
        "revoked": made["revoked"],
        "surface": made["surface"],
        "model": made["model"],
        "priced_as": made["priced_as"],
        "batch": made["batch"],
        "dispatched": made["dispatched"],
        "repository": made["repository"],
        "feature": made["feature"],
        "session_id": made["session_id"],
        "reserved_usd": format_usd(made["reserved_nanousd"]),
        "max_overrun_usd": format_usd(made["max_overrun_nanousd"]),
        "settled_usd": None,
        "authorized_at": rfc3339(made["authorized_at"]),
        "expires_at": rfc3339(made["expires_at"]),
        "ended_at": None,
        "decision": "allow",
        "limits": [_show_used(made["user_id"], used) for used in granted.used],
    }


def refused_members(user_id: str, used: Used, affordable: int | None) -> Mapping[str, Any]:
    """What a refusal says to programs, in the words of the limits in an answer."""
    shown = _show_used(user_id, used)
    members = {name: shown[name] for name in ("scope", "window", "resets_at", "amount_usd", "remaining_usd")}
    return members if affordable is None else {**members, "affordable_output_tokens": affordable}


def _show_used(user_id: str, used: Used) -> dict[str, Any]:
    cap = used.cap
    return {
        "scope": show_scope(cap.scope_type, cap.scope_id if cap.is_pool else user_id),
        "pool": cap.is_pool,
        "window": cap.window,
        "mode": cap.mode,
        "source": cap.source,
        "amount_usd": format_usd(cap.amount_nanousd),
        "settled_usd": format_usd(used.settled_nanousd),
        "reserved_usd": format_usd(used.reserved_nanousd),
        "remaining_usd": format_usd(used.remaining_nanousd),
        "exceeded": used.is_exceeded,
        "resets_at": None if used.resets_at is None else rfc3339(used.resets_at),
    }
