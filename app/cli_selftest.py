"""`usher selftest`: an identity provider's conversation, played against the running service."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from app.cli_output import as_json, show
from app.cli_session import org_option, read_settings, session
from app.core.urls import PublicUrls
from app.directory.credentials import CredentialService
from app.selftest import entra, okta
from app.selftest.http import Service
from app.selftest.player import Player
from app.selftest.steps import Result, Step

SCRIPTS: dict[str, tuple[Step, ...]] = {"okta": okta.STEPS, "entra": entra.STEPS}
# Okta's name decides what it is shown; Entra's decides nothing.
USER_AGENTS = {"okta": "Okta SCIM Client 1.0.0", "entra": "usher-selftest"}
# Should the command die before it revokes the token, the token dies soon after.
TOKEN_LIFE = timedelta(hours=1)
EXIT_FAILED = 1


@click.command()
@click.argument("vendor", type=click.Choice(sorted(SCRIPTS)))
@org_option
@click.option("--base-url", default=None, help="The service's public root; default: USHER_BASE_URL.")
@as_json
def selftest(vendor: str, org: str, base_url: str | None, *, json_: bool) -> None:
    """Play the vendor's cycle against the running service, with users of its own that it deletes.

    The users are in no mapped group, so nobody gets or loses a seat by it.
    """
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise click.UsageError("A base URL starts with http:// or https://.")
    root = PublicUrls((base_url or read_settings().base_url).rstrip("/")).scim_base_url
    results: list[Result] = []
    left: list[str] = []
    with _temporary_token(org) as (token, guid):
        service = Service(root, USER_AGENTS[vendor])
        player = Player(service, token, run=f"usher-selftest-{guid[-12:]}", guid=guid)
        player.greet()
        try:
            for result in player.play(SCRIPTS[vendor]):
                results.append(result)
                if not json_:
                    _print(result)
        finally:
            left = player.clean_up()
    _conclude(vendor, org, results, left, json_=json_)


@contextmanager
def _temporary_token(org: str) -> Iterator[tuple[str, str]]:
    """A SCIM token that is revoked at the end, come what may; and its id, unique to this run."""
    with session(write=True, org=org) as services:
        row, token = services.get(CredentialService).create_scim_token("selftest", expires_in=TOKEN_LIFE)
        services.commit()
    try:
        yield token, row.id
    finally:
        with session(write=True, org=org) as services:
            services.get(CredentialService).revoke("scim_token", row.id)
            services.commit()


def _print(result: Result) -> None:
    verdict = "ok  " if result.ok else "FAIL"
    milliseconds = f"{result.milliseconds:.1f}"
    click.echo(f"{verdict}  {result.method:<6} {result.status}  {milliseconds:>7} ms  {result.title}")
    click.echo(f"      {result.path}")
    if not result.ok:
        click.echo(f"      expected {result.expected}")
        click.echo(f"      received {result.received}")


def _conclude(vendor: str, org: str, results: list[Result], left: list[str], *, json_: bool) -> None:
    failed = sum(not result.ok for result in results)
    ok = not failed and not left
    summary: dict[str, Any] = {
        "vendor": vendor,
        "organization": org,
        "ok": ok,
        "requests": len(results),
        "failed": failed,
        "left_behind": left,
    }
    if json_:
        summary["steps"] = [{**asdict(result), "ok": result.ok} for result in results]
    show(summary, json_=json_)
    if not ok:
        sys.exit(EXIT_FAILED)
