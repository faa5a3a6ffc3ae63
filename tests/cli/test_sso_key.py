"""`usher sso key` rolls our own key of a connection over: list, add, promote."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import ConflictError, NotFoundError
from app.settings import Settings
from tests.support.cast import Organization
from tests.support.databases import SECRET_KEY
from tests.support.sign_on import sign_on

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)

    def invoke(organization: Organization, verb: str, connection_id: str, *words: str) -> Result:
        path = ["sso", "key", verb, "--org", organization.slug, f"conn_{connection_id}", *words]
        return CliRunner().invoke(cli, path)

    return invoke


def test_a_key_is_added_and_promoted_while_people_sign_in(acme: Organization, run: Run) -> None:
    door = sign_on(acme)

    def states(verb: str) -> list[str]:
        result = run(acme, verb, door.connection_id, "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        door.sign_in(f"ada@{door.domain}")
        return [row["state"] for row in json.loads(result.output)]

    assert states("list") == ["current"]
    assert states("add") == ["next", "current"]
    assert states("promote") == ["current", "retired"]
    assert "PRIVATE" not in run(acme, "list", door.connection_id, "--json").output
    assert "current" in run(acme, "list", door.connection_id).output


def test_a_second_next_key_and_a_promotion_of_none_are_refused(acme: Organization, run: Run) -> None:
    door = sign_on(acme)
    assert isinstance(run(acme, "promote", door.connection_id).exception, ConflictError)
    run(acme, "add", door.connection_id)
    assert isinstance(run(acme, "add", door.connection_id).exception, ConflictError)


@pytest.mark.parametrize("verb", ["list", "add", "promote"])
def test_connections_of_others_are_not_there(
    acme: Organization, globex: Organization, run: Run, verb: str
) -> None:
    door = sign_on(globex)
    assert isinstance(run(acme, verb, door.connection_id).exception, NotFoundError)
