"""`usher application` registers tools and `usher signing-key` turns what signs for them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import NotFoundError
from app.oauth.addresses import AddressRefusedError
from app.settings import Settings
from tests.support.cast import Organization, json_of
from tests.support.databases import SECRET_KEY

Run = Callable[..., Result]
REDIRECT = ("--redirect-uri", "https://tool.example/callback")


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)
    return lambda *words: CliRunner().invoke(cli, words)


def read(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.output)


def test_an_application_is_registered_rotated_listed_and_removed(acme: Organization, run: Run) -> None:
    here = ("--org", acme.slug, "--json")
    made = read(run("application", "create", "--name", "Tool", *REDIRECT, *here))
    assert made["client_secret"].startswith("usher_appsecret_")
    rotated = read(run("application", "rotate", made["id"], *here))
    assert rotated["client_secret"] not in (None, made["client_secret"])
    (listed,) = read(run("application", "list", *here))
    assert listed == json_of(acme.api.get(f"/applications/{made['id']}"))
    assert "client_secret" not in listed
    assert made["id"] in run("application", "list", "--org", acme.slug).output
    assert read(run("application", "delete", made["id"], *here)) == {"id": made["id"], "deleted": True}
    assert read(run("application", "list", *here)) == []


def test_a_public_application_has_no_secret(acme: Organization, run: Run) -> None:
    words = ("--name", "Tool", "--public", "--redirect-uri", "http://127.0.0.1:7777/cb", "--scope", "openid")
    made = read(run("application", "create", *words, "--org", acme.slug, "--json"))
    assert (made["confidential"], made["client_secret"], made["scopes"]) == (False, None, ["openid"])


def test_what_cannot_be_registered_is_refused_with_its_reason(acme: Organization, run: Run) -> None:
    here = ("--org", acme.slug)
    assert "name" in run("application", "create", "--name", " ", *REDIRECT, *here).output
    refused = run("application", "create", "--name", "Tool", "--redirect-uri", "http://a.example/", *here)
    assert isinstance(refused.exception, AddressRefusedError)


def test_nobody_touches_applications_of_another_organization(
    acme: Organization, globex: Organization, run: Run
) -> None:
    made = read(run("application", "create", "--name", "Tool", *REDIRECT, "--org", globex.slug, "--json"))
    for verb in ("rotate", "delete"):
        assert isinstance(run("application", verb, made["id"], "--org", acme.slug).exception, NotFoundError)


def test_a_leaked_key_is_replaced_at_once(acme: Organization, run: Run) -> None:
    run("application", "create", "--name", "Tool", *REDIRECT, "--org", acme.slug)
    before = read(run("signing-key", "list", "--json"))
    assert "current" in [key["state"] for key in before]
    (key,) = read(run("signing-key", "rotate", "--at-once", "--json"))
    assert key["state"] == "current"
    assert key["id"] not in [other["id"] for other in before]
    assert [row["state"] for row in read(run("signing-key", "rotate", "--json"))] == ["next", "current"]
    assert read(run("signing-key", "rotate", "--at-once", "--json"))[0]["state"] == "current"
