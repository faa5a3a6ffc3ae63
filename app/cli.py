"""The command line `usher`: thin commands over the services, noun then verb.

Exit codes: 0 done; 1 refused (the sentence on standard error says why and what to do); 2 wrong usage
or settings; 3 `usher reconcile` found what it did not mend; 75 the database is busy, try again. Every
command that answers takes `--json`.
"""

import sys
from datetime import timedelta
from typing import Any

import click
from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError, IntegrityError

from app import schema
from app.api.scopes import SCOPES
from app.cli_application import application, signing_key
from app.cli_demo import demo
from app.cli_domains import domain
from app.cli_families import adopt, release
from app.cli_okta import okta
from app.cli_output import as_json, show, show_rows
from app.cli_prices import prices
from app.cli_reconcile import reconcile
from app.cli_scim import scim
from app.cli_selftest import selftest
from app.cli_serve import serve, worker
from app.cli_session import org_option, read_settings, session
from app.cli_spend import spend
from app.cli_sso import sso
from app.cli_user import user
from app.core.errors import UsherError
from app.core.ids import edge_id, parse_edge_id
from app.core.names import SLUG
from app.directory.credentials import PROFILES, READ, WRITE, CredentialService
from app.directory.organizations import OrganizationService
from app.doctor import examine
from app.settings import SettingsError

EXIT_REFUSED, EXIT_USAGE, EXIT_BUSY = 1, 2, 75
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Duration(click.ParamType[timedelta]):
    """`365d`, `12h` or `30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        number, unit = str(value)[:-1], _UNITS.get(str(value)[-1:])
        if unit is None or not number.isdecimal() or not 0 < int(number) <= 100_000:  # noqa: PLR2004 - 273 years
            self.fail(f"{value!r} is no duration; write 365d, 12h or 30m.", param, ctx)
        return timedelta(**{unit: int(number)})


class ToleranceSetting(click.ParamType[str | list[str]]):
    """`auto`, `strict` or names with commas between them; which names exist, the service knows."""

    name = "tolerances"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> str | list[str]:
        return value if value in PROFILES else [name.strip() for name in str(value).split(",")]


@click.group()
def cli() -> None:
    """Usher: from the identity provider to seats and spending, and out again."""


cli.add_command(application)
cli.add_command(signing_key)
cli.add_command(serve)
cli.add_command(demo)
cli.add_command(worker)
cli.add_command(okta)
cli.add_command(reconcile)
cli.add_command(scim)
cli.add_command(domain)
cli.add_command(selftest)
cli.add_command(sso)
cli.add_command(user)
cli.add_command(spend)
cli.add_command(prices)


@cli.group()
def db() -> None:
    """The database schema."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema to head."""
    schema.upgrade(read_settings())


@cli.command()
@as_json
def doctor(*, json_: bool) -> None:
    """Examine settings, database and schema; each problem comes with its mend."""
    findings = examine(read_settings())
    show_rows(findings, json_=json_)
    if any(finding["status"] == "problem" for finding in findings):
        sys.exit(EXIT_REFUSED)


@cli.group()
def org() -> None:
    """Organizations."""


org.add_command(adopt)
org.add_command(release)


@org.command("create")
@click.argument("slug")
@click.option("--name", required=True)
@as_json
def org_create(slug: str, name: str, *, json_: bool) -> None:
    """Create an organization. Example: usher org create acme --name "Acme Inc"."""
    if not SLUG.fullmatch(slug):
        raise click.UsageError("A slug has 1 to 63 lower-case letters, digits and hyphens.")
    if not 0 < len(name) <= 200:  # noqa: PLR2004 - the column's width
        raise click.UsageError("A name has 1 to 200 characters.")
    with session(write=True) as services:
        org_id = services.get(OrganizationService).create(slug, name)
        services.commit()
    show({"id": edge_id("org", org_id), "slug": slug, "name": name}, json_=json_)


@cli.group("scim-token")
def scim_token() -> None:
    """Tokens of the identity provider's provisioning job."""


