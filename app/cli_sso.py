"""`usher sso`: why somebody could not sign in, and our own keys of a connection."""

from typing import Any

import click

from app.api.edge_ids import CONNECTION
from app.api.schemas.common import MAX_LIMIT
from app.api.schemas.connections import SpKeySchema
from app.api.schemas.sessions import LoginTraceSchema, show_login_trace
from app.cli_output import as_json, show, show_rows
from app.cli_session import org_option, session
from app.core.ids import parse_edge_id
from app.core.urls import PublicUrls
from app.sso.connections import ConnectionService
from app.sso.sp_keys import SpKeys
from app.sso.traces import LoginTraces
from app.wiring import Services

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


@sso.group()
def key() -> None:
    """Our own keys of a connection: list, add, promote."""


_connection = click.argument("connection", metavar="CONNECTION")


@key.command("list")
@org_option
@_connection
@as_json
def key_list(*, org: str, connection: str, json_: bool) -> None:
    """The keys with their states, the newest first."""
    with session(write=False, org=org) as services:
        rows = _keys(services, connection)
    _show_keys(rows, json_=json_)


@key.command("add")
@org_option
@_connection
@as_json
def key_add(*, org: str, connection: str, json_: bool) -> None:
    """Publish a next key; promote it once the identity provider has read our metadata."""
    with session(write=True, org=org) as services:
        services.get(ConnectionService).add_sp_key(parse_edge_id(CONNECTION, connection))
        rows = _keys(services, connection)
        services.commit()
    _show_keys(rows, json_=json_)


@key.command("promote")
@org_option
@_connection
@as_json
def key_promote(*, org: str, connection: str, json_: bool) -> None:
    """Sign with the next key from now on; the current one goes on decrypting."""
    with session(write=True, org=org) as services:
        services.get(ConnectionService).promote_sp_key(parse_edge_id(CONNECTION, connection))
        rows = _keys(services, connection)
        services.commit()
    _show_keys(rows, json_=json_)


def _keys(services: Services, connection: str) -> list[dict[str, Any]]:
    connection_id = services.get(ConnectionService).row(parse_edge_id(CONNECTION, connection)).id
    shown: list[dict[str, Any]] = SpKeySchema(many=True).dump(services.get(SpKeys).rows(connection_id))
    return shown


def _show_keys(rows: list[dict[str, Any]], *, json_: bool) -> None:
    # A table has no room for certificates.
    names = (
        ("fingerprint", "state", "expires_at", "certificate")
        if json_
        else ("fingerprint", "state", "expires_at")
    )
    show_rows([{name: row[name] for name in names} for row in rows], json_=json_)
