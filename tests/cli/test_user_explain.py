"""`usher user explain` says for people what the API says for programs."""

import json
from collections.abc import Callable

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
        return CliRunner().invoke(cli, ["user", "explain", "--org", organization.slug, *words])

    return invoke


def test_people_read_who_won_and_which_request_made_it_so(acme: Organization, run: Run) -> None:
    ada = acme.scim.create_user("ada@example.com")
    group = acme.scim.create_group("Engineering")
    acme.map_group(group)
    request = acme.scim.add_members(group, ada).headers["X-Request-Id"]
    result = run(acme, "ADA@example.com")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == f"ada@example.com (user_{ada})"
    assert lines[1:3] == ["  active", "  seat: assigned; role: member"]
    (decides,) = [text for text in lines if text.startswith("  decides: ")]
    assert "mapping 1, group Engineering, role member (role_" in decides
    since = lines[lines.index(decides) + 1]
    assert "group.member_added by scim_token scimtok_" in since
    assert f"(request {request}, scimreq_" in since


def test_somebody_without_anything_is_told_so(acme: Organization, run: Run) -> None:
    acme.scim.create_user("ada@example.com", active=False)
    output = run(acme, "ada@example.com").output
    assert "inactive in the identity provider" in output
    assert "no mapping names a group of this person" in output


def test_programs_get_the_answer_of_the_api(acme: Organization, run: Run) -> None:
    ada = acme.scim.create_user("ada@example.com")
    acme.map_group(acme.scim.create_group("Engineering", [ada]))
    told = json.loads(run(acme, "ada@example.com", "--json").output)
    assert told == acme.api.get(f"/users/user_{ada}/explain").json


def test_nobody_is_refused(acme: Organization, run: Run) -> None:
    assert isinstance(run(acme, "nobody").exception, NotFoundError)
