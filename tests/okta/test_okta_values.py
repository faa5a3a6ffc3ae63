"""`usher okta values` says what is true of the connection, and what to do before there is one."""

import json
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.core.errors import ConflictError, NotFoundError
from app.settings import Settings
from app.sso.okta_values import ATTRIBUTE_STATEMENTS
from app.sso.saml.attributes import USUAL_NAMES
from tests.support.cast import Organization, json_of
from tests.support.databases import SECRET_KEY
from tests.support.sign_on import sign_on

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)

    def invoke(organization: Organization, *words: str) -> Result:
        return CliRunner().invoke(cli, ["okta", "values", "--org", organization.slug, *words])

    return invoke


def test_the_values_are_those_of_the_only_connection(acme: Organization, run: Run) -> None:
    door = sign_on(acme)
    shown = json_of(acme.api.get(f"/connections/conn_{door.connection_id}"))
    values = json.loads(run(acme, "--json").output)
    assert (values["acs_url"], values["audience"]) == (shown["acs_url"], shown["entity_id"])
    assert (values["login_url"], values["connection_id"]) == (shown["login_url"], shown["id"])
    assert values["acs_url"] in run(acme).output


def test_people_are_shown_each_value_as_they_type_it(acme: Organization, run: Run) -> None:
    shown = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in run(acme).output.splitlines())
    values = json.loads(run(acme, "--json").output)
    for statement in values["attribute_statements"]:
        told = f"{statement['name_format']}, {statement['value']}"
        assert shown[f"attribute_statements: {statement['name']}"] == told
    assert shown["group_attribute_statements: groups"] == "Unspecified, Starts with, usher-"
    assert shown["features"] == ", ".join(values["features"])
    assert shown["scim_base_url"] == values["scim_base_url"]


def test_the_base_url_is_where_the_scim_token_works(acme: Organization, run: Run) -> None:
    token = json_of(acme.api.post("/scim_tokens", {"name": "okta"}))
    assert json.loads(run(acme, "--json").output)["scim_base_url"] == token["base_url"]


def test_before_there_is_a_connection_a_placeholder_is_given(acme: Organization, run: Run) -> None:
    values = json.loads(run(acme, "--json").output)
    assert [values[name] for name in ("acs_url", "audience", "login_url")] == [None, None, None]
    base_url = acme.container.settings.base_url
    assert values["placeholder_url"] == f"{base_url}/sso/login"
    assert acme.app.test_client().get("/sso/login").status_code == 200


def test_of_several_connections_one_has_to_be_named(acme: Organization, run: Run) -> None:
    first, second = sign_on(acme), sign_on(acme)
    refused = run(acme).exception
    assert isinstance(refused, ConflictError)
    assert first.connection_id in refused.detail
    named = run(acme, "--connection", f"conn_{second.connection_id}", "--json")
    assert json.loads(named.output)["connection_id"] == f"conn_{second.connection_id}"


def test_another_organizations_connection_is_unknown(
    acme: Organization, globex: Organization, run: Run
) -> None:
    door = sign_on(globex)
    assert isinstance(run(acme, "--connection", f"conn_{door.connection_id}").exception, NotFoundError)


def test_each_attribute_statement_is_understood_without_a_mapping() -> None:
    known = {name: field for field, names in USUAL_NAMES.items() for name in names}
    fields = [known[name] for name in ATTRIBUTE_STATEMENTS]
    assert fields == ["email", "first_name", "last_name", "stable_id"]
    assert known["groups"] == "groups"
