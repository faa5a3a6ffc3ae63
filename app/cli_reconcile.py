"""`usher reconcile`: compute everything again, say what differs, and mend it unless it is a dry run.

Exit code 0 when nothing differs, or all that did is mended; 3 when something differs still.
"""

import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import click

from app.cli_output import as_json, show
from app.cli_session import org_option, sessions
from app.core.ids import FIRST_ID, edge_id
from app.governance.drift import Drift, DriftService, PoolDrift

EXIT_DRIFT = 3
# So many people are shown at most; all are counted.
MAX_SHOWN = 100


class Begin(Protocol):
    def __call__(self) -> AbstractContextManager[Any]:
        """A transaction in the organization."""


@dataclass(slots=True)
class Report:
    checked: int = 0
    found: int = 0
    repaired: int = 0
    people: list[Drift] = field(default_factory=list)
    pool: PoolDrift | None = None


@click.command()
@org_option
@click.option("--dry-run", is_flag=True, help="Only compare; change nothing.")
@as_json
def reconcile(org: str, *, dry_run: bool, json_: bool) -> None:
    """Compare all people and the seat pool with what memberships, mappings and manual seats say."""
    report = Report()
    with sessions(write=not dry_run, org=org) as begin:
        _pool(begin, report, dry_run=dry_run)
        _people(begin, report, dry_run=dry_run)
    show(_shown(report), json_=json_)
    if report.repaired < report.found:
        sys.exit(EXIT_DRIFT)


def _pool(begin: Begin, report: Report, *, dry_run: bool) -> None:
    """The pool first: a wrong counter would give wrong answers to whoever is mended after it."""
    with begin() as services:
        drift = services.get(DriftService)
        report.pool = drift.find_in_pool()
        if report.pool is None:
            return
        report.found += 1
        if not dry_run and drift.repair_pool(report.pool):
            report.repaired += 1
            services.commit()


def _people(begin: Begin, report: Report, *, dry_run: bool) -> None:
    """One transaction for each batch, so that memory stays flat and nobody waits long."""
    after = FIRST_ID
    while True:
        with begin() as services:
            drift = services.get(DriftService)
            people = drift.people_after(after)
            if not people:
                return
            found = drift.find(people)
            if found and not dry_run:
                drift.repair(found)
                services.commit()
                report.repaired += len(found)
        after = people[-1]
        report.checked += len(people)
        report.found += len(found)
        report.people += found[: MAX_SHOWN - len(report.people)]


def _shown(report: Report) -> dict[str, Any]:
    return {
        "checked": report.checked,
        "found": report.found,
        "repaired": report.repaired,
        "seat_pool": None
        if report.pool is None
        else {
            name: {"stored": stored, "expected": expected}
            for name, (stored, expected) in report.pool.counters.items()
        },
        "people": [
            {
                "user_id": edge_id("user", drift.user_id),
                "fields": {
                    name: {"stored": stored, "expected": expected}
                    for name, (stored, expected) in drift.fields.items()
                },
            }
            for drift in report.people
        ],
    }
