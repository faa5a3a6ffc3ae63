"""The pages for administrators: commands, addresses, links and values in them are those of the code."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

from app.api.schemas.users import GroupSchema, UserSchema
from app.cli import cli
from app.core.urls import PublicUrls
from app.scim.protocol.registry import Registry
from app.sso.models import MODES
from app.sso.okta_values import okta_values
from tests.support.server import ROOT

PAGES = [
    *sorted((ROOT / "okta").glob("*.md")),
    *(ROOT / "docs" / name for name in ("entra.md", "google.md", "rollout.md")),
]
RUNBOOK, OIN = ((ROOT / "okta" / name).read_text() for name in ("runbook.md", "oin.md"))
VALUES = okta_values(PublicUrls("https://usher.example"), "00000000-0000-7000-8000-000000000001")
# Told by their name, because they differ from one organization to the next.
ADDRESSES = ("acs_url", "audience", "login_url", "placeholder_url", "scim_base_url")

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def calls(text: str) -> set[tuple[str, str]]:
    """Method and path of each call that a page names, ids as `x`."""
    found = re.findall(r"(GET|POST|PUT|PATCH|DELETE) (/api/v1/[^\s`?]+)", text)
    return {(method, re.sub(r"\{\w+\}", "x", path)) for method, path in found}


@each_page
def test_links_lead_to_files(path: Path) -> None:
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", path.read_text())]
    assert [target for target in targets if target and not (path.parent / target).exists()] == []


@each_page
def test_commands_and_their_options_exist(path: Path) -> None:
    lines = [line.partition(" > ")[0] for line in re.findall(r"`(usher [a-z][^`\n]*)`", path.read_text())]
    for line in lines + re.findall(r"^(usher .+?)(?: >|$)", path.read_text(), re.MULTILINE):
        words = shlex.split(line)[1:]
        command: Any = cli
        while isinstance(command, click.Group) and words:
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_emergency_page_is_where_the_rollout_says(app: Flask) -> None:
    (path,) = re.findall(r"open `(/sso/[^`]+)`", (ROOT / "docs/rollout.md").read_text())
    assert app.test_client().get(path).status_code == 200


@each_page
def test_calls_have_routes(path: Path, app: Flask) -> None:
    adapter = app.url_map.bind("usher.example")
    wrong = [call for call in calls(path.read_text()) if not adapter.test(call[1], method=call[0])]
    assert wrong == []


def test_the_runbook_says_each_value_in_its_place() -> None:
    for name, value in VALUES.items():
        if name in ADDRESSES:
            assert f"`{name}`" in RUNBOOK, name
        elif isinstance(value, str) and value and name != "connection_id":
            assert f"`{value}`" in RUNBOOK, name
    for name in ("features", "to_app"):
        assert ", ".join(f"`{value}`" for value in VALUES[name]) in RUNBOOK.replace(",\n  ", ", "), name


def test_the_runbooks_statements_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(user\.\w+)` \|$", RUNBOOK, re.MULTILINE)
    assert rows == [(one["name"], one["name_format"], one["value"]) for one in VALUES["attribute_statements"]]
    (groups,) = VALUES["group_attribute_statements"]
    cells = [groups[name] for name in ("name", "name_format", "filter", "filter_value")]
    assert "| " + " | ".join(f"`{cell}`" for cell in cells) + " |" in RUNBOOK


def test_the_submission_says_the_values_of_the_code() -> None:
    wanted = ("name_id_format", "authentication_mode", "unique_field", "signature_algorithm")
    assert [name for name in wanted if f"`{VALUES[name]}`" not in OIN] == []
    assert ", ".join(f"`{value}`" for value in VALUES["features"]) in OIN
    assert ", ".join(f"`{one['name']}`" for one in VALUES["attribute_statements"]) in OIN
    (description,) = re.findall(r"^\| Description \| 1,024 characters \| (.+) \|$", OIN, re.MULTILINE)
    assert len(description) < 1_024


def test_the_mapping_names_attributes_and_fields_that_exist() -> None:
    text = (ROOT / "okta/mapping.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)`([^|]*) \| (`\w+`|\S) \|", text, re.MULTILINE)
    assert len(rows) > 10
    types = {one.name: one for one in Registry.load().resource_types}
    fields = {*UserSchema().fields, *GroupSchema().fields}
    for path, of_the_group, field in rows:
        kind = types["Group" if of_the_group or path.startswith("members") else "User"]
        urn, _, bare = path.rpartition(":")
        name, _, sub = bare.partition(".")
        schema = kind.extension(urn) if urn else kind
        assert schema is not None, path
        attribute = schema.attribute(name)
        assert attribute is not None, path
        assert not sub or attribute.sub(sub) is not None, path
        # What has no field of its own is kept for SCIM alone.
        assert "`" not in field or field.strip("`") in fields, field


def test_the_rollout_tells_all_modes_in_their_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/rollout.md").read_text(), re.MULTILINE)
    assert tuple(rows) == tuple(MODES)
