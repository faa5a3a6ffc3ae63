"""The set-up script against a small Okta: plans first, does each thing once, tells no secret."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.urls import PublicUrls
from app.sso.okta_values import okta_values
from tests.okta.fake_okta import TOKEN, FakeOkta, serving
from tests.support.saml_idp import key_pair
from tests.support.server import ROOT

URLS = PublicUrls("https://usher.example")
CONNECTION = "00000000-0000-7000-8000-000000000001"
GROUPS = ("--assign", "Usher users", "--push", "usher-engineering")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def okta() -> Iterator[FakeOkta]:
    with serving(FakeOkta(key_pair("service").certificate_pem)) as fake:
        yield fake


@pytest.fixture
def run(okta: FakeOkta, tmp_path: Path) -> Run:
    (tmp_path / "key.pem").write_text(key_pair("service").private_pem)

    def invoke(*words: str, connection: str | None = CONNECTION) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "values.json").write_text(json.dumps(okta_values(URLS, connection)))
        command = [
            sys.executable,
            "okta/scripts/set_up.py",
            "--okta-url",
            okta.url,
            "--client-id",
            "0oaservice",
        ]
        files = ["--key-file", str(tmp_path / "key.pem"), "--values", str(tmp_path / "values.json")]
        done = subprocess.run(
            [*command, *files, *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        secrets = (TOKEN, "PRIVATE KEY", key_pair("service").private_pem.splitlines()[1])
        assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
        return done

    return invoke


def sign_on(okta: FakeOkta) -> Any:
    return okta.apps["0oa1"]["settings"]["signOn"]


def test_a_plan_changes_nothing_and_asks_for_reading_only(okta: FakeOkta, run: Run) -> None:
    done = run(*GROUPS, "--plan")
    assert done.returncode == 0, done.stderr
    assert "+ create the app 'Usher'" in done.stdout
    assert "+ assign 'Usher users'" in done.stdout
    assert (okta.writes, okta.scopes) == ([], ["okta.apps.read", "okta.groups.read"])


def test_it_creates_the_app_with_the_values_and_assigns_it(okta: FakeOkta, run: Run) -> None:
    done = run("--assign", "Usher users", "--apply")
    assert done.returncode == 0, done.stderr
    assert okta.scopes == ["okta.apps.manage", "okta.groups.read"]
    assert okta.writes == ["POST /api/v1/apps", "PUT /api/v1/apps/0oa1/groups/00g1"]
    assert sign_on(okta)["ssoAcsUrl"] == URLS.saml(CONNECTION, "acs")
    assert sign_on(okta)["audience"] == URLS.saml(CONNECTION, "metadata")
    assert f"metadata_url: {okta.url}/app/exk1kid1/sso/saml/metadata" in done.stdout
    assert f"SCIM connector base URL: {URLS.scim_base_url}" in done.stdout


def test_a_second_run_does_nothing(okta: FakeOkta, run: Run) -> None:
    run("--assign", "Usher users", "--apply")
    okta.writes.clear()
    done = run("--assign", "Usher users", "--apply")
    assert (done.returncode, okta.writes) == (0, [])
    assert "= the app 'Usher' is as wanted" in done.stdout


def test_the_placeholder_gives_way_to_the_connection_and_nothing_else_is_lost(
    okta: FakeOkta, run: Run
) -> None:
    first = run("--apply", connection=None)
    assert "Next: create the connection" in first.stdout
    assert sign_on(okta)["ssoAcsUrl"] == URLS.sign_in
    okta.apps["0oa1"]["features"] = ["GROUP_PUSH"]
    sign_on(okta)["spIssuer"] = "kept"
    done = run("--apply")
    assert "change settings.signOn.ssoAcsUrl" in done.stdout
    assert (sign_on(okta)["ssoAcsUrl"], sign_on(okta)["spIssuer"]) == (URLS.saml(CONNECTION, "acs"), "kept")
    assert okta.apps["0oa1"]["features"] == ["GROUP_PUSH"]


def test_groups_are_pushed_once_provisioning_is_on(okta: FakeOkta, run: Run) -> None:
    assert "! groups are pushed once" in run(*GROUPS, "--apply").stdout
    assert okta.pushed == []
    okta.apps["0oa1"]["features"] = ["GROUP_PUSH"]
    assert "By hand" not in run(*GROUPS, "--apply").stdout
    assert run(*GROUPS, "--apply").returncode == 0
    assert okta.pushed == ["00g2"]
    assert okta.scopes[-1] == "okta.groups.manage"


def test_an_unknown_group_stops_it_before_anything_is_written(okta: FakeOkta, run: Run) -> None:
    done = run("--assign", "usher", "--apply")
    assert (done.returncode, okta.writes) == (1, [])
    assert "There are 0 groups called 'usher'" in done.stderr


def test_one_group_is_never_both_assigned_and_pushed(okta: FakeOkta, run: Run) -> None:
    done = run("--assign", "Usher users", "--push", "Usher users", "--apply")
    assert (done.returncode, okta.writes) == (1, [])


def test_two_apps_of_one_name_are_refused(okta: FakeOkta, run: Run) -> None:
    run("--apply")
    okta.apps["0oa2"] = {**okta.apps["0oa1"], "id": "0oa2"}
    done = run("--apply")
    assert (done.returncode, "There are 2 apps" in done.stderr) == (1, True)
