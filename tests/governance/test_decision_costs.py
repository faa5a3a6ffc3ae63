"""What deciding about people costs, counted in SQL statements: by changes and batches, never by people."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from app.core.connection import Connection
from app.directory.groups import GroupService
from app.directory.users import UserService
from tests.support.cast import Organization, in_organization

Count = Callable[[Callable[[], Any]], list[str]]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Answers the statements that a call sent; rows of one executemany count one by one."""
    seen: list[str] = []
    send = Connection.send

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        seen.extend([sql] * (len(values) if isinstance(values, list) and "audit_events" not in sql else 1))
        send(self, sql, values, **kept)

    monkeypatch.setattr(Connection, "send", note)

    def count(call: Callable[[], Any]) -> list[str]:
        seen.clear()
        call()
        return list(seen)

    return count


def mapped_group(acme: Organization, name: str, count: int, role: str = "member") -> str:
    with in_organization(acme.app, acme.id) as services:
        create = services.get(UserService).create
        people = [create({"userName": f"{name}{number}"}, active=True).id for number in range(count)]
        group_id: str = services.get(GroupService).create({"displayName": name}, people)
        services.commit()
    acme.map_group(group_id, role)
    return group_id


def test_a_member_of_a_mapped_group_costs_the_same_among_few_and_many(
    acme: Organization, statements: Count
) -> None:
    small, large = mapped_group(acme, "small", 2), mapped_group(acme, "large", 1_000)
    newcomers = [acme.scim.create_user() for _ in range(2)]
    for change in (acme.scim.add_members, acme.scim.remove_members):
        few = statements(partial(change, small, newcomers[0]))
        many = statements(partial(change, large, newcomers[1]))
        assert few == many
        # One asks whether a leaver is one of many, one reads the settings, one looks for held money of who
        # lost a seat, one for the tools they are signed in to. SQLite sends each write by itself.
        assert len(few) <= 19, "\n".join(few)


def test_people_who_end_alike_are_written_together(acme: Organization, statements: Count) -> None:
    few, many = (
        acme.map_group(mapped_group(acme, name, count), "owner")
        for name, count in (("few", 10), ("many", 900))
    )
    costs = [
        len(statements(partial(acme.api.delete, f"/group_mappings/{mapping}"))) for mapping in (few, many)
    ]
    assert abs(costs[0] - costs[1]) <= 2
    assert costs[1] <= 40
