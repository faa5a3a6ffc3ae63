"""Each word in code letters on the pages for administrators is run, or is a word of the code.

A word that nothing here knows fails: either it is a slip, or its proof is missing. Blocks are run by the
walks; commands and calls in the line of prose are run here.
"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import set_up

import app.scim.routes  # noqa: F401 - declares refusals of its own
from app.api.scopes import SCOPES
from app.cli import cli
from app.core.errors import UsherError
from app.core.ids import edge_id
from app.core.urls import PublicUrls
from app.scim.protocol.messages import refusal
from app.scim.protocol.registry import Registry
from app.selftest.entra_requests import FLAG
from app.sso.okta_values import okta_values
from app.sso.refusals import Reason, SignInPageError
from app.sso.saml.attributes import GROUPS_LINKS, USUAL_NAMES
from app.sso.saml.reasons import ReasonCode
from tests.okta.identity_providers import Okta
from tests.okta.reader import Reader
from tests.okta.terraform_module import Module
from tests.okta.test_troubleshooting import ANCHORS, below
from tests.okta.walking import Served, sections, without_blocks
from tests.support.cast import create_organization, json_of
from tests.support.server import ROOT
from tests.support.sign_on import sign_on

PAGES = [
    *sorted((ROOT / "okta").glob("*.md")),
    *(ROOT / "docs" / name for name in ("entra.md", "google.md", "rollout.md")),
]
CONNECTION = "00000000-0000-7000-8000-000000000001"
# What stands on screens, in messages and in tools of others; only a tenant of theirs can prove it.
THEIRS = {
    "#EXT#",
    "OKTA_API_CLIENT_ID",
    "OKTA_API_PRIVATE_KEY",
    "OKTA_API_PRIVATE_KEY_ID",
    "OKTA_API_SCOPES",
    "OKTA_BASE_URL",
    "OKTA_ORG_NAME",
    "app_not_configured_for_user",
    "appid",
    "isvtest@okta.com",
    "onmicrosoft.com",
    "user.mail",
}
# Words of HTTP, of SCIM, of tokens (RFC 7519), and of an installation.
COMMON = {
    "Authorization: Bearer",
    "Bearer",
    "Retry-After",
    "application/scim+json",
    "count",
    "jti",
    "none",
    "oid",
    "scimType",
    "sid",
    "sub",
    "usher",
    "python",
    ".venv/bin",
}
COMMAND = re.compile(r"usher [a-z]")
CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/api/v1/\S+)$")

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def spans(path: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", without_blocks(path.read_text()))


def in_json(value: Any) -> Iterator[str]:
    """Names and texts of a document, at any depth."""
    if isinstance(value, dict):
        yield from chain(value, *map(in_json, value.values()))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(in_json, value))
    elif isinstance(value, str):
        yield value


def addresses() -> Iterator[str]:
    """Our own, as templates and as paths."""
    urls = PublicUrls("{base URL}")
    yield urls.scim_base_url
    for action in ("acs", "metadata", "login"):
        yield urls.saml(CONNECTION, action).replace(edge_id("conn", CONNECTION), "{connection id}")
    yield urlsplit(PublicUrls("https://usher.example").scim_base_url).path
    yield from (kind.endpoint for kind in Registry.load().resource_types)


def in_scim() -> Iterator[str]:
    for kind in Registry.load().resource_types:
        for attribute in kind.attributes:
            yield attribute.name
            # An extension is an attribute whose name is its URN.
            separator = ":" if attribute.name.startswith("urn:") else "."
            yield from (f"{attribute.name}{separator}{sub.name}" for sub in attribute.sub_attributes)
    for error in below(UsherError):
        made = UsherError("")
        made.status, made.code = error.status, error.code
        yield getattr(error, "scim_type", None) or refusal(made).get("scimType", "")


def options_of(command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        yield from chain.from_iterable(map(options_of, command.commands.values()))
    yield from chain.from_iterable(parameter.opts for parameter in command.params)


@pytest.fixture(scope="session")
def known(site: Served) -> set[str]:
    made = sign_on(create_organization(site.app))
    connection = json_of(made.organization.api.get(f"/connections/conn_{made.connection_id}"))
    module = Module.read(ROOT / "okta/terraform")
    described = json_of(site.app.test_client().get("/api/v1/openapi.json"))
    values = okta_values(PublicUrls("https://usher.example"), CONNECTION)
    walked = chain.from_iterable(
        section.blocks for path in PAGES for section in sections(str(path.relative_to(ROOT)))
    )
    return {
        *in_json(values),
        *in_json(described),
        # Its warnings, for one.
        *in_json(connection),
        *SCOPES,
        *ReasonCode,
        *Reason,
        *chain.from_iterable(USUAL_NAMES.values()),
        *GROUPS_LINKS,
        *in_scim(),
        *options_of(cli),
        *addresses(),
        *module.variables,
        *module.outputs,
        *set_up.READ,
        *set_up.WRITE,
        set_up.PUSH,
        FLAG,
        *SignInPageError(403, "reason").headers,
        # Words that a walk says to the shell.
        *re.findall(r"[\w@.-]+", " ".join(walked)),
        *THEIRS,
        *COMMON,
    }


@each_page
def test_each_word_is_run_or_known(path: Path, known: set[str], site: Served) -> None:
    adapter = site.app.url_map.bind("usher.example")

    def is_proven(word: str) -> bool:
        if word in known or COMMAND.match(word) or CALL.match(word):
            return True
        if word.startswith("api "):
            # A way back, which the walk of the runbook takes.
            return path.name == "runbook.md"
        if word.startswith('"'):
            return set(in_json(json.loads(f"{{{word}}}"))) <= known
        if word.startswith("/"):
            return adapter.test(word, method="GET")
        return path.name == "troubleshooting.md" and word in ANCHORS

    assert [word for word in spans(path) if not is_proven(word)] == []


def test_a_slip_is_no_known_word(known: set[str]) -> None:
    slips = {"acs_uri", "okta.apps.write", "user.mali", "EmailAdress", "--aply", "domain_unverified"}
    assert slips & known == set()


def test_the_words_of_others_are_still_on_the_pages() -> None:
    told = set(chain.from_iterable(map(spans, PAGES)))
    assert told >= THEIRS | COMMON


def test_each_command_and_call_in_the_line_of_prose_runs(admin: Reader) -> None:
    organization = admin.organization
    door = sign_on(organization, admin.domain, jit=False, mode="test", testers=[admin.address("ada")])
    okta = Okta(organization.scim, admin.domain)
    for name in ("ada", "you"):
        okta.push(name)
    okta.push_group("usher-engineering", "ada")
    door.sign_in("ada", **okta.claims("ada"))
    assert door.refusal(f"eve@{admin.domain}") == (403, "not_a_tester")
    (trace, _) = json_of(organization.api.get(f"/connections/conn_{door.connection_id}/traces"))["data"]

    def spare(command: str) -> str:
        """The id of a credential of the kind that this command is about."""
        path, body = (
            ("/api_keys", {"name": "spare", "scopes": ["admin"]})
            if command.startswith("usher api-key")
            else ("/scim_tokens", {"name": "spare"})
        )
        return str(json_of(organization.api.post(path, body))["id"])

    found = sorted(set(chain.from_iterable(map(spans, PAGES))))
    commands = [span for span in found if COMMAND.match(span)]
    assert commands
    for command in commands:
        filled = re.sub(r"\bREFERENCE\b", trace["reference"], command)
        admin.shell.run(re.sub(r"\bID\b", spare(command), filled))
    # Those of the flows are made in test_walks_beside.py.
    in_prose = chain.from_iterable(spans(path) for path in PAGES if path.name != "workflows.md")
    calls = {match for span in in_prose if (match := CALL.match(span))}
    assert calls
    for method, path in {call.groups() for call in calls}:
        filled = path.removeprefix("/api/v1").replace("{id}", f"conn_{door.connection_id}")
        answer = organization.api.request(method, filled)
        assert answer.status_code == 200, answer.text
