"""A new ceiling reaches everybody, at a cost that does not hang on how many they are."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.core.connection import Connection
from app.core.ids import edge_id
from tests.support.cast import Organization, json_of

CEILING = {"ceiling": {"surfaces": ["chat"]}}


def surfaces_of(acme: Organization, user_id: str) -> list[str]:
    found: list[str] = json_of(acme.api.get(f"/users/{edge_id('user', user_id)}/explain"))["surfaces"]
    return found


def test_a_new_ceiling_costs_the_same_for_few_and_for_many(
    acme: Organization, globex: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        sent.append(sql)
        send(self, sql, values, **kept)

    monkeypatch.setattr(Connection, "send", note)
    counts = []
    for organization, size in ((acme, 3), (globex, 30)):
        people = [organization.scim.create_user() for _ in range(size)]
        organization.map_group(organization.scim.create_group(members=people))
        assert organization.api.get("/organization").status_code == 200
        sent.clear()
        assert organization.api.patch("/organization", CEILING).status_code == 200
        counts.append(len(sent))
        assert surfaces_of(organization, people[-1]) == ["chat"]
    assert counts[0] == counts[1]


def test_a_seat_given_at_the_same_moment_does_not_slip_past_a_new_ceiling(
    acme: Organization, chaos: bool
) -> None:
    role_id = acme.role_id("member")
    for _ in range(100 if chaos else 3):
        people = [acme.scim.create_user() for _ in range(8)]
        acme.api.patch("/organization", {"ceiling": None})

        def act(user_id: str | None) -> int:
            if user_id is None:
                return acme.api.patch("/organization", CEILING).status_code
            body = {"user_id": edge_id("user", user_id), "role_id": role_id}
            return acme.api.post("/seats", body).status_code

        with ThreadPoolExecutor(9) as threads:
            answers = list(threads.map(act, [*people[:4], None, *people[4:]]))
        assert set(answers) == {200, 201}
        assert [surfaces_of(acme, user_id) for user_id in people] == [["chat"]] * 8
