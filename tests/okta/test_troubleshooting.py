"""The help on refusals: every reason and error type has its row, and refusals lead to it."""

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

import app.scim.routes  # noqa: F401 - declares refusals of its own
from app.core.errors import UsherError
from app.scim.protocol.messages import refusal
from app.sso.oidc.reasons import OidcRefusedError
from app.sso.oidc.reasons import ReasonCode as OidcReasonCode
from app.sso.oidc.reasons import Step as OidcStep
from app.sso.refusals import Reason, SignInRefusedError
from app.sso.refusals import Step as SignInStep
from app.sso.saml.reasons import ReasonCode, RefusedError, Step
from app.web.help_page import SOURCE
from tests.support.cast import Organization, json_of
from tests.support.sign_on import sign_on

PAGE = SOURCE.read_text()
ANCHORS = re.findall(r'<a id="([^"]+)"></a>', PAGE)
# Whose refusals answer SCIM requests.
SCIM_MODULES = ("app.core.errors", "app.core.cursors", "app.core.strict_json", "app.directory.", "app.scim.")


def hints() -> Iterator[tuple[str, str]]:
    yield from ((code.value, RefusedError(code, Step.SHAPE).hint) for code in ReasonCode)
    yield from ((code.value, OidcRefusedError(code, OidcStep.TOKEN).hint) for code in OidcReasonCode)
    yield from ((reason.value, SignInRefusedError(reason, SignInStep.DOMAIN).hint) for reason in Reason)


def below(error: type[UsherError]) -> Iterator[type[UsherError]]:
    for child in error.__subclasses__():
        yield child
        yield from below(child)


def test_each_anchor_stands_once() -> None:
    assert len(set(ANCHORS)) == len(ANCHORS)


@pytest.mark.parametrize(("code", "hint"), list(hints()))
def test_each_reason_of_a_sign_in_has_its_row_with_the_fix_of_the_trace(code: str, hint: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if f'<a id="{code}"></a>' in line]
    assert row.endswith(f"| {hint} |")


def test_each_refusal_of_scim_has_an_anchor_by_its_code_and_by_what_its_trace_shows() -> None:
    # SCIM asks nobody for money.
    found = [error for error in below(UsherError) if error.__module__.startswith(SCIM_MODULES)]
    refusals = [error for error in found if error.status != HTTPStatus.PAYMENT_REQUIRED]
    assert len(refusals) > 20
    wanted = set()
    for error in refusals:
        made = UsherError("")
        made.status, made.code = error.status, error.code
        body = refusal(made)
        wanted |= {
            error.code,
            getattr(error, "scim_type", None) or body.get("scimType") or f"http_{error.status}",
        }
    assert wanted - set(ANCHORS) == set()


def test_links_within_the_page_lead_to_its_anchors_and_none_leads_elsewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert targets
    assert [target for target in targets if target.removeprefix("#") not in ANCHORS] == []


def test_the_page_is_served_with_its_anchors(acme: Organization) -> None:
    response = acme.app.test_client().get("/help/troubleshooting")
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert '<a id="audience_mismatch"></a>' in response.text
    assert "<td>" in response.text


def test_a_refused_sign_in_leads_to_the_row_of_its_reason(acme: Organization) -> None:
    door = sign_on(acme)
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    response = door.post(browser, door.message("eve@nobody.example", request_id), relay_state)
    assert 'href="/help/troubleshooting#domain_not_verified"' in response.text
    (trace,) = json_of(acme.api.get(f"/connections/conn_{door.connection_id}/traces"))["data"]
    root = acme.container.settings.base_url
    assert trace["help_url"] == f"{root}/help/troubleshooting#domain_not_verified"


def test_an_accepted_sign_in_needs_no_help(acme: Organization) -> None:
    door = sign_on(acme)
    door.sign_in(f"ada@{door.domain}")
    (trace,) = json_of(acme.api.get(f"/connections/conn_{door.connection_id}/traces"))["data"]
    assert trace["help_url"] is None
