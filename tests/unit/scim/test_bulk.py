"""Bulk messages: what is refused whole or alone, in which order operations run, what references become."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import ConflictError, NotFoundError, PayloadTooLargeError, UsherError
from app.scim.protocol.bulk import (
    Operation,
    Request,
    Result,
    check,
    execution_order,
    parse_request,
    response,
)
from app.scim.protocol.bulk_references import in_dependency_order, references_in, resolve
from app.scim.protocol.constants import BULK_REQUEST, BULK_RESPONSE, ERROR
from app.scim.protocol.errors import InvalidSyntaxError, InvalidValueError, UnsupportedError

ENDPOINTS = ("/Users", "/Groups")


def parse(*operations: Any, **fields: Any) -> Request:
    return parse_request({"schemas": [BULK_REQUEST], **fields, "Operations": list(operations)}, ENDPOINTS)


def post(bulk_id: str, *references: str, path: str = "/Users") -> dict[str, Any]:
    members = [{"value": f"bulkId:{reference}"} for reference in references]
    return {"method": "POST", "path": path, "bulkId": bulk_id, "data": {"members": members}}


def patch(path: str, *references: str) -> dict[str, Any]:
    return {**post("", *references, path=path), "method": "PATCH"}


def one(operation: Any) -> Operation:
    (parsed,) = parse(operation).operations
    return parsed


def test_an_operation_is_read_whatever_the_case_of_its_names_and_its_method() -> None:
    operation = one(
        {"METHOD": "put", "Path": "/Users/1", "BULKID": "a", "Version": 'W/"3"', "dAtA": {"userName": "x"}}
    )
    assert operation == Operation("PUT", "a", "/Users", "1", 'W/"3"', {"userName": "x"})


def test_schemas_may_be_absent_but_not_another_message_s() -> None:
    assert parse_request({"Operations": [post("a")]}, ENDPOINTS).operations
    assert parse(post("a"), schemas=BULK_REQUEST.upper()).operations
    with pytest.raises(InvalidSyntaxError, match="BulkRequest"):
        parse(post("a"), schemas=[ERROR])


@pytest.mark.parametrize(
    "body", [None, 5, "text", [], {}, {"Operations": None}, {"Operations": {}}, {"Operations": []}]
)
def test_what_is_no_bulk_request_is_refused_whole(body: Any) -> None:
    with pytest.raises(InvalidSyntaxError):
        parse_request(body, ENDPOINTS)


@pytest.mark.parametrize(("sent", "read"), [(None, None), (0, 0), (1, 1), (5000, 5000)])
def test_fail_on_errors_is_a_whole_number(sent: Any, read: int | None) -> None:
    assert parse(post("a"), failOnErrors=sent).fail_on_errors == read


@pytest.mark.parametrize("value", [-1, 1.0, True, "1", "", [], {}])
def test_fail_on_errors_of_another_type_is_refused_whole(value: Any) -> None:
    with pytest.raises(InvalidValueError, match="failOnErrors"):
        parse(post("a"), failOnErrors=value)


def test_more_operations_than_the_limit_are_too_large_and_the_limit_is_named() -> None:
    thousand = [post(str(number)) for number in range(1000)]
    assert len(parse(*thousand).operations) == 1000
    with pytest.raises(PayloadTooLargeError, match=r"1001 operations.*maxOperations \(1000\)"):
        parse(*thousand, post("one more"))


def test_a_bulk_id_that_stands_twice_makes_the_request_unclear() -> None:
    with pytest.raises(InvalidValueError, match="'a' stands on operations 1 and 3"):
        parse(post("a"), post("b"), {"method": "DELETE", "path": "/Users/1", "bulkId": "a"})


FAULTS: list[tuple[Any, type[UsherError]]] = [
    (5, InvalidSyntaxError),
    ([], InvalidSyntaxError),
    ({}, InvalidValueError),
    ({**post("a"), "method": "GET"}, InvalidValueError),
    ({**post("a"), "method": 5}, InvalidValueError),
    ({**post("a"), "method": ["POST"]}, InvalidValueError),
    ({**post("a"), "bulkId": None}, InvalidValueError),
    ({**post("a"), "bulkId": 7}, InvalidValueError),
    ({**post("a"), "bulkId": "x" * 1025}, InvalidValueError),
    ({**patch("/Users/1"), "bulkId": {"a": 1}}, InvalidValueError),
    ({**post("a"), "path": None}, InvalidValueError),
    ({**post("a"), "path": ""}, InvalidValueError),
    ({**post("a"), "path": ["/Users"]}, InvalidValueError),
    (post("a", path="/" + "x" * 1024), InvalidValueError),
    (post("a", path="/Users/1"), InvalidValueError),
    (patch("/Users"), InvalidValueError),
    (patch("/Users/1/2"), NotFoundError),
    (patch("/Users/"), NotFoundError),
    (post("a", path="/users"), NotFoundError),
    (post("a", path="//Users"), NotFoundError),
    (post("a", path="/Users?attributes=id"), NotFoundError),
    (post("a", path="https://usher.example.com/scim/v2/Users"), NotFoundError),
    (post("a", path="/ServiceProviderConfig"), NotFoundError),
    (post("a", path="/Bulk"), UnsupportedError),
    (patch("/Me"), UnsupportedError),
    (patch("/Me/anything"), UnsupportedError),
    ({**post("a"), "data": None}, InvalidSyntaxError),
    ({**post("a"), "data": [1]}, InvalidSyntaxError),
    ({**patch("/Users/1"), "data": "text"}, InvalidSyntaxError),
    ({**patch("/Users/1"), "version": 3}, InvalidValueError),
]


@pytest.mark.parametrize(("operation", "fault"), FAULTS)
def test_an_operation_that_cannot_be_run_is_refused_alone(operation: Any, fault: type[UsherError]) -> None:
    first, last = parse(operation, post("good")).operations
    assert type(first.fault) is fault
    assert last.fault is None
    with pytest.raises(fault):
        check(first, {})


def test_a_refused_operation_is_answered_under_what_is_known_of_it() -> None:
    refused = one({"method": "Fetch", "bulkId": "a", "path": "/Users/1"})
    assert (refused.method, refused.bulk_id) == ("FETCH", "a")
    unknown = one({"method": 5, "bulkId": 5})
    assert (unknown.method, unknown.bulk_id) == ("", "")


def test_a_delete_needs_no_data_and_names_nobody_in_it() -> None:
    operation = one({"method": "DELETE", "path": "/Users/1", "data": {"x": "bulkId:a"}})
    assert (operation.fault, operation.data, operation.references) == (None, {}, frozenset())


def test_references_are_found_in_every_depth_of_the_data_and_in_the_path() -> None:
    manager = {"urn:x": {"manager": {"value": "bulkId:a"}}, "list": ["bulkId:b", [{"v": "bulkId:c/d"}]]}
    operation = one({"method": "PUT", "path": "/Users/bulkId:e/f", "data": manager})
    assert operation.references == {"a", "b", "c/d", "e/f"}
    assert list(references_in({"bulkId:key": "not bulkId:a", "b": "bulkid:b", "c": 5})) == []


def test_an_unknown_reference_is_a_conflict_that_names_it() -> None:
    with pytest.raises(ConflictError, match="bulkId:'nobody'"):
        check(one(post("a", "b", "nobody")), {"a"}, {"b": "1"})
    check(one(post("a", "b")), {"a"}, {"b": "1"})


def test_references_become_ids_and_all_else_stays() -> None:
    data = {"a": "bulkId:x", "b": [{"value": "bulkId:y"}, "bulkId:x", 5], "c": {"d": {"e": "bulkId:x"}}}
    ids = {"x": "1", "y": "2"}
    assert resolve(data, ids) == {"a": "1", "b": [{"value": "2"}, "1", 5], "c": {"d": {"e": "1"}}}
    assert data["a"] == "bulkId:x"


def test_what_holds_a_reference_without_an_id_is_left_out() -> None:
    data = {
        "displayName": "Sales",
        "members": [{"value": "bulkId:x", "type": "User"}, {"value": "1"}, "bulkId:x"],
        "manager": {"value": "bulkId:x", "$ref": "there"},
        "owner": "bulkId:x",
    }
    assert resolve(data, {}) == {"displayName": "Sales", "members": [{"value": "1"}]}


def order(*operations: dict[str, Any]) -> list[tuple[int, ...]]:
    return list(execution_order(parse(*operations).operations))


def test_without_references_the_order_is_the_client_s() -> None:
    assert order(patch("/Users/1"), post("a"), patch("/Users/2"), post("b")) == [(0,), (1,), (2,), (3,)]


def test_a_post_comes_before_whatever_refers_to_it_and_nothing_else_moves() -> None:
    operations = (patch("/Groups/1", "c"), post("a"), patch("/Users/bulkId:b"), post("b", "c"), post("c"))
    assert order(*operations) == [(4,), (0,), (1,), (3,), (2,)]


def test_operations_that_refer_to_each_other_run_together() -> None:
    assert order(post("a", "b"), post("b", "c"), post("c", "a"), post("d", "a")) == [(0, 1, 2), (3,)]
    assert order(post("a", "a")) == [(0,)]


def test_only_a_post_can_be_referred_to() -> None:
    change = {**patch("/Users/1"), "bulkId": "changed"}
    broken = {**post("broken"), "data": None}
    assert order(post("a", "changed", "broken"), change, broken) == [(0,), (1,), (2,)]


def test_a_chain_as_long_as_a_request_needs_no_deeper_stack() -> None:
    chain = [post(str(number), str(number + 1)) for number in range(999)] + [post("999")]
    assert order(*chain) == [(number,) for number in range(999, -1, -1)]
    circle = [post(str(number), str((number + 1) % 1000)) for number in range(1000)]
    assert order(*circle) == [tuple(range(1000))]


@st.composite
def graphs(draw: st.DrawFn) -> Sequence[Sequence[int]]:
    size = draw(st.integers(1, 8))
    return [draw(st.lists(st.integers(0, size - 1), unique=True)) for _ in range(size)]


@given(graphs())
def test_every_operation_runs_once_and_after_what_it_needs_unless_that_needs_it_too(
    edges: Sequence[Sequence[int]],
) -> None:
    reach = _reachable(edges)
    components = list(in_dependency_order(edges))
    assert sorted(itertools.chain(*components)) == list(range(len(edges)))
    done: set[int] = set()
    for component in components:
        first = component[0]
        assert set(component) == {first} | {
            node for node in range(len(edges)) if node in reach[first] and first in reach[node]
        }
        done.update(component)
        assert all(reach[node] <= done for node in component)


def _reachable(edges: Sequence[Sequence[int]]) -> Mapping[int, set[int]]:
    reach = {node: set(targets) for node, targets in enumerate(edges)}
    for _ in edges:
        for targets in reach.values():
            targets.update(*(reach[target] for target in tuple(targets)))
    return reach


def test_an_answer_leaves_out_what_there_is_not() -> None:
    created = Result(one(post("a")), 201, "https://x/Users/1", 1)
    gone = Result(one({"method": "delete", "path": "/Users/1"}), 204, "https://x/Users/1")
    failed = Result(one(post("b")), 404, error=NotFoundError("There is none."))
    assert response([created, gone, failed]) == {
        "schemas": [BULK_RESPONSE],
        "Operations": [
            {
                "method": "POST",
                "bulkId": "a",
                "version": 'W/"1"',
                "location": "https://x/Users/1",
                "status": "201",
            },
            {"method": "DELETE", "location": "https://x/Users/1", "status": "204"},
            {
                "method": "POST",
                "bulkId": "b",
                "status": "404",
                "response": {"schemas": [ERROR], "status": "404", "detail": "There is none."},
            },
        ],
    }
