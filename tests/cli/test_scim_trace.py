"""`usher scim trace` finds requests by person, group and status, and shows one with its bodies."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import NotFoundError
from app.settings import Settings
from tests.support.cast import Organization
from tests.support.databases import SECRET_KEY

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)

    def invoke(organization: Organization, *words: str) -> Result:
        organization.container.traces.flush()
        return CliRunner().invoke(cli, ["scim", "trace", "--org", organization.slug, *words])

    return invoke


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    listed: list[dict[str, Any]] = json.loads(result.output)
    return listed


def test_requests_are_found_by_name_id_and_status(acme: Organization, run: Run) -> None:
    ada = acme.scim.create_user("ada@example.com")
    group_id = acme.scim.create_group("Sales", [ada])
    acme.scim.patch_operations(f"/Users/{ada}", {"op": "nonsense"})

    def found(*words: str) -> list[tuple[str, int]]:
        return [(row["method"], row["status"]) for row in rows(run(acme, *words, "--json"))]

    assert found() == [("PATCH", 400), ("POST", 201), ("POST", 201)]
    assert found("--limit", "1") == [("PATCH", 400)]
    of_ada = [("PATCH", 400), ("POST", 201)]
    assert (
        found("--user", "ADA@example.com") == found("--user", ada) == found("--user", f"user_{ada}") == of_ada
    )
    assert found("--group", "sales") == found("--group", f"group_{group_id}") == [("POST", 201)]
    assert found("--user", ada, "--status", "400") == [("PATCH", 400)]
    acme.scim.delete(f"/Users/{ada}")
    assert found("--user", ada)[0] == ("DELETE", 204)


def test_one_request_is_shown_with_its_masked_bodies(acme: Organization, run: Run) -> None:
    acme.scim.create_user("ada@example.com")
    (row,) = rows(run(acme, "--json"))
    shown = json.loads(run(acme, row["id"], "--json").output)
    assert '"userName":"a***@example.com"' in shown["request_body"]
    assert "request_body" in run(acme, row["id"]).output


def test_people_get_a_table_and_a_word_when_there_is_nothing(acme: Organization, run: Run) -> None:
    assert run(acme).output == "None yet.\n"
    acme.scim.post("/Users", {"userName": ""})
    output = run(acme).output
    assert "invalidValue" in output
    assert "/scim/v2/Users" in output


@pytest.mark.parametrize("words", [("--user", "nobody"), ("--group", "nothing"), ("scimreq_1",)])
def test_what_is_not_there_is_named(acme: Organization, run: Run, words: tuple[str, ...]) -> None:
    error = run(acme, *words).exception
    assert isinstance(error, NotFoundError)
    assert words[-1] in error.detail


def test_another_organizations_requests_are_not_shown(
    acme: Organization, globex: Organization, run: Run
) -> None:
    user_id = globex.scim.create_user()
    (foreign,) = rows(run(globex, "--json"))
    assert rows(run(acme, "--json")) == rows(run(acme, "--user", user_id, "--json")) == []
    assert isinstance(run(acme, foreign["id"]).exception, NotFoundError)


def test_a_status_that_is_none_is_wrong_usage(acme: Organization, run: Run) -> None:
    assert run(acme, "--status", "99").exit_code == 2
