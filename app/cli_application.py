"""`usher application` and `usher signing-key`: the tools that people sign in to, and what signs for us."""

from typing import Any

import click

from app.api.edge_ids import APPLICATION
from app.api.schemas.applications import (
    ApplicationSchema,
    ApplicationWithSecret,
    NewApplication,
    show_application,
    show_with_secret,
)
from app.cli_output import as_json, show, show_rows
from app.cli_session import org_option, session
from app.core.ids import parse_edge_id
from app.core.urls import PublicUrls
from app.oauth.applications import SCOPES, ApplicationService
from app.oauth.signing_keys import SigningKeys

# What a table has room for; `--json` prints everything.
_TABLE = ("id", "name", "confidential", "redirect_uris", "created_at")
_KEY = ("id", "state", "created_at", "active_at")
_one = click.argument("application_id", metavar="ID")


@click.group()
def application() -> None:
    """Applications that people sign in to through Usher."""


@application.command("create")
@org_option
@click.option("--name", required=True)
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True, help="May be given again.")
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--backchannel-logout-uri", default=None, help="Told when a session or a person ends.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=SCOPES, show_default=True
)
@click.option("--public", is_flag=True, help="It cannot keep a secret and proves itself by PKCE alone.")
@as_json
def application_create(*, org: str, public: bool, json_: bool, **fields: Any) -> None:
    """Register an application; its secret is shown this once."""
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    problems = NewApplication().validate(wanted)
    if problems:
        name, reasons = next(iter(problems.items()))
        raise click.UsageError(f"{name}: {reasons}")
    with session(write=True, org=org) as services:
        row, secret = services.get(ApplicationService).create(wanted, confidential=not public)
        services.commit()
        shown = show_with_secret(row, secret, services.get(PublicUrls).base_url)
    show(ApplicationWithSecret().dump(shown), json_=json_)


@application.command("list")
@org_option
@as_json
def application_list(*, org: str, json_: bool) -> None:
    """List them, without secrets."""
    with session(write=False, org=org) as services:
        rows = [show_application(row) for row in services.get(ApplicationService).all()]
    listed = ApplicationSchema(many=True).dump(rows)
    show_rows(listed if json_ else [{name: row[name] for name in _TABLE} for row in listed], json_=json_)


@application.command("rotate")
@org_option
@_one
@as_json
def application_rotate(*, org: str, application_id: str, json_: bool) -> None:
    """A new secret; the old one stays good for seven days."""
    with session(write=True, org=org) as services:
        id_ = parse_edge_id(APPLICATION, application_id)
        row, secret = services.get(ApplicationService).rotate(id_)
        services.commit()
        shown = show_with_secret(row, secret, services.get(PublicUrls).base_url)
    show(ApplicationWithSecret().dump(shown), json_=json_)


@application.command("delete")
@org_option
@_one
@as_json
def application_delete(*, org: str, application_id: str, json_: bool) -> None:
    """Remove one; from the next request on nobody signs in to it."""
    with session(write=True, org=org) as services:
        services.get(ApplicationService).delete(parse_edge_id(APPLICATION, application_id))
        services.commit()
    show({"id": application_id, "deleted": True}, json_=json_)


@click.group("signing-key")
def signing_key() -> None:
    """The keys that sign ID tokens; they turn every 90 days by themselves."""


@signing_key.command("list")
@as_json
def signing_key_list(*, json_: bool) -> None:
    """The keys with their states, the latest first."""
    with session(write=False) as services:
        rows = _states(services.get(SigningKeys))
    show_rows(rows, json_=json_)


@signing_key.command("rotate")
@click.option("--at-once", is_flag=True, help="A key has leaked: sign by a new one now, drop all others.")
@as_json
def signing_key_rotate(*, at_once: bool, json_: bool) -> None:
    """Publish the next key, which signs in a day."""
    with session(write=True) as services:
        keys = services.get(SigningKeys)
        keys.rotate(at_once=at_once)
        rows = _states(keys)
        services.commit()
    show_rows(rows, json_=json_)


def _states(keys: SigningKeys) -> list[dict[str, Any]]:
    return [{name: getattr(key, name) for name in _KEY} for key in keys.states()]
