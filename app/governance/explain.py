"""Why a person has what they have: which group, mapping or seat gave it, what lost, what caused it.

It only reads and puts together what the resolver, the limits and the audit log say; it decides
nothing. Ids are bare; the API and the command line give them their shape.
"""

from typing import Any

from sqlalchemy import bindparam, select

from app.audit.models import audit_events
from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.queries import DirectoryQueries
from app.governance.decisions import source_dict
from app.governance.entitlements import EntitlementService
from app.governance.limits import LimitService
from app.governance.policy import load_policy
from app.governance.seats import SeatService

CAUSES = 5

# The newest entries may not be in the feed's order yet, so they are taken by id, which grows with time.
_CAUSES = (
    select(audit_events)
    .where(
        audit_events.c.org_id == ORG_ID,
        audit_events.c.target_type == "user",
        audit_events.c.target_id == bindparam("user_id"),
    )
    .order_by(audit_events.c.id.desc())
    .limit(CAUSES)
)


class ExplainService:
    def __init__(
        self,
        uow: UnitOfWork,
        queries: DirectoryQueries,
        entitlements: EntitlementService,
        limits: LimitService,
        seats: SeatService,
    ) -> None:
        self._uow = uow
        self._queries = queries
        self._entitlements = entitlements
        self._limits = limits
        self._seats = seats

    def explain(self, user_id: str) -> dict[str, Any]:
        """Everything that bears on one living person; raises `NotFoundError`.

        `limits` holds `EffectiveLimit` values, `seat` the seat's row or null, `caused_by` the last
        `CAUSES` audit entries about the person, newest first; times are aware datetimes.
        """
        person = self._queries.person(user_id)
        decision = self._entitlements.decide(user_id)
        seat = self._seats.find(user_id)
        entitlement = decision.entitlement
        return {
            "user_id": person.id,
            "active": person.active,
            "blocked": person.blocked,
            "seat_state": person.seat_state,
            "role_id": person.role_id,
            "surfaces": person.surfaces,
            "models": person.models,
            "permissions": person.permissions,
            "rights_mode": load_policy(self._uow).rights_mode,
            "groups": self._queries.group_ids_of(user_id),
            "sources": [source_dict(source) for source in entitlement.sources],
            "reasons": [
                {
                    "source": None if reason.source is None else source_dict(reason.source),
                    "outcome": reason.outcome,
                    "reason": reason.text,
                }
                for reason in entitlement.reasons
            ],
            "seat": seat,
            "waiting_positions": {} if seat is None else self._seats.waiting_positions([seat]),
            "limits": self._limits.effective(user_id),
            "caused_by": [_cause(row) for row in self._uow.execute(_CAUSES, {"user_id": user_id})],
        }


def _cause(row: Row) -> dict[str, Any]:
    return {
        "action": row.action,
        "request_id": row.request_id,
        "actor": {"type": row.actor_type, "id": row.actor_id},
        "occurred_at": row.occurred_at,
        "data": row.data,
    }
