"""The conformance page is complete and up to date: every row has a test, every mark a row."""

from tests.support.conformance import PAGE, proofs, render
from tests.support.scim_rows import SECTIONS

ROWS = [row.id for rows in SECTIONS.values() for row in rows]


def test_every_row_is_proved_by_a_test() -> None:
    found = proofs()
    assert [row for row in ROWS if row not in found] == []


def test_every_mark_names_a_row() -> None:
    assert proofs().keys() <= set(ROWS)
    assert len(ROWS) == len(set(ROWS))


def test_the_page_is_the_one_of_the_tests() -> None:
    assert PAGE.read_text() == render()
