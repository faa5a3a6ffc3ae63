"""A new order of the mappings, looked at before it is made so, and made so only if it still means that.

A plan changes nothing. Applying recomputes it under the locks of everybody concerned, compares the
hashes, and then lets the same decisions happen that were looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import and_, bindparam, select

from app.core.connection import Row
from app.core.errors import ConflictError
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import groups, organizations, principals
from app.directory.principals import as_of
from app.governance.cap_book import CapBook
from app.governance.caps import DEPROVISIONED, PersonalCaps
from app.governance.decisions import Decision
from app.governance.entitlements import EntitlementService
from app.governance.jobs import JobStore
from app.governance.mapping_versions import mapping_dict
from app.governance.mappings import MappingService, NewMapping
from app.governance.models import seats
from app.governance.plan_conflicts import Conflict, ConflictCounter
from app.governance.plan_rows import Applicant, PlanRow, Totals, hash_of, served, totals_of
from app.governance.policy import load_policy
from app.governance.removal_guard import HOLDING
from app.governance.resolver import GroupMapping, Policy
from app.governance.seat_pool import SeatPool

_FEE = select(organizations.c.seat_fee_nanousd).where(organizations.c.org_id == ORG_ID)
_LIVING_GROUPS = select(groups.c.id).where(
    groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids"), groups.c.deleted_at.is_(None)
)
_WAITING = (
    select(
        seats.c.user_id,
        seats.c.role_id,
        seats.c.since,
        seats.c.waiting_rank,
        principals.c.id.label("principal_id"),
        principals.c.suspension,
    )
    .select_from(
        seats.join(
            principals,
            and_(principals.c.org_id == seats.c.org_id, principals.c.user_id == seats.c.user_id),
        )
    )
    .where(seats.c.org_id == ORG_ID, seats.c.state == "waitlisted")
    .order_by(seats.c.waiting_rank, seats.c.since, seats.c.user_id)
    .limit(bindparam("count"))
)


class PlanStaleError(ConflictError):
    code = "plan_stale"


@dataclass(frozen=True, slots=True)
class Plan:
    """`rows` are the people who change, in the order of their ids."""

    hash: str
    base_version: int
    totals: Totals
    conflicts: Sequence[Conflict]
    rows: Sequence[PlanRow]


class PlanService:
    def __init__(
        self,
        uow: UnitOfWork,
        mappings: MappingService,
        entitlements: EntitlementService,
        pool: SeatPool,
        jobs: JobStore,
    ) -> None:
        self._uow = uow
        self._mappings = mappings
        self._entitlements = entitlements
        self._pool = pool
        self._jobs = jobs

    def plan(self, wanted: Sequence[NewMapping]) -> Plan:
        """What the complete new order would do to everybody; changes and locks nothing."""
        before = self._mappings.ordered()
        ids = sorted({new.group_id for new in wanted})
        known = set(self._uow.execute(_LIVING_GROUPS, {"ids": ids}).scalars())
        after = self._mappings.arrange(before, wanted, known | {old.group_id for old in before})
        return self._compute(before, after, self._mappings.version(), lock=False)

    def apply(self, wanted: Sequence[NewMapping], plan_hash: str) -> None:
        """Make the order so; raises `PlanStaleError` when it no longer means what the plan said."""
        before = self._mappings.begin()
        known = self._mappings.lock(before, wanted)
        after = self._mappings.arrange(before, wanted, known)
        if self._compute(before, after, self._mappings.version() - 1, lock=True).hash != plan_hash:
            raise PlanStaleError(
                "Applying this order would no longer do what the plan said. Make a new plan and look at it."
            )
        self._mappings.store(before, after)

    def _compute(
        self, before: Sequence[GroupMapping], after: Sequence[GroupMapping], base_version: int, *, lock: bool
    ) -> Plan:
        if self._jobs.has_people():
            # They will want places as well, and nobody can say yet who gets which.
            raise ConflictError(
                "A job is still giving people what an earlier change means; look at /jobs and come back.",
                code="job_running",
            )
        people = self._mappings.people_between(before, after)
        policy = replace(load_policy(self._uow), mappings=after)
        conflicts = ConflictCounter(policy)
        draft = _Draft(CapBook(self._uow), policy)
        for decisions in self._entitlements.preview(policy, people, lock=lock):
            conflicts.count(decision.entitlement for decision in decisions)
            draft.add(decisions)
        pool = self._pool.hold() if lock else self._pool.current()
        taken = pool.assigned + pool.kept - draft.freed
        places = None if pool.quantity is None else max(0, pool.quantity - taken)
        rows = draft.rows(places, self._outsiders(places, draft.waiting, set(people)))
        proposal = [{**mapping_dict(mapping), "id": None} for mapping in after]
        return Plan(
            hash=hash_of(base_version, proposal, rows),
            base_version=base_version,
            totals=totals_of(rows, self._uow.execute(_FEE).scalar_one()),
            conflicts=conflicts.conflicts(),
            rows=rows,
        )

    def _outsiders(self, places: int | None, waiting: int, people: set[str]) -> list[Row]:
        """Those of the waiting list about whom the order decides nothing, but who may get a place."""
        count = self._pool.waiting() if places is None else places + waiting
        return [row for row in self._uow.execute(_WAITING, {"count": count}) if row.user_id not in people]


class _Draft:
    """Collects who changes, and who wants a place, while the people come in batches."""

    def __init__(self, book: CapBook, policy: Policy) -> None:
        self._book = book
        self._now = policy.moment
        self._rows: list[PlanRow] = []
        self._applicants: dict[str, tuple[Applicant, PlanRow]] = {}
        self._suspended: set[str] = set()
        self.freed = 0
        # Those of the applicants who are on the waiting list already.
        self.waiting = 0

    def add(self, decisions: Sequence[Decision]) -> None:
        self._book.learn((decision.person.id, decision.person.user_id) for decision in decisions)
        for decision in decisions:
            self._add(decision)

    def _add(self, decision: Decision) -> None:
        state, entitlement, seat = decision.state, decision.entitlement, decision.seat
        # Time may have taken already what nobody has written down yet.
        now = as_of(decision.person, self._now)
        row = self._row(decision.person.user_id, now.seat_state, now.role_id, entitlement.role_id)
        row.state_after = state
        if decision.loses_seat:
            row.state_after = "released"
            self.freed += state in HOLDING
        elif decision.needs_seat and decision.has_place:
            row.state_after = "assigned" if decision.person.suspension is None else "suspended"
        elif decision.needs_seat or state == "waitlisted":
            self.waiting += state == "waitlisted"
            since = seat.since if seat is not None and state == "waitlisted" else self._now
            applicant = Applicant(entitlement.waiting_rank, since, row.user_id)
            self._applicants[row.user_id] = applicant, row
            if decision.person.suspension is not None:
                self._suspended.add(row.user_id)
            return
        self._settle(row)

    def rows(self, places: int | None, outsiders: Sequence[Row]) -> list[PlanRow]:
        """Everybody who changes, once it is known how many places there are and who else waits."""
        self._book.learn((outsider.principal_id, outsider.user_id) for outsider in outsiders)
        for outsider in outsiders:
            row = self._row(outsider.user_id, "waitlisted", outsider.role_id, outsider.role_id)
            applicant = Applicant(outsider.waiting_rank, outsider.since, outsider.user_id)
            self._applicants[row.user_id] = applicant, row
            if outsider.suspension is not None:
                self._suspended.add(row.user_id)
        lucky = served((applicant for applicant, _ in self._applicants.values()), places)
        for _, row in self._applicants.values():
            given = "suspended" if row.user_id in self._suspended else "assigned"
            row.state_after = given if row.user_id in lucky else "waitlisted"
            self._settle(row)
        self._applicants.clear()
        return sorted(self._rows, key=lambda row: row.user_id)

    def _row(self, user_id: str, state: str | None, role_before: str | None, role: str | None) -> PlanRow:
        caps_before = self._caps(user_id, state, role_before)
        return PlanRow(user_id, state, state, role_before, role, caps_before, DEPROVISIONED)

    def _settle(self, row: PlanRow) -> None:
        row.caps_after = self._caps(row.user_id, row.state_after, row.role_after)
        if row.is_change:
            self._rows.append(row)

    def _caps(self, user_id: str, state: str | None, role_id: str | None) -> PersonalCaps:
        return self._book.caps(user_id, role_id) if state == "assigned" else DEPROVISIONED
