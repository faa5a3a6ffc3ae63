"""`usher spend verify`: exit code 0 when every counter adds up, 1 with the differences when one does not."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from app.cli import cli
from app.core.tenancy import ORG_ID
from app.settings import Settings
from app.spend.models import spend_counters
from tests.support.cast import Organization, in_organization
from tests.support.databases import SECRET_KEY
from tests.support.till import Till

_TAMPER = (
    update(spend_counters)
    .where(
        spend_counters.c.org_id == ORG_ID,
        spend_counters.c.scope_type == "user",
        spend_counters.c.window == "daily",
    )
    .values(settled_nanousd=5)
)


def verify(settings: Settings, slug: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Any]:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)
    result = CliRunner().invoke(cli, ["spend", "verify", "--org", slug, "--json"])
    return result.exit_code, json.loads(result.output)


def test_the_proof_holds_after_use_and_finds_what_was_tampered_with(
    acme: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(acme)
    ada, _ = till.hire()
    till.settle(till.allowed(ada), cost_usd="0.01")
    till.allowed(ada)
    code, shown = verify(settings, acme.slug, monkeypatch)
    assert (code, shown["ok"], shown["counters"], shown["differences"]) == (0, True, 4, [])
    with in_organization(acme.app, acme.id) as services:
        services.uow.execute(_TAMPER)
        services.commit()
    code, shown = verify(settings, acme.slug, monkeypatch)
    (difference,) = shown["differences"]
    assert (code, difference["settled_nanousd"], difference["ledger_nanousd"]) == (1, 5, 10_000_000)
