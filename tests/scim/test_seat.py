"""The Seat extension of a User: joined at read, after every write, and nobody's to send."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.connection import Connection
from app.scim.protocol.constants import SEAT, USER
from tests.scim.answers import listed, ok, refused
from tests.support.cast import Organization, json_of

Count = Callable[[Callable[[], TestResponse]], int]


def seated(acme: Organization, **attributes: Any) -> str:
    """A person whose group gives the role `engineer`, good for code and chat."""
    role = acme.api.post("/roles", {"name": "engineer", "surfaces": ["code", "chat"]})
    assert role.status_code == 201, role.text
    person = acme.scim.create_user(**attributes)
    acme.map_group(acme.scim.create_group(members=[person]), "engineer")
    return person


def seat_of(resource: dict[str, Any]) -> dict[str, Any]:
    seat: dict[str, Any] = resource[SEAT]
    assert SEAT in resource["schemas"]
    return seat


@pytest.fixture
def statements(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> Count:
    """How many statements a successful request sends."""
    seen: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        if not sql.startswith(("BEGIN", "COMMIT")):
            seen.append(sql)
        send(self, sql, values, **kept)

    def count(request: Callable[[], TestResponse]) -> int:
        seen.clear()
        response = request()
        assert response.status_code < 300, response.text
        return len(seen)

    monkeypatch.setattr(Connection, "send", note)
    # The first use of a token is noted.
    acme.scim.get("/Users")
    return count


def test_a_seat_is_shown_with_its_role_and_surfaces(acme: Organization) -> None:
    person = seated(acme)
    role = acme.role_id("engineer").removeprefix("role_")
    shown = ok(acme.scim.get(f"/Users/{person}"))
    assert shown["schemas"] == [USER, SEAT]
    assert shown[SEAT] == {
        "state": "assigned",
        "role": {"value": role, "$ref": shown[SEAT]["role"]["$ref"], "display": "engineer"},
        "surfaces": ["chat", "code"],
    }
    assert json_of(acme.scim.get(shown[SEAT]["role"]["$ref"].partition("/scim/v2")[2]))["id"] == role
    (in_list,) = listed(acme.scim, "/Users")["Resources"]
    assert in_list == shown


def test_who_never_had_a_seat_shows_an_empty_extension_without_its_urn(acme: Organization) -> None:
    shown = ok(acme.scim.get(f"/Users/{acme.scim.create_user()}"))
    assert (shown["schemas"], shown[SEAT]) == ([USER], {})


def test_a_seat_does_not_change_the_version(acme: Organization) -> None:
    person = acme.scim.create_user()
    before = ok(acme.scim.get(f"/Users/{person}"))["meta"]
    acme.map_group(acme.scim.create_group(members=[person]))
    after = ok(acme.scim.get(f"/Users/{person}"))
    assert seat_of(after)["state"] == "assigned"
    assert after["meta"] == before


def test_a_renamed_role_shows_its_new_name(acme: Organization) -> None:
    person = seated(acme)
    acme.api.patch(f"/roles/{acme.role_id('engineer')}", {"name": 'the "best"]'})
    assert seat_of(ok(acme.scim.get(f"/Users/{person}")))["role"]["display"] == 'the "best"]'


def test_each_answer_shows_what_holds_after_the_change(acme: Organization) -> None:
    person = seated(acme)
    path = f"/Users/{person}"
    rename = {"op": "replace", "path": "title", "value": 'says "schemas":[]'}
    whole = ok(acme.scim.get(path))
    assert seat_of(ok(acme.scim.patch_operations(path, rename))) == whole[SEAT]
    assert seat_of(ok(acme.scim.put(path, {**whole, "title": "x"}))) == whole[SEAT]
    off, on = ok(acme.scim.set_active(person, False)), ok(acme.scim.set_active(person, True))
    assert seat_of(off) == {"state": "released"}
    assert seat_of(on) == whole[SEAT]
    assert ok(acme.scim.get(path)) == on
    off = ok(acme.scim.put(path, {**whole, "active": False}))
    assert off == ok(acme.scim.get(path))
    # Nothing changes, so nothing is written, and the answer is the same.
    assert ok(acme.scim.set_active(person, False)) == off


def test_who_comes_back_to_another_role_is_answered_with_its_name(acme: Organization) -> None:
    person = seated(acme)
    acme.scim.set_active(person, False)
    acme.api.post("/roles", {"name": "guest", "surfaces": ["cowork"]})
    (mapping,) = json_of(acme.api.get("/group_mappings"))["data"]
    acme.api.delete(f"/group_mappings/{mapping['id']}")
    acme.map_group(mapping["group_id"].removeprefix("group_"), "guest")
    seat = seat_of(ok(acme.scim.set_active(person, True)))
    assert (seat["state"], seat["role"]["display"], seat["surfaces"]) == ("assigned", "guest", ["cowork"])


def test_a_waiting_person_has_no_usable_surface(acme: Organization) -> None:
    acme.api.put("/seat_pool", {"quantity": 0})
    seat = seat_of(ok(acme.scim.get(f"/Users/{seated(acme)}")))
    assert (seat["state"], "surfaces" in seat) == ("waitlisted", False)


def test_seats_are_found_by_state_role_and_surface(acme: Organization) -> None:
    person, other = seated(acme), acme.scim.create_user()
    role = acme.role_id("engineer").removeprefix("role_")

    def found(text: str) -> list[str]:
        resources = listed(acme.scim, "/Users", filter=text)["Resources"]
        return [resource["id"] for resource in resources]

    for text in (
        f'{SEAT}:state eq "Assigned"',
        f"{SEAT} pr",
        f"{SEAT}:role pr",
        f"{SEAT}:surfaces pr",
        f'{SEAT}:role.value eq "{role}"',
        f'{SEAT}:role.display sw "ENG"',
        f'{SEAT}:surfaces eq "code"',
        f'userName pr and {SEAT}:state ne "released" and {SEAT}:state pr',
    ):
        assert found(text) == [person], text
    for text in (f"not ({SEAT}:state pr)", f'{SEAT}:surfaces ne "code" and not ({SEAT} pr)'):
        assert found(text) in ([other], []), text
    assert found(f'{SEAT}:state eq "released"') == found(f'{SEAT}:surfaces eq "cowork"') == []
    acme.scim.set_active(person, False)
    assert found(f'{SEAT}:state eq "released"') == [person]
    assert found(f"{SEAT}:surfaces pr") == []
    by_state = listed(acme.scim, "/Users", sortBy=f"{SEAT}:state")["Resources"]
    assert [resource["id"] for resource in by_state] == [person, other]


def test_a_seat_is_chosen_and_left_out_like_any_attribute(acme: Organization) -> None:
    path = f"/Users/{seated(acme)}"
    only = ok(acme.scim.get(path, query_string={"attributes": f"{SEAT}:state"}))
    assert only[SEAT] == {"state": "assigned"}
    assert "userName" not in only
    assert SEAT not in ok(acme.scim.get(path, query_string={"excludedAttributes": SEAT}))
    left = ok(acme.scim.get(path, query_string={"excludedAttributes": f"{SEAT}:role"}))
    assert set(left[SEAT]) == {"state", "surfaces"}
    assert SEAT not in ok(acme.scim.get(path, query_string={"attributes": "userName"}))


def test_a_sent_seat_is_ignored_and_a_patch_at_it_refused(acme: Organization) -> None:
    sent = {"state": "assigned", "role": {"value": "x"}, "surfaces": ["code"]}
    body = {"schemas": [USER, SEAT], "userName": "ada@example.com", SEAT: sent}
    created = ok(acme.scim.post("/Users", body), 201)
    assert created["schemas"] == [USER]
    assert SEAT not in created
    path = f"/Users/{created['id']}"
    assert ok(acme.scim.put(path, body))["schemas"] == [USER]
    echoed = acme.scim.patch_operations(path, {"op": "replace", "value": {SEAT: sent}})
    assert ok(echoed)["meta"]["version"] == ok(acme.scim.get(path))["meta"]["version"]
    answer = acme.scim.patch_operations(path, {"op": "replace", "path": f"{SEAT}:state", "value": "assigned"})
    refused(answer, 400, "mutability")
    assert ok(acme.scim.get(path))[SEAT] == {}


def test_a_seat_costs_no_statement(acme: Organization, statements: Count) -> None:
    person, other = seated(acme), acme.scim.create_user()

    def read(id_: str) -> int:
        return statements(lambda: acme.scim.get(f"/Users/{id_}"))

    def change(id_: str) -> int:
        title = {"op": "add", "path": "title", "value": id_}
        return statements(lambda: acme.scim.patch_operations(f"/Users/{id_}", title))

    assert read(person) == read(other) == 2
    assert change(person) == change(other)
    assert statements(lambda: acme.scim.get("/Users?count=1&startIndex=1")) == 4


def test_another_organizations_role_is_not_joined(acme: Organization, globex: Organization) -> None:
    seated(acme)
    person = seated(globex)
    assert seat_of(ok(globex.scim.get(f"/Users/{person}")))["role"]["display"] == "engineer"
    text = f'{SEAT}:role.value eq "{acme.role_id("engineer").removeprefix("role_")}"'
    assert listed(globex.scim, "/Users", filter=text)["totalResults"] == 0
