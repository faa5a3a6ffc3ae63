"""Writes what an event says into the audit log, in the event's own transaction."""

from collections.abc import Sequence
from itertools import islice

from sqlalchemy import insert

from app.audit.models import audit_events
from app.core.batches import BATCH
from app.core.events import Event
from app.core.unit_of_work import UnitOfWork

_INSERT = insert(audit_events)


class AuditRecorder:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def record(self, events: Sequence[Event]) -> None:
        """One row for each object that changed, with who asked and under which request id."""
        uow = self._uow
        caller = uow.caller
        shared = {
            "actor_type": caller.actor.type,
            "actor_id": caller.actor.id,
            "occurred_at": uow.now,
            "request_id": caller.request_id,
        }
        # Made batch by batch: one change may be about everybody.
        rows = (
            {
                **shared,
                "id": uow.ids.new(),
                "action": entry.action,
                "target_type": entry.target_type,
                "target_id": entry.target_id,
                "data": dict(entry.data),
            }
            for event in events
            for entry in event.entries()
        )
        while batch := list(islice(rows, BATCH)):
            uow.execute_many(_INSERT, batch)
