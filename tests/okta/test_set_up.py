"""The set-up script against a small Okta: plans first, does each thing once, goes on after a failure.

No secret may stand in what it prints: each run here looks for them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import set_up

from app.core.urls import PublicUrls
from app.sso.okta_values import okta_values
from tests.okta.fake_okta import DATE_SECONDS, TOKEN, FakeOkta, Trouble, serving
from tests.support.saml_idp import key_pair

URLS = PublicUrls("https://usher.example")
CONNECTION = "00000000-0000-7000-8000-000000000001"
APPS, ASSIGNED = "POST /api/v1/apps", "PUT /api/v1/apps/0oa1/groups/00g1"
PUSH = "POST /api/v1/apps/0oa1/group-push/mappings"
GROUPS = ("--assign", "Usher users", "--push", "usher-engineering")
BUSY: Trouble = (503, {}, {"errorSummary": "Try again later"})
HANGS_UP: Trouble = (0, {}, None)


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    error: str
    waits: list[float]


Run = Callable[..., Done]


@pytest.fixture
def okta() -> Iterator[FakeOkta]:
    with serving(FakeOkta(key_pair("service").certificate_pem)) as fake:
        yield fake


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "key.pem").write_text(key_pair("service").private_pem)
    return tmp_path


@pytest.fixture
def run(okta: FakeOkta, files: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def invoke(*words: str, url: str | None = None, connection: str | None = CONNECTION) -> Done:
        if not (files / "values.json").exists() or connection != CONNECTION:
            (files / "values.json").write_text(json.dumps(okta_values(URLS, connection)))
        options = {
            "--okta-url": url or okta.url,
            "--client-id": "0oaservice",
            "--key-file": str(files / "key.pem"),
            "--values": str(files / "values.json"),
        }
        waits: list[float] = []
        code = set_up.main([word for pair in options.items() for word in pair] + list(words), waits.append)
        printed = capsys.readouterr()
        key_lines = key_pair("service").private_pem.splitlines()[1:-1]
        for secret in (TOKEN, "PRIVATE KEY", *key_lines, *filter(None, [okta.assertion])):
            assert secret not in printed.out + printed.err
        return Done(code, printed.out, printed.err, waits)

    return invoke


def sign_on(okta: FakeOkta) -> Any:
    return okta.apps["0oa1"]["settings"]["signOn"]


def connected(files: Path) -> None:
    (files / "values.json").write_text(json.dumps(okta_values(URLS, CONNECTION)))


def test_a_plan_changes_nothing_and_asks_for_reading_only(okta: FakeOkta, run: Run) -> None:
    done = run(*GROUPS, "--plan")
    assert done.code == 0, done.error
    assert "+ create the app 'Usher'" in done.out
    assert "+ assign 'Usher users'" in done.out
    assert (okta.writes, okta.scopes) == ([], ["okta.apps.read", "okta.groups.read"])


def test_it_creates_the_app_with_the_values_and_assigns_it(okta: FakeOkta, run: Run) -> None:
    done = run("--assign", "Usher users", "--apply")
    assert done.code == 0, done.error
    assert okta.scopes == ["okta.apps.manage", "okta.groups.read"]
    assert okta.writes == [APPS, ASSIGNED]
    assert sign_on(okta)["ssoAcsUrl"] == URLS.saml(CONNECTION, "acs")
    assert sign_on(okta)["audience"] == URLS.saml(CONNECTION, "metadata")
    assert f"metadata_url: {okta.url}/app/exk1kid1/sso/saml/metadata" in done.out
    assert f"SCIM connector base URL: {URLS.scim_base_url}" in done.out


def test_a_plan_after_it_finds_nothing_to_do_and_a_second_run_does_nothing(okta: FakeOkta, run: Run) -> None:
    run("--assign", "Usher users", "--apply")
    okta.writes.clear()
    for how in ("--plan", "--apply"):
        done = run("--assign", "Usher users", how)
        assert (done.code, okta.writes) == (0, [])
        assert "= the app 'Usher' is as wanted" in done.out
        assert "= 'Usher users' is assigned" in done.out
        assert "+" not in done.out


def test_the_placeholder_gives_way_to_the_connection_and_nothing_else_is_lost(
    okta: FakeOkta, run: Run, files: Path
) -> None:
    first = run("--apply", connection=None)
    assert "Next: create the connection" in first.out
    assert sign_on(okta)["ssoAcsUrl"] == URLS.sign_in
    okta.apps["0oa1"]["features"] = ["GROUP_PUSH"]
    sign_on(okta)["spIssuer"] = "kept"
    connected(files)
    done = run("--apply")
    addresses = ", ".join(
        f"settings.signOn.{name}" for name in ("ssoAcsUrl", "recipient", "destination", "audience")
    )
    assert f"+ change {addresses} of the app 'Usher'" in done.out
    assert (sign_on(okta)["ssoAcsUrl"], sign_on(okta)["spIssuer"]) == (URLS.saml(CONNECTION, "acs"), "kept")
    assert okta.apps["0oa1"]["features"] == ["GROUP_PUSH"]


def test_a_setting_that_somebody_changed_by_hand_is_named_and_set_back(okta: FakeOkta, run: Run) -> None:
    run("--apply")
    sign_on(okta)["responseSigned"] = False
    sign_on(okta)["attributeStatements"].pop()
    wanted = "+ change settings.signOn.responseSigned, settings.signOn.attributeStatements of the app 'Usher'"
    assert wanted in run("--plan").out
    assert sign_on(okta)["responseSigned"] is False
    assert wanted in run("--apply").out
    assert "= the app 'Usher' is as wanted" in run("--plan").out


def test_groups_are_pushed_once_provisioning_is_on(okta: FakeOkta, run: Run) -> None:
    assert "! groups are pushed once" in run(*GROUPS, "--apply").out
    assert okta.pushed == {}
    okta.apps["0oa1"]["features"] = ["GROUP_PUSH"]
    assert "By hand" not in run(*GROUPS, "--apply").out
    assert "= 'usher-engineering' is pushed" in run(*GROUPS, "--apply").out
    assert okta.pushed == {"00g2": "ACTIVE"}
    assert okta.writes.count(PUSH) == 1
    assert okta.scopes[-1] == "okta.groups.manage"


def test_a_push_that_okta_has_stopped_is_told_and_left_alone(okta: FakeOkta, run: Run) -> None:
    run(*GROUPS, "--apply")
    okta.apps["0oa1"]["features"] = ["GROUP_PUSH"]
    okta.pushed["00g2"] = "INACTIVE"
    assert "! 'usher-engineering' is pushed, but its status is INACTIVE" in run(*GROUPS, "--apply").out
    assert PUSH not in okta.writes


def test_an_unknown_group_stops_it_before_anything_is_written(okta: FakeOkta, run: Run) -> None:
    done = run("--assign", "usher", "--apply")
    assert (done.code, okta.writes) == (1, [])
    assert "There are 0 groups called 'usher'" in done.error


def test_one_group_is_never_both_assigned_and_pushed(okta: FakeOkta, run: Run) -> None:
    done = run("--assign", "Usher users", "--push", "Usher users", "--apply")
    assert (done.code, okta.writes) == (1, [])


def test_two_apps_of_one_name_are_refused(okta: FakeOkta, run: Run) -> None:
    run("--apply")
    okta.apps["0oa2"] = {**okta.apps["0oa1"], "id": "0oa2"}
    done = run("--apply")
    assert (done.code, "There are 2 apps" in done.error) == (1, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"signOnMode": "OPENID_CONNECT"}, "no SAML 2.0 app"), ({"status": "INACTIVE"}, "is deactivated")],
)
def test_an_app_that_cannot_be_it_is_refused(
    okta: FakeOkta, run: Run, changes: dict[str, Any], told: str
) -> None:
    run("--apply")
    okta.apps["0oa1"] |= changes
    okta.writes.clear()
    done = run("--apply")
    assert (done.code, okta.writes) == (1, [])
    assert told in done.error


def test_it_waits_as_long_as_okta_says_and_then_goes_on(okta: FakeOkta, run: Run) -> None:
    limited = (429, {"X-Rate-Limit-Reset": str(DATE_SECONDS + 20)}, {"errorSummary": "API call exceeded"})
    okta.troubles = {APPS: [limited], "GET /api/v1/groups": [limited], "POST /oauth2/v1/token": [limited]}
    done = run("--assign", "Usher users", "--apply")
    assert (done.code, done.waits) == (0, [21, 21, 21])
    assert okta.writes == [APPS, ASSIGNED]


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"X-Rate-Limit-Reset": str(DATE_SECONDS + 86_400)}, [65, 65, 65]),
        ({"X-Rate-Limit-Reset": str(DATE_SECONDS - 5)}, [1, 1, 1]),
        ({"X-Rate-Limit-Reset": "soon"}, [1, 2, 4]),
        ({}, [1, 2, 4]),
    ],
)
def test_it_gives_up_after_four_tries_and_never_waits_longer_than_a_limit_lasts(
    okta: FakeOkta, run: Run, headers: dict[str, str], waits: list[float]
) -> None:
    okta.troubles = {APPS: [(429, headers, {"errorSummary": "API call exceeded"})] * 4}
    done = run("--apply")
    assert (done.code, done.waits, okta.writes) == (1, waits, [])
    assert "POST /api/v1/apps was answered 429: API call exceeded" in done.error


@pytest.mark.parametrize("trouble", [BUSY, HANGS_UP])
def test_a_call_that_may_be_repeated_is_and_one_that_may_not_is_left_to_the_next_run(
    okta: FakeOkta, run: Run, trouble: Trouble
) -> None:
    okta.troubles = {ASSIGNED: [trouble, trouble], APPS: [trouble]}
    first = run("--assign", "Usher users", "--apply")
    assert (first.code, first.waits, okta.writes) == (1, [], [])
    assert "POST /api/v1/apps" in first.error
    second = run("--assign", "Usher users", "--apply")
    assert (second.code, second.waits, okta.writes) == (0, [1, 2], [APPS, ASSIGNED])


def test_after_a_failure_half_way_the_next_run_does_the_rest(okta: FakeOkta, run: Run) -> None:
    okta.troubles = {ASSIGNED: [(403, {}, {"errorSummary": "You do not have permission"})]}
    first = run("--assign", "Usher users", "--apply")
    assert first.code == 1
    assert first.out.splitlines() == ["+ create the app 'Usher'"]
    assert "was answered 403: You do not have permission" in first.error
    assert "run it again for the rest" in first.error
    second = run("--assign", "Usher users", "--apply")
    assert (second.code, okta.writes) == (0, [APPS, ASSIGNED])
    assert "= the app 'Usher' is as wanted" in second.out


def test_an_app_that_was_made_though_its_answer_was_lost_is_found_and_not_made_again(
    okta: FakeOkta, run: Run
) -> None:
    run("--apply")
    made, okta.apps = okta.apps, {}
    okta.troubles = {APPS: [HANGS_UP]}
    assert run("--apply").code == 1
    okta.apps = made
    assert "= the app 'Usher' is as wanted" in run("--apply").out


@pytest.mark.parametrize(
    ("call", "secret"),
    [
        ("POST /oauth2/v1/token", "{assertion}"),
        ("GET /api/v1/apps", "{assertion} {token}"),
        (APPS, "{token}"),
    ],
)
def test_a_secret_that_okta_repeats_is_not_printed(okta: FakeOkta, run: Run, call: str, secret: str) -> None:
    told = {"errorSummary": f"Refused {secret}", "errorCauses": [{"errorSummary": f"label: {secret}"}]}
    okta.troubles = {call: [(400, {}, told)]}
    done = run("--apply")
    assert done.code == 1
    assert "[secret]" in done.error


def test_the_causes_that_okta_names_are_told(okta: FakeOkta, run: Run) -> None:
    told = {"errorSummary": "Api validation failed", "errorCauses": [{"errorSummary": "audience: too long"}]}
    okta.troubles = {APPS: [(400, {}, told)]}
    assert "was answered 400: Api validation failed audience: too long" in run("--apply").error


@pytest.mark.parametrize(
    ("url", "told"),
    [("http://acme.okta.com", "begins with https://"), ("https://acme-admin.okta.com", "without -admin")],
)
def test_an_address_that_cannot_be_meant_is_sent_nothing(run: Run, url: str, told: str) -> None:
    done = run("--plan", url=url)
    assert (done.code, told in done.error) == (1, True)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("key.pem", "-----BEGIN NOTHING-----", "no unencrypted private key"),
        ("values.json", "{", "is not what `usher okta values --json` prints"),
        ("values.json", "[]", "is not what `usher okta values --json` prints"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(run: Run, files: Path, name: str, text: str, told: str) -> None:
    connected(files)
    (files / name).write_text(text)
    done = run("--plan")
    assert (done.code, told in done.error) == (1, True)


def test_a_missing_file_is_told_in_one_sentence(run: Run, files: Path) -> None:
    (files / "key.pem").unlink()
    assert "key.pem cannot be read" in run("--plan").error
