"""Lists as CSV and as JSON lines: one mechanism for every list that declares it."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from app.api.declarations import Endpoint
from app.api.routes import endpoints
from app.api.tables import CSV, as_csv, columns_of

Problem = Callable[..., dict[str, Any]]
AS_CSV = {"Accept": CSV}
TABLES = [endpoint for endpoint in endpoints() if endpoint.other_media_type == CSV]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_people_seats_and_mappings_can_be_had_as_tables() -> None:
    assert {"/users", "/seats", "/group_mappings"} <= {endpoint.path for endpoint in TABLES}


@pytest.mark.parametrize("endpoint", TABLES, ids=lambda endpoint: endpoint.name)
def test_every_table_has_the_fields_of_its_list_as_columns(acme: Any, endpoint: Endpoint) -> None:
    group = acme.group("eng", [acme.user("ada")])
    acme.post("/group_mappings", {"group_id": group, "role_id": acme.role()["id"]})
    path = endpoint.path.replace("<group_id>", group)
    assert "<" not in path, "This test makes no object of such a kind yet."
    answer = acme.get(path, headers=AS_CSV)
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    header = answer.text.partition("\r\n")[0]
    assert header.split(",") == columns_of(endpoint.answer)
    assert len(rows_of(answer.text)) == len(acme.get(path).json["data"])


def test_a_row_says_what_the_object_says(acme: Any) -> None:
    user = acme.user("ada")
    role = acme.role(surfaces=["chat", "code"])["id"]
    acme.post("/group_mappings", {"group_id": acme.group("eng", [user]), "role_id": role})
    (row,) = rows_of(acme.get("/users", headers=AS_CSV).text)
    shown = acme.get(f"/users/{user}").json
    assert row == {**shown, "external_id": "", "active": "true", "surfaces": "chat;code"}


def test_a_table_is_whole_without_a_limit_and_a_page_with_one(acme: Any) -> None:
    for number in range(25):
        acme.user(f"p{number}")
    whole = acme.get("/users", headers=AS_CSV)
    assert len(rows_of(whole.text)) == 25
    assert "X-Next-Cursor" not in whole.headers
    first = acme.get("/users?limit=20", headers=AS_CSV)
    rest = acme.get(f"/users?cursor={first.headers['X-Next-Cursor']}", headers=AS_CSV)
    assert rows_of(first.text) + rows_of(rest.text) == rows_of(whole.text)


def test_filters_hold_for_tables(acme: Any) -> None:
    acme.user("ada")
    bob = acme.user("bob")
    (row,) = rows_of(acme.get("/users?user_name=bob@example.com", headers=AS_CSV).text)
    assert row["id"] == bob


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "text/html", "text/csv;q=0.5, application/json"]
)
def test_who_does_not_ask_for_csv_gets_json(acme: Any, accept: str) -> None:
    assert acme.get("/users", headers={"Accept": accept}).content_type == "application/json"


def test_a_refusal_is_a_problem_in_any_form(acme: Any, problem: Problem) -> None:
    problem(acme.get("/users?limit=0", headers=AS_CSV), 400, "invalid_request")


def test_a_name_that_is_a_formula_is_shown_and_not_computed(acme: Any) -> None:
    acme.user("eve", displayName='=HYPERLINK("http://evil.example","a,b")\n')
    text = acme.get("/users", headers=AS_CSV).text
    (row,) = rows_of(text)
    assert row["display_name"].startswith("'=HYPERLINK(")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1-2", "'+1-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd", "'-cmd"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("\uff1d1", "'\uff1d1"),
        (["=a", "b"], "'=a;b"),
        ("-12.50", "-12.50"),
        (-3, "-3"),
        ("plain", "plain"),
        ("", ""),
        (None, ""),
        (True, "true"),
        ([], ""),
        ([{"type": "group"}], '[{"type":"group"}]'),
    ],
)
def test_each_value_becomes_one_harmless_cell(value: object, cell: str) -> None:
    (row,) = rows_of(as_csv([{"id": "1", "value": value}], ["id", "value"]))
    assert row["value"] == cell
