"""`usher sso trace`: why somebody could not sign in."""

import click

from app.api.edge_ids import CONNECTION
from app.api.schemas.common import MAX_LIMIT
from app.api.schemas.sessions import LoginTraceSchema, show_login_trace
from app.cli_output import as_json, show, show_rows
from app.cli_session import org_option, session
from app.core.ids import parse_edge_id
from app.core.urls import PublicUrls
from app.sso.traces import LoginTraces

# What a table has room for; `--json` prints everything.
_TABLE = ("occurred_at", "outcome", "step", "reason", "expected", "received", "email", "reference")


@click.group()
def sso() -> None:
    """Single sign-on."""


@sso.command("trace")
@org_option
@click.option("--connection", metavar="ID", help="Of this connection.")
@click.option("--email", metavar="ADDRESS", help="Of this address, as the identity provider sent it.")
@click.option("--outcome", type=click.Choice(["accepted", "refused", "bounced"]))
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True)
@click.argument("reference", required=False)
@as_json
def sso_trace(
    *,
    org: str,
    connection: str | None,
    email: str | None,
    outcome: str | None,
    limit: int,
    reference: str | None,
    json_: bool,
) -> None:
    """The last sign-ins, newest first; with the REFERENCE that a person was shown that one, in full."""
    with session(write=False, org=org) as services:
        traces, urls = services.get(LoginTraces), services.get(PublicUrls)
        if reference is not None:
            show(LoginTraceSchema().dump(show_login_trace(traces.by_reference(reference), urls)), json_=json_)
            return
        wanted = {
            "connection_id": None if connection is None else parse_edge_id(CONNECTION, connection),
            "email": email,
            "outcome": outcome,
        }
        filters = {name: value for name, value in wanted.items() if value is not None}
        rows = traces.page(before=None, limit=limit, filters=filters)
    listed = LoginTraceSchema(many=True).dump([show_login_trace(row, urls) for row in rows])
    show_rows(listed if json_ else [{name: row[name] for name in _TABLE} for row in listed], json_=json_)
