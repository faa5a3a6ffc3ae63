"""Why a person has what they have: which group, mapping or seat gave it, what lost, what caused it.

It only reads and puts together what the resolver, the limits and the audit log say; it decides
nothing. Ids are bare; the API and the command line give them their shape.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, literal, select, union_all

from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import group_ancestors, groups, memberships
from app.directory.queries import DirectoryQueries
from app.governance.causes import Cause, causes_of
from app.governance.decisions import source_dict
from app.governance.entitlements import EntitlementService
from app.governance.limits import LimitService
from app.governance.policy import load_policy
from app.governance.resolver import OUTCOMES as RESOLVED
from app.governance.resolver import GroupMapping, Policy, Reason, Source
from app.governance.seats import SeatService

DIRECT, INDIRECT = "direct", "indirect"
OUTCOMES = (*RESOLVED, "ignored")
_ONLY_INDIRECT = "the person is in this group only through another one; direct members count"

_mine = (memberships.c.org_id == ORG_ID, memberships.c.user_id == bindparam("user_id"))
_reached = union_all(
    select(memberships.c.group_id, literal(DIRECT).label("via")).where(*_mine),
    select(group_ancestors.c.ancestor_id, literal(INDIRECT))
    .select_from(
        memberships.join(
            group_ancestors,
            and_(
                group_ancestors.c.org_id == memberships.c.org_id,
                group_ancestors.c.group_id == memberships.c.group_id,
            ),
        )
    )
    .where(*_mine),
).subquery("reached")
_GROUPS = (
    select(groups.c.id, groups.c.display_name, _reached.c.via)
    .select_from(groups.join(_reached, _reached.c.group_id == groups.c.id))
    .where(groups.c.org_id == ORG_ID)
    .order_by(groups.c.id, _reached.c.via.desc())
)


@dataclass(frozen=True, slots=True)
class ExplainedReason:
    """A mapping or manual seat that was considered, with what the administrator knows it by.

    Without a source the organization's ceiling is meant, and nothing has a name.
    `outcome` is one of `OUTCOMES`; `caused_by` is how the person came into the
    group, null where no group is what it hangs on.
    """

    source: dict[str, Any] | None
    position: int | None
    group_name: str | None
    role_id: str | None
    role_name: str | None
    seat_on: str | None
    outcome: str
    reason: str
    caused_by: Cause | None


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

        `reasons` holds `ExplainedReason` values in the order of the mappings, `limits` `EffectiveLimit`
        values, `seat` the seat's row or null, `caused_by` the last `Cause` of each kind, newest first.
        """
        person = self._queries.person(user_id)
        decision = self._entitlements.decide(user_id)
        seat = self._seats.find(user_id)
        policy = load_policy(self._uow)
        reached = self._groups(user_id)
        causes = causes_of(self._uow, user_id)
        role = policy.roles.get(person.role_id)
        return {
            "user_id": person.id,
            "user_name": person.user_name,
            "active": person.active,
            "blocked": person.blocked,
            "seat_state": person.seat_state,
            "role_id": person.role_id,
            "role_name": None if role is None else role.name,
            "surfaces": person.surfaces,
            "models": person.models,
            "permissions": person.permissions,
            "rights_mode": policy.rights_mode,
            "ceiling": {
                name: None if most is None else sorted(most)
                for name, most in (
                    ("surfaces", policy.ceiling.surfaces),
                    ("models", policy.ceiling.models),
                    ("permissions", policy.ceiling.permissions),
                )
            },
            "groups": list(reached.values()),
            "sources": [source_dict(source) for source in decision.entitlement.sources],
            "reasons": _explained(policy, decision.entitlement.reasons, reached, causes.joined),
            "seat": seat,
            "waiting_positions": {} if seat is None else self._seats.waiting_positions([seat]),
            "limits": self._limits.effective(user_id),
            "caused_by": list(causes.newest),
        }

    def _groups(self, user_id: str) -> dict[str, Row]:
        """All groups of the person by id; who is in one both ways is in it directly."""
        found: dict[str, Row] = {}
        for row in self._uow.execute(_GROUPS, {"user_id": user_id}):
            if row.id not in found or row.via == DIRECT:
                found[row.id] = row
        return found


def _explained(
    policy: Policy, reasons: tuple[Reason, ...], reached: dict[str, Row], joined: dict[str, Cause]
) -> list[ExplainedReason]:
    ignored = [
        Reason(Source("group", mapping.role_id, mapping.group_id, mapping.id), "ignored", _ONLY_INDIRECT)
        for mapping in policy.mappings
        if mapping.group_id in reached and reached[mapping.group_id].via == INDIRECT
    ]
    mappings = {mapping.id: mapping for mapping in policy.mappings}
    explained = [_with_names(policy, reason, mappings, reached, joined) for reason in (*reasons, *ignored)]
    # A manual seat counts after all mappings.
    return sorted(explained, key=lambda reason: reason.position or len(mappings) + 1)


def _with_names(
    policy: Policy,
    reason: Reason,
    mappings: dict[str, GroupMapping],
    reached: dict[str, Row],
    joined: dict[str, Cause],
) -> ExplainedReason:
    # Each statement sees its own moment, so what another one found may be gone.
    source = reason.source
    if source is None:
        return ExplainedReason(None, None, None, None, None, None, reason.outcome, reason.text, None)
    mapping, group = mappings.get(source.mapping_id or ""), reached.get(source.group_id or "")
    role = policy.roles.get(source.role_id)
    return ExplainedReason(
        source=source_dict(source),
        position=None if mapping is None else mapping.position,
        group_name=None if group is None else group.display_name,
        role_id=source.role_id,
        role_name=None if role is None else role.name,
        seat_on=None if mapping is None else mapping.seat_on,
        outcome=reason.outcome,
        reason=reason.text,
        caused_by=joined.get(source.group_id or ""),
    )
