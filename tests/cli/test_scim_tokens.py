"""`usher scim-token`: what a token may do and tolerate is chosen when it is made."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import NotFoundError, UnprocessableError
from app.settings import Settings
from tests.support.cast import Organization, ScimClient, json_of
from tests.support.databases import SECRET_KEY

Run = Callable[..., Result]


@pytest.fixture
def run(acme: Organization, settings: Settings) -> Run:
    """Run a command of the operator on acme's database."""
    variables = {
        "USHER_DATABASE_URL": settings.database_url,
        "USHER_OWNER_DATABASE_URL": settings.owner_database_url,
        "USHER_SECRET_KEY": SECRET_KEY,
    }

    def invoke(*arguments: str) -> Result:
        return CliRunner(env=variables).invoke(cli, [*arguments, "--org", acme.slug, "--json"])

    return invoke


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def client(acme: Organization, made: dict[str, Any]) -> ScimClient:
    return ScimClient(acme.app, made["token"], "/scim/v2", "application/scim+json")


def test_a_token_writes_and_tolerates_everything_by_default(acme: Organization, run: Run) -> None:
    made = answer(run("scim-token", "create"))
    assert set(made) == {"id", "token", "base_url", "expires_at"}
    response = client(acme, made).post("/Users", {"userName": "anna@example.com", "active": "True"})
    assert response.status_code == 201


def test_a_read_only_token_changes_nothing(acme: Organization, run: Run) -> None:
    made = answer(run("scim-token", "create", "--read-only"))
    assert client(acme, made).get("/Users").status_code == 200
    assert client(acme, made).post("/Users", {}).status_code == 403


@pytest.mark.parametrize(
    ("given", "kept"),
    [("strict", "strict"), ("auto", "auto"), ("text_boolean, empty_text", ["empty_text", "text_boolean"])],
)
def test_tolerances_are_chosen_and_listed(acme: Organization, run: Run, given: str, kept: object) -> None:
    made = answer(run("scim-token", "create", "--tolerances", given))
    row = next(row for row in answer(run("scim-token", "list")) if row["id"] == made["id"])
    assert row["tolerances"] == kept
    assert row["scopes"] == ["write"]


def test_an_unknown_tolerance_is_refused_with_the_known_ones(run: Run) -> None:
    result = run("scim-token", "create", "--tolerances", "free_beer")
    assert isinstance(result.exception, UnprocessableError)
    assert "text_boolean_in_filter" in result.exception.detail


def test_a_rotation_shows_the_new_end(acme: Organization, run: Run) -> None:
    made = answer(run("scim-token", "create", "--expires-in", "30d"))
    rotated = answer(run("scim-token", "rotate", made["id"]))
    assert rotated["expires_at"] > made["expires_at"]
    for token in (made, rotated):
        assert json_of(client(acme, token).get("/Users"))["totalResults"] == 0


def test_a_token_of_another_organization_is_not_there(globex: Organization, run: Run) -> None:
    made = globex.api.post("/scim_tokens", {"name": "Okta"}).json
    assert made is not None
    result = run("scim-token", "rotate", made["id"])
    assert isinstance(result.exception, NotFoundError)
