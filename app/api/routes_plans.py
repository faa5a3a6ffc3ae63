"""`/group_mappings/plan`, `/apply`, `/versions`, `/revert`: look first, then do, and go back."""

from typing import Any

from app.api import scopes
from app.api.declarations import Accepted, Endpoints, Reply
from app.api.routes_mappings import current_mappings
from app.api.routes_pages import Query, read_cursor, sign_cursor
from app.api.schemas.common import MAX_INTEGER, PageQuery, list_of
from app.api.schemas.jobs import JobSchema
from app.api.schemas.mappings import GroupMappingList, NewGroupMappingOrder
from app.api.schemas.plans import (
    EarlierVersion,
    MappingPlan,
    MappingVersion,
    PlannedOrder,
    show_plan,
    show_plan_row,
    show_version,
)
from app.governance.jobs import JobStore
from app.governance.mapping_versions import MappingVersions
from app.governance.mappings import MappingService
from app.governance.plans import PlanService, PlanStaleError
from app.web.context import service

plans = Endpoints("Group mappings")

PLAN = "group_mappings/plan"
VERSIONS = "group_mappings/versions"


@plans.endpoint(
    "POST",
    "/group_mappings/plan",
    scope=scopes.GOVERNANCE_READ,
    body=NewGroupMappingOrder(),
    example={
        "data": [
            {
                "group_id": "group_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
                "role_id": "role_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
            }
        ]
    },
    query=PageQuery(),
    answer=MappingPlan(),
    writes=False,
)
def plan_group_mappings(body: dict[str, Any], query: Query) -> dict[str, Any]:
    """Show what a complete new order would do to everybody; nothing changes. A cursor is good for the
    same order as long as it would still do the same.
    """
    wanted_hash, after = read_cursor(PLAN, query, (None, ""))
    plan = service(PlanService).plan(body["data"])
    if wanted_hash not in (None, plan.hash):
        raise PlanStaleError("The order would no longer do what the first page said; plan again.")
    rest = [row for row in plan.rows if row.user_id > after]
    shown, has_more = rest[: query["limit"]], len(rest) > query["limit"]
    page = {
        "data": [show_plan_row(row) for row in shown],
        "has_more": has_more,
        "next_cursor": sign_cursor(PLAN, query, (plan.hash, shown[-1].user_id)) if has_more else None,
    }
    return show_plan(plan, page)


@plans.endpoint(
    "POST",
    "/group_mappings/apply",
    scope=scopes.GOVERNANCE_WRITE,
    body=PlannedOrder(),
    example={
        "plan_hash": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "data": [
            {
                "group_id": "group_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
                "role_id": "role_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e",
            }
        ],
    },
    answer=GroupMappingList(),
    accepted=JobSchema(),
)
def apply_group_mappings(body: dict[str, Any]) -> Reply | Accepted:
    """Make a planned order so, if it still does what its plan said. Losses hold with the answer; many
    gains go to a job (202).
    """
    service(PlanService).apply(body["data"], body["plan_hash"])
    return _done_or_job()


@plans.endpoint(
    "GET",
    "/group_mappings/versions",
    scope=scopes.GOVERNANCE_READ,
    query=PageQuery(),
    answer=list_of(MappingVersion),
)
def list_group_mapping_versions(query: Query) -> dict[str, Any]:
    """List every order that there ever was, the newest first."""
    limit = query["limit"]
    found = service(MappingVersions).page(below=read_cursor(VERSIONS, query, MAX_INTEGER), limit=limit + 1)
    shown, has_more = found[:limit], len(found) > limit
    return {
        "data": [show_version(row) for row in shown],
        "has_more": has_more,
        "next_cursor": sign_cursor(VERSIONS, query, shown[-1].version) if has_more else None,
    }


@plans.endpoint(
    "POST",
    "/group_mappings/revert",
    scope=scopes.GOVERNANCE_WRITE,
    body=EarlierVersion(),
    example={"version": 3},
    answer=GroupMappingList(),
    accepted=JobSchema(),
)
def revert_group_mappings(body: dict[str, Any]) -> Reply | Accepted:
    """Put an earlier order in place again, as a new version."""
    service(MappingService).revert(body["version"])
    return _done_or_job()


def _done_or_job() -> Reply | Accepted:
    jobs = service(JobStore)
    return Accepted(jobs.get(jobs.started)) if jobs.started is not None else current_mappings()
