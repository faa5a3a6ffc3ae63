"""`usher domain`: the operator's word on who controls a domain."""

import click

from app.api.schemas.domains import DomainSchema, show_domain
from app.cli_output import as_json, show
from app.cli_session import org_option, session
from app.sso.domains import DomainService


@click.group()
def domain() -> None:
    """Domains whose people sign in by their organization's identity provider."""


@domain.command("verify")
@org_option
@click.argument("name", metavar="DOMAIN")
@click.option("--manual", is_flag=True, help="Your word instead of a record in DNS.")
@as_json
def domain_verify(org: str, name: str, *, manual: bool, json_: bool) -> None:
    """Verify a domain by your word, which the audit log keeps; it is claimed if it was not yet."""
    if not manual:
        raise click.UsageError("DNS is looked at by the server; say --manual to give your word instead.")
    with session(write=True, org=org) as services:
        row = services.get(DomainService).verify_by_operator(name)
        services.commit()
    show(DomainSchema().dump(show_domain(row)), json_=json_)
