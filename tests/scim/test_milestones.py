"""Pages of a large directory are exact at every place and at every moment, however they are found."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from app.core.connection import Connection
from app.directory.groups import GroupService
from app.directory.users import UserService
from app.scim import milestones
from tests.scim.answers import listed, ok
from tests.support.cast import Organization, in_organization


@pytest.fixture(autouse=True)
def low_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of fifty is a large one."""
    monkeypatch.setattr(milestones, "LARGE", 40)
    monkeypatch.setattr(milestones, "STRIDE", 7)


def hire(acme: Organization, count: int, prefix: str = "p") -> list[str]:
    with in_organization(acme.app, acme.id) as services:
        create = services.get(UserService).create
        made = [create({"userName": f"{prefix}{number}"}, active=True).id for number in range(count)]
        services.commit()
    return made


def is_remembered(acme: Organization, noun: str = "user") -> bool:
    known = acme.container.known_directories.get((acme.id, noun))
    return known is not None and known.ids is not None


def let_stand(acme: Organization, path: str = "/Users", noun: str = "user") -> None:
    """Read until the directory is remembered; reading the log places what has just been written."""
    acme.audit_actions()
    for _ in range(3):
        listed(acme.scim, path, count=1)
    assert is_remembered(acme, noun)


def check_every_page(acme: Organization, ids: list[str], path: str = "/Users") -> None:
    for count in (1, 7, 10, 100):
        for start in range(1, len(ids) + 20, 3):
            page = listed(acme.scim, path, startIndex=start, count=count)
            assert [item["id"] for item in page["Resources"]] == ids[start - 1 : start - 1 + count]
            assert page["totalResults"] == len(ids)


def test_every_page_of_a_remembered_directory_is_the_one_of_all_people(
    acme: Organization, globex: Organization
) -> None:
    hire(globex, 45)
    ids = hire(acme, 50)
    let_stand(globex)
    let_stand(acme)
    check_every_page(acme, ids)
    assert is_remembered(acme)


def test_who_comes_and_goes_shows_on_the_next_page(acme: Organization) -> None:
    ids, rng = hire(acme, 60), random.Random(3)
    for number in range(12):
        let_stand(acme)
        gone = ids.pop(rng.randrange(len(ids)))
        assert acme.scim.delete(f"/Users/{gone}").status_code == 204
        if number % 3 == 0:
            ids += [acme.scim.create_user(), *hire(acme, 2, f"more{number}")]
        for _ in range(4):
            start, count = rng.randint(1, len(ids)), rng.choice((5, 30))
            page = listed(acme.scim, "/Users", startIndex=start, count=count)
            assert [item["id"] for item in page["Resources"]] == ids[start - 1 : start - 1 + count]
            assert page["totalResults"] == len(ids)


def test_a_directory_that_shrinks_is_counted_to_the_last(acme: Organization) -> None:
    ids = hire(acme, 45)
    let_stand(acme)
    while ids:
        assert acme.scim.delete(f"/Users/{ids.pop(0)}").status_code == 204
        for _ in range(3):
            assert listed(acme.scim, "/Users", startIndex=2, count=100)["totalResults"] == len(ids)


def test_a_change_of_a_person_leaves_what_is_remembered(acme: Organization) -> None:
    ids = hire(acme, 45)
    let_stand(acme)
    assert acme.scim.set_active(ids[3], active=False).status_code == 200
    listed(acme.scim, "/Users", count=1)
    assert is_remembered(acme)
    check_every_page(acme, ids)


def test_groups_are_remembered_apart(acme: Organization) -> None:
    people = hire(acme, 41)
    with in_organization(acme.app, acme.id) as services:
        create = services.get(GroupService).create
        ids = [create({"displayName": f"g{number}"}, people[:1]) for number in range(45)]
        services.commit()
    let_stand(acme)
    let_stand(acme, "/Groups", "group")
    check_every_page(acme, ids, "/Groups")
    ids.append(acme.scim.create_group())
    assert listed(acme.scim, "/Groups", count=1)["totalResults"] == len(ids)
    listed(acme.scim, "/Users", count=1)
    assert is_remembered(acme)


def test_filters_orders_and_cursors_answer_the_same_beside_it(acme: Organization) -> None:
    ids = hire(acme, 50)
    let_stand(acme)
    for chosen in ({"sortBy": "id"}, {"filter": "id pr"}):
        found = listed(acme.scim, "/Users", startIndex=20, count=9, **chosen)
        assert [item["id"] for item in found["Resources"]] == ids[19:28]
    seen: list[str] = []
    page: dict[str, Any] = {"nextCursor": ""}
    while "nextCursor" in page:
        page = ok(acme.scim.get("/Users", query_string={"cursor": page["nextCursor"], "count": 9}))
        assert page["totalResults"] == len(ids)
        seen += [item["id"] for item in page["Resources"]]
    assert seen == ids


def test_a_page_far_behind_passes_over_less_than_a_stride(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = hire(acme, 60)
    let_stand(acme)
    seen: list[tuple[str, object]] = []
    send: Callable[..., None] = Connection.send

    def note(self: Connection, sql: str, values: object, **kept: bool) -> None:
        seen.append((sql, values))
        send(self, sql, values, **kept)

    monkeypatch.setattr(Connection, "send", note)
    page = listed(acme.scim, "/Users", startIndex=59, count=1)
    assert [item["id"] for item in page["Resources"]] == [ids[58]]
    assert not [sql for sql, _ in seen if "count(" in sql]
    assert [values for sql, values in seen if "users.id > " in sql and ids[55] in str(values)]