@scim_token.command("create")
@org_option
@click.option("--name", default="default", show_default=True)
@click.option("--expires-in", type=Duration(), default=None, help="365d, 12h or 30m; default: never.")
@click.option("--read-only", is_flag=True, help="The token may read and change nothing.")
@click.option(
    "--tolerances", type=ToleranceSetting(), default="auto", show_default=True, help="auto, strict or a,b,c."
)
@as_json
def scim_token_create(
    org: str,
    name: str,
    expires_in: timedelta | None,
    read_only: bool,
    tolerances: str | list[str],
    *,
    json_: bool,
) -> None:
    """Create a SCIM token; it is shown this once."""
    with session(write=True, org=org) as services:
        row, token = services.get(CredentialService).create_scim_token(
            name, access=READ if read_only else WRITE, tolerances=tolerances, expires_in=expires_in
        )
        services.commit()
        show(_scim_token(services, row, token), json_=json_)


@scim_token.command("rotate")
@org_option
@click.argument("token_id")
@as_json
def scim_token_rotate(org: str, token_id: str, *, json_: bool) -> None:
    """A new secret under the same id; the old one stays good for seven days."""
    with session(write=True, org=org) as services:
        id_ = parse_edge_id("scimtok", token_id)
        row, token = services.get(CredentialService).rotate("scim_token", id_)
        services.commit()
        show(_scim_token(services, row, token), json_=json_)


@cli.group("api-key")
def api_key() -> None:
    """Keys of the REST API."""


@api_key.command("create")
@org_option
@click.option("--name", default="default", show_default=True)
@click.option("--scope", "scopes", multiple=True, required=True, help="May be given several times.")
@click.argument("more_scopes", nargs=-1)
@as_json
def api_key_create(
    org: str, name: str, scopes: tuple[str, ...], more_scopes: tuple[str, ...], *, json_: bool
) -> None:
    """Create an API key; it is shown this once. Example: --scope governance:read audit:read."""
    wanted = sorted({*scopes, *more_scopes})
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown:
        raise click.UsageError(f"{unknown[0]!r} is no scope; choose from {', '.join(sorted(SCOPES))}.")
    with session(write=True, org=org) as services:
        row, key = services.get(CredentialService).create_api_key(name, wanted)
        services.commit()
    show({"id": edge_id("apikey", row.id), "key": key, "scopes": list(row.scopes)}, json_=json_)


def _add_listing(group: click.Group, kind: str, prefix: str, columns: tuple[str, ...]) -> None:
    @group.command("list")
    @org_option
    @as_json
    def list_(org: str, *, json_: bool) -> None:
        """List them, without secrets."""
        with session(write=False, org=org) as services:
            rows = services.get(CredentialService).all(kind)
        listed = [
            {"id": edge_id(prefix, row.id), **{name: getattr(row, name) for name in columns}} for row in rows
        ]
        show_rows(listed, json_=json_)

    @group.command("revoke")
    @org_option
    @click.argument("id_", metavar="ID")
    @as_json
    def revoke(org: str, id_: str, *, json_: bool) -> None:
        """Revoke one; it is dead at the next request on every node."""
        with session(write=True, org=org) as services:
            services.get(CredentialService).revoke(kind, parse_edge_id(prefix, id_))
            services.commit()
        show({"id": id_, "revoked": True}, json_=json_)


_SHOWN = ("name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
_add_listing(scim_token, "scim_token", "scimtok", (*_SHOWN, "previous_expires_at", "tolerances"))
_add_listing(api_key, "api_key", "apikey", _SHOWN)


def _scim_token(services: Any, row: Any, token: str) -> dict[str, Any]:
    return {
        "id": edge_id("scimtok", row.id),
        "token": token,
        "base_url": services.container.urls.scim_base_url,
        "expires_at": row.expires_at,
    }


def main() -> None:
    """Run a command; a refusal is one sentence on standard error and an exit code."""
    try:
        cli()
    except SettingsError as error:
        _fail(str(error), EXIT_USAGE)
    except UsherError as error:
        _fail(error.detail, EXIT_REFUSED)
    except IntegrityError:
        _fail("Somebody else made the same change at the same moment; look and try again.", EXIT_REFUSED)
    except DBAPIError as error:
        if "locked" in str(error.orig):
            _fail("The database is busy; try again in a moment.", EXIT_BUSY)
        _fail("The database cannot be used. Run usher doctor to see why.", EXIT_REFUSED)
    except CommandError as error:
        _fail(f"The schema cannot be brought to head: {error}. Is this an older Usher?", EXIT_REFUSED)


def _fail(sentence: str, code: int) -> None:
    click.echo(f"usher: {sentence}", err=True)
    sys.exit(code)
