"""Why somebody has what they have."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from marshmallow import fields, validate

from app.api import edge_ids
from app.api.edge_ids import reference
from app.api.schemas.audit import Reference
from app.api.schemas.common import Answer, columns
from app.api.schemas.fields import EdgeId, Instant
from app.api.schemas.limits import EffectiveSpendLimit, show_limit
from app.api.schemas.organization import Ceiling
from app.api.schemas.seats import SeatSchema, SeatSource, show_seat, usable_surfaces
from app.directory.models import RIGHTS_MODES, SEAT_STATES
from app.governance.causes import Cause
from app.governance.explain import DIRECT, INDIRECT, OUTCOMES

# What a trace is found by: the moment and the id of its request.
Request = tuple[datetime, str]


class ExplanationGroup(Answer):
    id = EdgeId(edge_ids.GROUP, required=True)
    display_name = fields.String(required=True)
    via = fields.String(required=True, validate=validate.OneOf((DIRECT, INDIRECT)))


class ExplanationCause(Answer):
    action = fields.String(required=True)
    request_id = fields.String(required=True)
    # Null where the identity provider did not ask, or its request's trace is not kept any more.
    scim_request_id = EdgeId(edge_ids.SCIM_REQUEST, required=True, allow_none=True)
    actor = fields.Nested(Reference, required=True)
    occurred_at = Instant(required=True)
    data = fields.Dict(required=True)


class ExplanationReason(Answer):
    source = fields.Nested(
        SeatSource, required=True, allow_none=True, metadata={"description": "null: the organization."}
    )
    position = fields.Integer(required=True, allow_none=True)
    group_name = fields.String(required=True, allow_none=True)
    role_id = EdgeId(edge_ids.ROLE, required=True, allow_none=True)
    role_name = fields.String(required=True, allow_none=True)
    seat_on = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    reason = fields.String(required=True)
    caused_by = fields.Nested(ExplanationCause, required=True, allow_none=True)


class ExplanationSchema(Answer):
    type = fields.Constant("explanation", required=True)
    user_id = EdgeId(edge_ids.USER, required=True)
    user_name = fields.String(required=True)
    active = fields.Boolean(required=True)
    blocked = fields.Boolean(required=True, metadata={"description": "Switched off by an administrator."})
    seat_state = fields.String(required=True, allow_none=True, validate=validate.OneOf(SEAT_STATES))
    role_id = EdgeId(edge_ids.ROLE, required=True, allow_none=True)
    role_name = fields.String(required=True, allow_none=True)
    surfaces = fields.List(fields.String(), required=True)
    models = fields.List(fields.String(), required=True, allow_none=True)
    permissions = fields.List(fields.String(), required=True)
    rights_mode = fields.String(required=True, validate=validate.OneOf(RIGHTS_MODES))
    ceiling = fields.Nested(
        Ceiling,
        required=True,
        metadata={"description": "The most that anybody has; null bounds nothing."},
    )
    groups = fields.List(fields.Nested(ExplanationGroup), required=True)
    sources = fields.List(fields.Nested(SeatSource), required=True)
    reasons = fields.List(
        fields.Nested(ExplanationReason),
        required=True,
        metadata={"description": "In the order of the mappings; the first that counts decides the role."},
    )
    seat = fields.Nested(SeatSchema, required=True, allow_none=True)
    limits = fields.List(fields.Nested(EffectiveSpendLimit), required=True)
    caused_by = fields.List(
        fields.Nested(ExplanationCause),
        required=True,
        metadata={"description": "The last change of each kind, the newest first."},
    )


def scim_causes(explained: dict[str, Any]) -> set[Request]:
    """The requests of an identity provider that the explanation names."""
    return {
        (cause.occurred_at, cause.request_id)
        for cause in _causes(explained)
        if cause.actor_type == "scim_token"
    }


def show_explanation(explained: dict[str, Any], traces: Mapping[Request, str]) -> dict[str, Any]:
    """What `ExplainService.explain` answers, ready for `ExplanationSchema`; `traces` are those kept."""
    user_id, seat = explained["user_id"], explained["seat"]
    reasons = [
        {**asdict(reason), "caused_by": None if reason.caused_by is None else _show(reason.caused_by, traces)}
        for reason in explained["reasons"]
    ]
    return {
        **explained,
        "surfaces": usable_surfaces(explained["seat_state"], explained["surfaces"]),
        "groups": [columns(group) for group in explained["groups"]],
        "reasons": reasons,
        "seat": None if seat is None else show_seat(seat, explained["waiting_positions"]),
        "limits": [show_limit(user_id, limit) for limit in explained["limits"]],
        "caused_by": [_show(cause, traces) for cause in explained["caused_by"]],
    }


def _causes(explained: dict[str, Any]) -> Iterator[Cause]:
    yield from explained["caused_by"]
    yield from (reason.caused_by for reason in explained["reasons"] if reason.caused_by is not None)


def _show(cause: Cause, traces: Mapping[Request, str]) -> dict[str, Any]:
    return {
        "action": cause.action,
        "request_id": cause.request_id,
        "scim_request_id": traces.get((cause.occurred_at, cause.request_id)),
        "actor": reference(cause.actor_type, cause.actor_id, {}),
        "occurred_at": cause.occurred_at,
        "data": cause.data,
    }
