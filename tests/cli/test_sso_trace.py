"""`usher sso trace` finds sign-ins by address and outcome, and shows one by its reference number."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import NotFoundError
from app.settings import Settings
from tests.support.cast import Organization
from tests.support.databases import SECRET_KEY
from tests.support.sign_on import sign_on

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)

    def invoke(organization: Organization, *words: str) -> Result:
        return CliRunner().invoke(cli, ["sso", "trace", "--org", organization.slug, *words])

    return invoke


def test_sign_ins_are_found_and_one_is_shown_in_full(acme: Organization, run: Run) -> None:
    door = sign_on(acme)
    door.sign_in(f"ada@{door.domain}")
    door.refusal("eve@nobody.example")

    def found(*words: str) -> list[str]:
        result = run(acme, *words, "--json")
        assert result.exit_code == 0, result.output
        return [row["email"].partition("@")[0] for row in json.loads(result.output)]

    assert found() == found("--connection", f"conn_{door.connection_id}") == ["eve", "ada"]
    assert found("--email", "EVE@nobody.example") == found("--outcome", "refused") == ["eve"]
    assert found("--limit", "1") == ["eve"]
    (listed,) = json.loads(run(acme, "--outcome", "refused", "--json").output)
    shown = json.loads(run(acme, listed["reference"], "--json").output)
    assert (shown["reason"], "***@nobody.example" in shown["xml"]) == ("domain_not_verified", True)
    assert "domain_not_verified" in run(acme).output


def test_an_unknown_reference_is_refused(acme: Organization, run: Run) -> None:
    assert isinstance(run(acme, "no-such-reference").exception, NotFoundError)
