"""`usher scim trace`: what the identity provider asked, and what it was answered."""

import click

from app.api.edge_ids import SCIM_REQUEST
from app.api.schemas.common import MAX_LIMIT
from app.api.schemas.scim_requests import (
    ScimRequestSchema,
    ScimRequestWithBodiesSchema,
    show_scim_request,
)
from app.cli_output import as_json, show, show_rows
from app.cli_session import org_option, session
from app.core.ids import is_uuid, parse_edge_id
from app.core.urls import PublicUrls
from app.directory.queries import DirectoryQueries
from app.scim.trace_store import TraceStore
from app.wiring import Services

# What a table has room for; `--json` prints everything.
_TABLE = ("id", "occurred_at", "status", "method", "path", "scim_type", "detail", "changed")


@click.group()
def scim() -> None:
    """The provisioning job of the identity provider."""


@scim.command("trace")
@org_option
@click.option("--user", metavar="USERNAME", help="Of this person; an id also finds the deleted.")
@click.option("--group", metavar="NAME", help="Of this group, by display name or id.")
@click.option("--status", type=click.IntRange(100, 599), help="With this HTTP status.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True)
@click.argument("id_", metavar="[ID]", required=False)
@as_json
def scim_trace(
    *,
    org: str,
    user: str | None,
    group: str | None,
    status: int | None,
    limit: int,
    id_: str | None,
    json_: bool,
) -> None:
    """The last SCIM requests, newest first; with an ID that one, bodies and all."""
    with session(write=False, org=org) as services:
        traces, urls = services.get(TraceStore), services.get(PublicUrls)
        if id_ is not None:
            found = traces.get(parse_edge_id(SCIM_REQUEST, id_))
            show(ScimRequestWithBodiesSchema().dump(show_scim_request(found, urls)), json_=json_)
            return
        wanted = {
            "user_id": _user_id(services, user),
            "group_id": _group_id(services, group),
            "status": status,
        }
        filters = {name: value for name, value in wanted.items() if value is not None}
        rows = traces.page(before=None, limit=limit, filters=filters)
    listed = ScimRequestSchema(many=True).dump([show_scim_request(row, urls) for row in rows])
    show_rows(listed if json_ else [{name: row[name] for name in _TABLE} for row in listed], json_=json_)


def _user_id(services: Services, text: str | None) -> str | None:
    bare = (text or "").removeprefix("user_")
    if text is None or is_uuid(bare):
        return bare or None
    return str(services.get(DirectoryQueries).person_by_user_name(text).id)


def _group_id(services: Services, text: str | None) -> str | None:
    bare = (text or "").removeprefix("group_")
    if text is None or is_uuid(bare):
        return bare or None
    return str(services.get(DirectoryQueries).group_by_display_name(text).id)
