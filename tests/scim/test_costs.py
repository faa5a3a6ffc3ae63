"""What requests cost, counted in SQL statements: never one for each resource or each member."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.connection import Connection
from app.directory.groups import GroupService
from app.directory.users import UserService
from app.scim.protocol.constants import ENTERPRISE_USER
from tests.scim.answers import member_count
from tests.support.cast import Organization, in_organization, json_of

_NO_WORK = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")
Count = Callable[[Callable[[], TestResponse]], list[str]]


@pytest.fixture
def statements(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> Count:
    """Answers the statements of one successful request, without the transaction's own."""
    seen: list[str] = []

    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        if not sql.startswith(_NO_WORK):
            seen.append(sql)
        send(self, sql, values, **kept)

    def count(request: Callable[[], TestResponse]) -> list[str]:
        seen.clear()
        response = request()
        assert response.status_code < 300, response.text
        return list(seen)

    monkeypatch.setattr(Connection, "send", note)
    # The first use of a token is noted, at most once a minute; that is not what is counted here.
    assert acme.scim.get("/Users").status_code == 200
    return count


def hire(acme: Organization, count: int) -> list[str]:
    with in_organization(acme.app, acme.id) as services:
        users = services.get(UserService)
        made = [users.create({"userName": f"p{number}@example.com"}, active=True) for number in range(count)]
        ids = [person.id for person in made]
        services.commit()
    return ids


def gather(acme: Organization, name: str, ids: list[str]) -> str:
    with in_organization(acme.app, acme.id) as services:
        group_id: str = services.get(GroupService).create({"displayName": name}, ids)
        services.commit()
    return group_id


def test_a_page_of_a_hundred_users_costs_what_a_page_of_ten_costs(
    acme: Organization, statements: Count
) -> None:
    gather(acme, "Everybody", hire(acme, 120))
    queries = ("", "&filter=userName+sw+%22p%22", "&attributes=userName", "&startIndex=5")
    for query in (*queries, "&sortBy=emails", "&cursor=", "&cursor=&sortBy=name.familyName"):
        ten = statements(lambda query=query: acme.scim.get(f"/Users?count=10{query}"))  # type: ignore[misc]
        hundred = statements(lambda query=query: acme.scim.get(f"/Users?count=100{query}"))  # type: ignore[misc]
        assert len(ten) == len(hundred) <= 4
    body = json_of(acme.scim.get("/Users?count=100"))
    assert [len(resource["groups"]) for resource in body["Resources"]] == [1] * 100


def test_a_page_of_groups_costs_the_same_for_few_and_many(acme: Organization, statements: Count) -> None:
    people = hire(acme, 3)
    for number in range(30):
        gather(acme, f"Group {number}", people)
    few = statements(lambda: acme.scim.get("/Groups?count=2"))
    many = statements(lambda: acme.scim.get("/Groups?count=30"))
    assert len(few) == len(many) <= 4


def test_lists_of_one_type_take_ids_a_page_and_a_count_beside_the_token(
    acme: Organization, statements: Count
) -> None:
    gather(acme, "Everybody", hire(acme, 20))
    for query in ("", "&filter=active+eq+true", "&sortBy=userName", "&cursor=", "&cursor=&sortBy=userName"):
        assert len(statements(lambda query=query: acme.scim.get(f"/Users?count=5{query}"))) == 4  # type: ignore[misc]


def test_a_page_by_cursor_begins_at_a_key(acme: Organization, statements: Count) -> None:
    hire(acme, 20)
    for query in ("count=5", "count=5&sortBy=userName"):
        for path in ("/Users", "/"):
            cursor = json_of(acme.scim.get(f"{path}?{query}&cursor="))["nextCursor"]
            seen = statements(lambda url=f"{path}?{query}&cursor={cursor}": acme.scim.get(url))  # type: ignore[misc]
            assert any("users.id > " in statement for statement in seen)


def test_a_search_over_all_types_takes_four_statements_beside_the_token(
    acme: Organization, statements: Count
) -> None:
    people = hire(acme, 20)
    for number in range(20):
        gather(acme, f"Group {number}", people)
    for query in ("", "&sortBy=displayName", "&filter=id+pr"):
        for paging in ("startIndex=15&count=3", "startIndex=15&count=12", "cursor=&count=30"):
            assert len(statements(lambda q=paging + query: acme.scim.get(f"/?{q}"))) <= 5  # type: ignore[misc]


def test_a_user_is_read_with_three_statements_at_most(acme: Organization, statements: Count) -> None:
    (anna,) = hire(acme, 1)
    gather(acme, "Readers", [anna])
    assert len(statements(lambda: acme.scim.get(f"/Users/{anna}"))) <= 3
    assert len(statements(lambda: acme.scim.get("/Users?filter=userName+eq+%22p0@example.com%22"))) <= 3


def test_nested_groups_cost_a_page_of_users_one_statement_and_managers_none(
    acme: Organization, statements: Count
) -> None:
    anna, *people = hire(acme, 30)
    inner = gather(acme, "Inner", people)
    reads = ["/Users?count=100", f"/Users/{people[0]}", "/Groups", f"/Groups/{inner}"]
    before = [len(statements(lambda path=path: acme.scim.get(path))) for path in reads]  # type: ignore[misc]
    gather(acme, "Outer", [inner])
    for person in people:
        named = {"op": "add", "path": "manager", "value": anna}
        assert acme.scim.patch_operations(f"/Users/{person}", named).status_code == 200
    after = [len(statements(lambda path=path: acme.scim.get(path))) for path in reads]  # type: ignore[misc]
    assert after == [before[0] + 1, before[1] + 1, *before[2:]]
    body = json_of(acme.scim.get(f"/Users/{people[0]}"))
    assert [entry["type"] for entry in body["groups"]] == ["direct", "indirect"]
    assert body[ENTERPRISE_USER]["manager"]["$ref"].endswith(f"/Users/{anna}")


