"""The pages for administrators: tables, numbers and links in them are those of the code."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from app.core.clock import CLOCK_SKEW
from app.core.urls import PublicUrls
from app.directory.credential_expiry import NOTICE_DAYS
from app.scim.protocol.constants import MAX_COUNT
from app.settings import Settings
from app.sso.break_glass import CODES, LIFETIME
from app.sso.enforcement import BREAK_GLASS_OWNERS, CERTIFICATE_LEFT, LIST_GOOD_FOR, NOTICE, TEST_GOOD_FOR
from app.sso.models import MODES
from app.sso.okta_values import okta_values
from app.sso.saml.parsing import MAX_MESSAGE_BYTES
from app.web.requests import MAX_BODY_BYTES, MAX_GROUP_BODY_BYTES
from tests.support.server import ROOT

PAGES = [
    *sorted((ROOT / "okta").glob("*.md")),
    *(ROOT / "docs" / name for name in ("entra.md", "google.md", "rollout.md")),
]
RUNBOOK, OIN = ((ROOT / "okta" / name).read_text() for name in ("runbook.md", "oin.md"))
VALUES = okta_values(PublicUrls("https://usher.example"), "00000000-0000-7000-8000-000000000001")
# Told by their name, because they differ from one organization to the next.
ADDRESSES = ("acs_url", "audience", "login_url", "placeholder_url", "scim_base_url")


IN_WORDS = {1: "an", 2: "two", 5: "five"}


def hours(span: timedelta) -> int:
    return int(span.total_seconds()) // 3_600


# Numbers in the line of prose, as the code has them.
NUMBERS = [
    ("docs/rollout.md", f"({NOTICE.days} days from now unless you say otherwise)"),
    ("docs/rollout.md", f"has signed in through the connection within {hours(TEST_GOOD_FOR)} hours"),
    ("docs/rollout.md", f"good for more than {CERTIFICATE_LEFT.days} days"),
    (
        "docs/rollout.md",
        f"{IN_WORDS[BREAK_GLASS_OWNERS].title()} owners have unused codes, {IN_WORDS[CODES]} for each",
    ),
    ("docs/rollout.md", f"Somebody has read, within {hours(LIST_GOOD_FOR)} hours"),
    ("docs/rollout.md", f"see a session of {IN_WORDS[hours(LIFETIME)]} hour"),
    ("docs/entra.md", "warns {2}, {1} and {0} days before a token ends".format(*NOTICE_DAYS[1:])),
    ("okta/troubleshooting.md", f"The message is over {MAX_MESSAGE_BYTES // 1_024} KB encoded"),
    (
        "okta/troubleshooting.md",
        f"The body is over {MAX_BODY_BYTES >> 20} MB (groups: {MAX_GROUP_BODY_BYTES >> 20} MB)",
    ),
    ("okta/troubleshooting.md", f"More than {Settings().scim_per_second} requests a second"),
    ("okta/troubleshooting.md", f"Ask for at most {MAX_COUNT:,}"),
    ("okta/troubleshooting.md", f"begins more than {CLOCK_SKEW.seconds} seconds from now"),
]
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


@each_page
def test_links_lead_to_files_and_their_headings(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        file, _, anchor = target.partition("#")
        there = (path.parent / file) if file else path
        assert there.exists(), target
        assert not anchor or f'<a id="{anchor}"></a>' in there.read_text(), target


@pytest.mark.parametrize(("page", "sentence"), NUMBERS)
def test_numbers_are_those_of_the_code(page: str, sentence: str) -> None:
    assert sentence in " ".join((ROOT / page).read_text().split())


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


def test_the_rollout_tells_all_modes_in_their_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/rollout.md").read_text(), re.MULTILINE)
    assert tuple(rows) == tuple(MODES)
