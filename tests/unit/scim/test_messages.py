"""Lists, errors and entity tags."""

import pytest

from app.scim.protocol import etag, messages
from app.scim.protocol.constants import ERROR, LIST_RESPONSE
from tests.support.tolerances import auto


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


@pytest.mark.parametrize("header", ["*", " * ", 'W/"3"', '"3"', 'W/"1", W/"3"', '"2","3"', "3", "1, 3"])
def test_an_entity_tag_matches_weakly(header: str) -> None:
    assert etag.matches(header, 3, auto())


@pytest.mark.parametrize("header", ["", 'W/"4"', '"33"', 'W/"', '""', "W/3x", '"*"', "x, y"])
def test_another_entity_tag_does_not_match(header: str) -> None:
    assert not etag.matches(header, 3, auto())


def test_a_weak_tag_carries_the_version() -> None:
    assert etag.weak(3) == 'W/"3"'
    assert etag.matches(etag.weak(12), 12, auto())