def test_changing_a_member_costs_the_same_in_an_empty_group_and_in_one_of_a_thousand(
    acme: Organization, statements: Count
) -> None:
    *people, anna = hire(acme, 1001)
    empty, full = gather(acme, "Empty", []), gather(acme, "Full", people)
    for change in (acme.scim.add_members, acme.scim.add_members, acme.scim.remove_members):
        small = statements(lambda change=change: change(empty, anna))  # type: ignore[misc]
        large = statements(lambda change=change: change(full, anna))  # type: ignore[misc]
        assert small == large
    assert (member_count(acme, empty), member_count(acme, full)) == (0, 1000)


def about_the_guard(statements: list[str]) -> list[str]:
    words = ("holds", "held_changes")
    return [text for text in statements if any(word in text for word in words)]


def test_the_removal_guard_costs_nothing_where_no_seat_is_taken_by_a_group(
    acme: Organization, statements: Count
) -> None:
    *people, anna = hire(acme, 30)
    mapped, other = gather(acme, "Mapped", people), gather(acme, "Other", people)
    acme.map_group(mapped)
    acme.map_group(other)
    changes: list[Callable[[], TestResponse]] = [
        lambda: acme.scim.add_members(mapped, anna),
        lambda: acme.scim.remove_members(other, people[0]),
        lambda: acme.scim.set_active(people[1], False),
        lambda: acme.scim.set_active(people[1], True),
        lambda: acme.scim.delete(f"/Users/{people[2]}"),
    ]
    for change in changes:
        assert about_the_guard(statements(change)) == []


def test_a_taken_seat_costs_one_statement_more_however_large_the_organization(
    acme: Organization, statements: Count
) -> None:
    *people, anna = hire(acme, 1_001)
    mapped = gather(acme, "Mapped", [*people, anna])
    acme.map_group(mapped)
    assert len(about_the_guard(statements(lambda: acme.scim.remove_members(mapped, anna)))) == 1


def test_entra_s_group_reads_do_not_touch_memberships(acme: Organization, statements: Count) -> None:
    group_id = gather(acme, "Sales", hire(acme, 5))
    view = "excludedAttributes=members"
    reads = [
        f"/Groups/{group_id}?{view}",
        f"/Groups?{view}",
        f"/Groups?{view}&filter=displayName+eq+%22sales%22",
        f"/Groups/{group_id}?attributes=displayName",
    ]
    for path in reads:
        touched = statements(lambda path=path: acme.scim.get(path))  # type: ignore[misc]
        assert not [statement for statement in touched if "memberships" in statement]
    assert any("memberships" in text for text in statements(lambda: acme.scim.get(f"/Groups/{group_id}")))


def changes(acme: Organization, name: str) -> list[tuple[str, str, Any]]:
    """Requests of every kind about new people in a new mapped group."""
    with in_organization(acme.app, acme.id) as services:
        users = services.get(UserService)
        made = [users.create({"userName": f"{name}{number}"}, active=True).id for number in range(5)]
        services.commit()
    anna, leaver, *others = made
    group_id = gather(acme, name, [leaver, *others])
    acme.map_group(group_id)
    joining = {"op": "add", "path": "members", "value": [{"value": anna}]}
    rename = {"op": "replace", "path": "title", "value": "Lead"}
    return [
        ("POST", "/Users", {"userName": f"new {name}"}),
        ("POST", "/Groups", {"displayName": f"New {name}", "members": [{"value": anna}]}),
        ("PATCH", f"/Groups/{group_id}", {"Operations": [joining]}),
        ("PUT", f"/Groups/{group_id}", {"displayName": name, "members": [{"value": anna}]}),
        ("PATCH", f"/Users/{anna}", {"Operations": [rename]}),
        ("PATCH", f"/Users/{leaver}", {"Operations": [{"op": "replace", "value": {"active": False}}]}),
        *[("DELETE", f"/Users/{person}", None) for person in others],
    ]


def test_a_bulk_request_costs_less_than_its_single_requests_but_for_the_savepoints(
    acme: Organization, statements: Count
) -> None:
    alone = []
    for method, path, body in changes(acme, "Single"):
        alone += statements(lambda m=method, p=path, b=body: acme.scim.request(m, p, b))  # type: ignore[misc]
    operations = [
        {"method": method, "path": path, "bulkId": str(number), "data": body}
        for number, (method, path, body) in enumerate(changes(acme, "Bulk"))
    ]
    together = statements(lambda: acme.scim.post("/Bulk", {"Operations": operations}))
    savepoints = [text for text in together if text.startswith(("SAVEPOINT", "RELEASE"))]
    assert len(savepoints) == 2 * len(operations)
    assert len(together) - len(savepoints) < len(alone)


def test_discovery_costs_the_token_s_statement_alone(acme: Organization, statements: Count) -> None:
    assert len(statements(lambda: acme.scim.get("/Schemas"))) == 1
