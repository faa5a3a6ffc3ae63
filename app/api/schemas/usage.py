"""Usage that is reported afterwards, event by event: one that cannot be read spoils no other."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.authorizations import (
    MAX_CALL_NANOUSD,
    MAX_TEXT_LENGTH,
    Spender,
    UsageReport,
)
from app.api.schemas.common import Answer, PageQuery
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse, Usd
from app.core.connection import Row
from app.core.errors import NotFoundError
from app.governance.rights import SURFACES
from app.spend.requests import Cost, Person
from app.spend.usage_events import BATCH
from app.spend.usage_requests import (
    CREATED,
    RESULTS,
    Correction,
    Invalid,
    Result,
    UsageEvent,
)

MAX_EVENT_ID_LENGTH = 200
# Before there was anything to report; also what keeps arithmetic with zones inside the calendar.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_OF_AN_EVENT = ("user", "surface", "model", "occurred_at")


def _text() -> fields.String:
    return fields.String(load_default=None, allow_none=True, validate=validate.Length(1, MAX_TEXT_LENGTH))


def _bounded(nanousd: int) -> None:
    if nanousd > MAX_CALL_NANOUSD:
        raise ValidationError("One call costs at most 100000 US dollars.")


def _since_there_is_usage(moment: datetime) -> None:
    if moment < EARLIEST:
        raise ValidationError("Give a time from 2020 on.")


def _printable(text: str) -> None:
    if not text.isprintable():
        raise ValidationError("Use printable characters only.")


class UsageEventSchema(Schema):
    id = fields.String(required=True, validate=[validate.Length(1, MAX_EVENT_ID_LENGTH), _printable])
    corrects = fields.String(
        validate=[validate.Length(1, MAX_EVENT_ID_LENGTH), _printable],
        metadata={
            "description": "The id of an event that really cost this: only usage or cost_usd go with it."
        },
    )
    user = fields.Nested(Spender)
    surface = fields.String(validate=validate.OneOf(SURFACES))
    model = fields.String(validate=validate.Length(1, MAX_TEXT_LENGTH))
    repository = _text()
    feature = _text()
    session_id = _text()
    batch = TrueOrFalse(load_default=False)
    occurred_at = Instant(validate=_since_there_is_usage)
    usage = fields.Nested(UsageReport)
    cost_usd = Usd(validate=_bounded)

    @validates_schema
    def _is_whole(self, data: dict[str, Any], **_: object) -> None:
        if ("usage" in data) == ("cost_usd" in data):
            raise ValidationError("Send either usage or cost_usd.")
        given = [name for name in _OF_AN_EVENT if name in data]
        if "corrects" in data and given:
            raise ValidationError(f"A correction takes over {', '.join(given)} from the event it corrects.")
        if "corrects" not in data and len(given) < len(_OF_AN_EVENT):
            raise ValidationError(f"Send {', '.join(sorted(set(_OF_AN_EVENT) - set(given)))}.")

    @post_load
    def _to_value(self, data: dict[str, Any], **_: object) -> UsageEvent | Correction:
        cost = Cost(data.get("usage"), data.get("cost_usd"))
        if "corrects" in data:
            return Correction(data["id"], data["corrects"], cost)
        return UsageEvent(
            id=data["id"],
            person=Person(data["user"].get("id"), data["user"].get("user_name")),
            surface=data["surface"],
            model=data["model"],
            repository=data["repository"],
            feature=data["feature"],
            session_id=data["session_id"],
            batch=data["batch"],
            occurred_at=data["occurred_at"],
            cost=cost,
        )


class EventList(fields.List[Any]):
    """A list whose items are read one by one; what is wrong with one is told of that one."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return [self._read(item) for item in value]

    def _read(self, item: Any) -> Any:
        given = item.get("id") if isinstance(item, dict) else None
        id_ = given if isinstance(given, str) and 0 < len(given) <= MAX_EVENT_ID_LENGTH else None
        try:
            return self.inner.deserialize(item)
        except ValidationError as error:
            return Invalid(id_, "; ".join(_faults("", error.messages)))
        except NotFoundError as error:
            return Invalid(id_, error.detail)


def _faults(path: str, messages: Any) -> list[str]:
    if isinstance(messages, dict):
        return [
            fault
            for name, inner in messages.items()
            for fault in _faults(path if name == "_schema" else f"{path}.{str(name)[:80]}", inner)
        ]
    return [f"{path.removeprefix('.')}: {message}" if path else str(message) for message in messages]


class NewUsageEvents(Schema):
    events = EventList(fields.Nested(UsageEventSchema), required=True, validate=validate.Length(1, BATCH))


class UsageEventResult(Answer):
    type = fields.Constant("usage_event_result", required=True)
    id = fields.String(required=True, allow_none=True)
    result = fields.String(required=True, validate=validate.OneOf(RESULTS))
    detail = fields.String(required=True, allow_none=True)
    # Of a correction the difference, which may be negative.
    booked_usd = Usd(required=True, allow_none=True, attribute="booked_nanousd")


class UsageEventResults(Answer):
    type = fields.Constant("usage_event_results", required=True)
    data = fields.List(fields.Nested(UsageEventResult), required=True)
    created = fields.Integer(required=True)


class UsageEventQuery(PageQuery):
    """Kept events in pages."""


class KeptUsageEvent(Answer):
    type = fields.Constant("usage_event", required=True)
    id = fields.String(required=True, attribute="event_id")
    user_id = EdgeId(edge_ids.USER, required=True, allow_none=True)
    user_name = fields.String(required=True, allow_none=True)
    surface = fields.String(required=True)
    model = fields.String(required=True)
    occurred_at = fields.String(required=True)
    received_at = Instant(required=True)


class UsageEventsMatched(Answer):
    type = fields.Constant("usage_events_matched", required=True)
    created = fields.Integer(required=True)


def show_results(results: list[Result]) -> dict[str, Any]:
    return {"data": results, "created": sum(result.result == CREATED for result in results)}


def show_kept(row: Row) -> dict[str, Any]:
    payload = row.payload
    return {
        "event_id": row.event_id,
        "user_id": row.user_id,
        "user_name": payload["person"]["user_name"],
        "surface": payload["surface"],
        "model": payload["model"],
        "occurred_at": payload["occurred_at"],
        "received_at": row.received_at,
    }
