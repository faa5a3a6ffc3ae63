"""`usher user`: why somebody has what they have, in sentences for people or as the API's JSON."""

from collections.abc import Iterator
from typing import Any

import click

from app.api.schemas.explanation import ExplanationSchema, scim_causes, show_explanation
from app.cli_output import as_json, show
from app.cli_session import org_option, session
from app.directory.queries import DirectoryQueries
from app.governance.explain import ExplainService
from app.scim.trace_store import TraceStore


@click.group()
def user() -> None:
    """People."""


@user.command("explain")
@org_option
@click.argument("user_name")
@as_json
def user_explain(org: str, user_name: str, *, json_: bool) -> None:
    """Why somebody has the seat, role and limits that they have."""
    with session(write=False, org=org) as services:
        person = services.get(DirectoryQueries).person_by_user_name(user_name)
        explained = services.get(ExplainService).explain(person.id)
        traces = services.get(TraceStore).kept_of(scim_causes(explained))
    explanation: Any = ExplanationSchema().dump(show_explanation(explained, traces))
    if json_:
        show(explanation, json_=True)
        return
    for line in _lines(explanation):
        click.echo(line)


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['user_name']} ({told['user_id']})"
    yield f"  {_access(told)}"
    yield f"  seat: {told['seat_state'] or 'never had one'}; role: {told['role_name'] or 'none'}"
    yield f"  surfaces: {_list(told['surfaces'])}"
    yield f"  models: {'all' if told['models'] is None else _list(told['models'])}"
    yield f"  permissions: {_list(told['permissions'])}"
    yield f"Why (rights_mode is {told['rights_mode']})"
    for reason in told["reasons"]:
        yield from _reason(reason)
    if not told["reasons"]:
        yield "  no mapping names a group of this person, and nobody gave a seat by hand"
    yield "Groups"
    for group in told["groups"]:
        yield f"  {group['display_name']} ({group['id']}), {group['via']}"
    yield "Limits"
    for limit in told["limits"]:
        yield f"  {limit['window']}: {limit['amount_usd']} USD, from {limit['source']}"
    yield "Last changes"
    for cause in told["caused_by"]:
        yield f"  {_cause(cause)}"


def _access(told: dict[str, Any]) -> str:
    if told["blocked"]:
        return "inactive: blocked by an administrator"
    return "active" if told["active"] else "inactive in the identity provider"


def _reason(reason: dict[str, Any]) -> Iterator[str]:
    if reason["source"] is None:
        yield f"  {reason['outcome']}: {reason['reason']}"
        return
    role = f"role {reason['role_name']} ({reason['role_id']})"
    if reason["position"] is None:
        yield f"  {reason['outcome']}: seat given by hand, {role}: {reason['reason']}"
    else:
        where = f"mapping {reason['position']}, group {reason['group_name']}"
        yield f"  {reason['outcome']}: {where}, {role}: {reason['reason']}"
    if reason["caused_by"] is not None:
        yield f"    since {_cause(reason['caused_by'])}"


def _cause(cause: dict[str, Any]) -> str:
    actor = f"{cause['actor']['type']} {cause['actor']['id']}"
    trace = cause["scim_request_id"]
    request = f"request {cause['request_id']}" + (f", {trace}" if trace else "")
    return f"{cause['occurred_at']} {cause['action']} by {actor} ({request})"


def _list(items: list[str]) -> str:
    return ", ".join(items) or "none"
