"""The registry of tolerances: complete, pinned, and the page that is written from it."""

import re
from pathlib import Path

import pytest

from app import tolerances_page
from app.scim.protocol.tolerance_profiles import NAMES, TOLERANCES, enabled
from app.scim.protocol.tolerances import Tolerance, Tolerances
from app.scim.protocol.tolerated_requests import filler_password, unknown_members_dropped
from app.scim.protocol.tolerated_values import text_boolean

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("quirk", TOLERANCES, ids=lambda quirk: quirk.name)
def test_each_says_whose_form_it_is_and_which_test_pins_it(quirk: Tolerance) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", quirk.name)
    assert quirk.vendors
    assert quirk.form
    assert quirk.strict
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert f"def {quirk.pinned_by}(" in tests


def test_each_tolerance_of_the_protocol_is_listed_once() -> None:
    sources = (ROOT / "app/scim/protocol").glob("tolerated_*.py")
    text = "\n".join(path.read_text() for path in sources)
    made = re.findall(r"@tolerance\((?:.|\n)*?\n\)\ndef (\w+)", text)
    assert sorted(made) == sorted(quirk.name for quirk in TOLERANCES)
    assert len(made) == len(NAMES)


def test_the_page_is_the_one_of_the_registry() -> None:
    assert tolerances_page.PAGE.read_text() == tolerances_page.render()


def test_a_setting_enables_all_none_or_what_it_lists() -> None:
    opt_in = {quirk.name for quirk in TOLERANCES if quirk.opt_in}
    assert opt_in == {"group_patch_body", "unknown_members_dropped"}
    assert enabled("auto") == NAMES - opt_in
    assert enabled(sorted(NAMES)) == NAMES
    assert enabled("strict") == enabled([]) == enabled("nonsense") == frozenset()
    assert enabled(["text_boolean", "empty_text"]) == {"text_boolean", "empty_text"}


def test_only_a_form_that_was_mended_has_fired() -> None:
    tolerances = Tolerances({"text_boolean"})
    assert tolerances.mend(text_boolean, "perhaps") == "perhaps"
    assert tolerances.mend(text_boolean, 1) == 1
    assert tolerances.fired == set()
    assert tolerances.mend(text_boolean, "True") is True
    assert tolerances.fired == {"text_boolean"}
    assert not tolerances.allow(filler_password)
    assert tolerances.fired == {"text_boolean"}


def test_asking_whether_a_tolerance_is_enabled_fires_nothing() -> None:
    tolerances = Tolerances({"unknown_members_dropped"})
    assert tolerances.enables(unknown_members_dropped)
    assert not tolerances.enables(text_boolean)
    members = ["a", "b"]
    assert tolerances.mend(unknown_members_dropped, members, {"b", "a"}) is members
    assert tolerances.fired == set()
    assert tolerances.mend(unknown_members_dropped, members, {"b"}) == ["b"]
    assert tolerances.fired == {"unknown_members_dropped"}


def test_nothing_is_tolerated_before_a_credential_says_so() -> None:
    assert Tolerances().mend(text_boolean, "True") == "True"
