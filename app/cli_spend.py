"""`usher spend`: proof that the counters, the ledger and the reports agree."""

import sys

import click

from app.api.edge_ids import ORGANIZATION
from app.cli_output import as_json, show
from app.cli_session import org_option, session
from app.core.ids import edge_id
from app.spend.check import SpendCheck

EXIT_DIFFERENT = 1


@click.group()
def spend() -> None:
    """Spending."""


@spend.command("verify")
@org_option
@as_json
def verify(org: str, *, json_: bool) -> None:
    """Hold every counter and the sums of the reports against the ledger and the open reservations."""
    with session(write=False, org=org) as services:
        found = services.get(SpendCheck).verify()
        result = {
            "organization": edge_id(ORGANIZATION, services.uow.org_id),
            "ok": not found.differences,
            "counters": found.counters,
            "entries": found.entries,
            "entries_not_summed_up": found.entries_not_summed_up,
            "differences": list(found.differences),
        }
    show(result, json_=json_)
    if found.differences:
        sys.exit(EXIT_DIFFERENT)
