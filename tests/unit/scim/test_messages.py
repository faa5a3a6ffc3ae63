"""Lists, errors, queries and entity tags."""

import pytest

from app.scim.protocol import etag, messages
from app.scim.protocol.constants import ERROR, LIST_RESPONSE
from app.scim.protocol.errors import (
    InvalidFilterError,
    InvalidValueError,
)
from app.scim.protocol.messages import ListQuery


def test_an_empty_list_has_resources_and_numbers() -> None:
    assert messages.list_response([], 0) == {
        "schemas": [LIST_RESPONSE],
        "totalResults": 0,
        "startIndex": 1,
        "itemsPerPage": 0,
        "Resources": [],
    }


def test_a_page_counts_itself_and_the_total_counts_all() -> None:
    body = messages.list_response([{"id": "1"}, {"id": "2"}], 7, 3)
    assert (body["itemsPerPage"], body["totalResults"], body["startIndex"]) == (2, 7, 3)


@pytest.mark.scim("rfc/4")
def test_the_status_of_an_error_is_text() -> None:
    assert messages.error(404, "Gone.") == {"schemas": [ERROR], "status": "404", "detail": "Gone."}
    body = messages.error(409, "Taken.", "uniqueness")
    assert (body["status"], body["scimType"]) == ("409", "uniqueness")


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


@pytest.mark.parametrize("header", ["*", " * ", 'W/"3"', '"3"', 'W/"1", W/"3"', '"2","3"', "3", "1, 3"])
def test_an_entity_tag_matches_weakly(header: str) -> None:
    assert etag.matches(header, 3)


@pytest.mark.parametrize("header", ["", 'W/"4"', '"33"', 'W/"', '""', "W/3x", '"*"', "x, y"])
def test_another_entity_tag_does_not_match(header: str) -> None:
    assert not etag.matches(header, 3)


def test_a_weak_tag_carries_the_version() -> None:
    assert etag.weak(3) == 'W/"3"'
    assert etag.matches(etag.weak(12), 12)
