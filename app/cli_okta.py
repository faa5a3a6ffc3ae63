"""`usher okta values`: what to paste into Okta."""

from collections.abc import Iterator
from typing import Any

import click

from app.cli_output import as_json, show
from app.cli_session import org_option, session
from app.core.errors import ConflictError
from app.core.ids import edge_id, parse_edge_id
from app.core.urls import PublicUrls
from app.sso.connection_rows import MAX_CONNECTIONS
from app.sso.connections import ConnectionService
from app.sso.okta_values import okta_values


@click.group()
def okta() -> None:
    """Okta as the identity provider."""


@okta.command("values")
@org_option
@click.option("--connection", metavar="ID", help="Of this connection; needed when there are several.")
@as_json
def okta_values_(org: str, connection: str | None, *, json_: bool) -> None:
    """Every value that okta/runbook.md says to paste. Before there is a connection, a placeholder."""
    with session(write=False, org=org) as services:
        service = services.get(ConnectionService)
        if connection is not None:
            chosen = service.row(parse_edge_id("conn", connection)).id
        else:
            found = service.page(limit=MAX_CONNECTIONS)
            chosen = _only([each.row.id for each in found if each.row.protocol == "saml"])
        values = okta_values(services.get(PublicUrls), chosen)
    values = {"organization": org, **values}
    show(values if json_ else dict(_typed(values)), json_=json_)


def _typed(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values as they are typed into a form, each statement in a line of its own."""
    for name, value in values.items():
        if not isinstance(value, list):
            yield name, value
        elif all(isinstance(entry, str) for entry in value):
            yield name, ", ".join(value)
        else:
            for entry in value:
                named, *others = entry.values()
                yield f"{name}: {named}", ", ".join(others)


def _only(ids: list[str]) -> str | None:
    if len(ids) > 1:
        shown = ", ".join(edge_id("conn", id_) for id_ in ids)
        raise ConflictError(f"There are several connections; say --connection with one of {shown}.")
    return ids[0] if ids else None
