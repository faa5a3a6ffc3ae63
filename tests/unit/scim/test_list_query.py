"""Queries of lists, as parameters and as search requests."""

from typing import Any

import pytest

from app.scim.protocol.constants import SEARCH_REQUEST
from app.scim.protocol.errors import (
    InvalidCountError,
    InvalidFilterError,
    InvalidSyntaxError,
    InvalidValueError,
)
from app.scim.protocol.list_query import ListQuery


@pytest.mark.scim("rfc/19", "rfc/21")
@pytest.mark.parametrize(
    ("params", "start_index", "count"),
    [
        ({}, 1, 200),
        ({"startIndex": "0", "count": "-5"}, 1, 0),
        ({"startIndex": "-3", "count": "0"}, 1, 0),
        ({"startIndex": "21", "count": "1001"}, 21, 1000),
        ({"startIndex": "", "count": " 10 "}, 1, 10),
        ({"startIndex": "9" * 18, "count": "9" * 18}, 1_000_000_000, 1000),
        ({"aadOptscim062020": "", "sortBy": "userName"}, 1, 200),
    ],
)
def test_paging_parameters_are_clamped(params: dict[str, str], start_index: int, count: int) -> None:
    query = ListQuery.parse(params)
    assert (query.start_index, query.count) == (start_index, count)


@pytest.mark.parametrize("text", ["x", "1.5", "1e3", "0x10", "1_000", "\u0661", "9" * 40, "true"])
@pytest.mark.parametrize("name", ["startIndex", "count"])
def test_a_paging_parameter_that_is_no_number_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidValueError, match=f"{name} must be a whole number"):
        ListQuery.parse({name: text})


@pytest.mark.parametrize("text", ["", " ", "x" * 2049])
def test_a_blank_or_endless_filter_is_refused_and_never_ignored(text: str) -> None:
    with pytest.raises(InvalidFilterError):
        ListQuery.parse({"filter": text})


def test_a_cursor_chooses_the_method_and_an_empty_one_begins() -> None:
    assert ListQuery.parse({}).cursor is None
    assert ListQuery.parse({"cursor": ""}).cursor == ""
    assert ListQuery.parse({"cursor": "x", "startIndex": " "}).cursor == "x"
    with pytest.raises(InvalidValueError, match="exclude each other"):
        ListQuery.parse({"cursor": "", "startIndex": "1"})


def test_a_count_beyond_the_largest_page_is_refused_only_with_a_cursor() -> None:
    assert ListQuery.parse({"count": "1001"}).count == 1000
    assert ListQuery.parse({"count": "-1", "cursor": ""}).count == 0
    for count in ("1001", "x"):
        with pytest.raises(InvalidCountError):
            ListQuery.parse({"count": count, "cursor": ""})


@pytest.mark.parametrize(
    ("text", "descending"),
    [("", False), (" ", False), ("ascending", False), ("DESCENDING", True), ("Descending ", True)],
)
def test_a_list_ascends_unless_it_is_told_to_descend(text: str, descending: bool) -> None:
    assert ListQuery.parse({"sortOrder": text}).descending is descending


@pytest.mark.parametrize("text", ["asc", "desc", "up", "0", "ascending,descending"])
def test_another_sort_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="ascending or descending"):
        ListQuery.parse({"sortOrder": text})


def test_a_search_request_is_the_same_query() -> None:
    body = {
        "schemas": [SEARCH_REQUEST],
        "attributes": ["userName", "name.givenName"],
        "Filter": "id pr",
        "sortBy": "userName",
        "sortOrder": "descending",
        "startIndex": 3,
        "count": 5,
        "excludedAttributes": None,
        "nosuch": object(),
    }
    params = {
        "attributes": "userName,name.givenName",
        "filter": "id pr",
        "sortBy": "userName",
        "sortOrder": "descending",
        "startIndex": "3",
        "count": "5",
    }
    assert ListQuery.of_search_request(body) == ListQuery.parse(params)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"count": "5"}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"startIndex": 1.0}, "startIndex must be a whole number"),
        ({"filter": []}, "filter must be text"),
        ({"cursor": 0}, "cursor must be text"),
        ({"attributes": "id"}, "attributes must be a list of attribute names"),
        ({"attributes": ["id", None]}, "attributes must be a list of attribute names"),
        ({"count": 1, "Count": 2}, "count stands twice"),
        ({"schemas": []}, "schemas of a search request"),
        ({"schemas": None}, "schemas of a search request"),
        ({"schemas": [1]}, "schemas of a search request"),
    ],
)
def test_a_search_request_that_breaks_its_schema_is_named(member: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSyntaxError, match=message):
        ListQuery.of_search_request({"schemas": [SEARCH_REQUEST], **member})


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_a_search_request_is_an_object(body: Any) -> None:
    with pytest.raises(InvalidSyntaxError, match="JSON object"):
        ListQuery.of_search_request(body)
