"""A list of ids is looked up id by id, whatever else the table holds."""

from typing import Any

import pytest
from sqlalchemy import ClauseElement, column, select, table, union_all

from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.directory.group_people import _JOIN, _LEAVE
from app.directory.models import groups, users
from app.settings import Settings
from app.wiring import Container
from tests.support.cast import Organization, in_organization


@pytest.mark.parametrize(
    ("statement", "search"),
    [
        (_JOIN, "SEARCH users USING INDEX sqlite_autoindex_users_1 (org_id=? AND id=?)"),
        (_LEAVE, "sqlite_autoindex_memberships_1 (org_id=? AND group_id=? AND user_id=?)"),
    ],
)
def test_sqlite_finds_the_members_named_and_reads_no_others(
    migrated_database: Any, statement: ClauseElement, search: str
) -> None:
    settings: Settings = migrated_database("sqlite")
    database = Container(settings).database
    with database.engine.connect() as connection:
        compiled = statement.compile(database.engine)
        values = dict.fromkeys(compiled.params, "[]")
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
        plan = [row[3] for row in rows]
    database.dispose()
    assert any(search in step for step in plan), plan


def test_the_condition_stands_bare_beside_others() -> None:
    people = table("people", column("id"), column("active"))
    text = str(select(people).where(people.c.active.is_(None), is_one_of(people.c.id, "ids")))
    assert text.endswith("people.id IN (SELECT value FROM json_each(:ids))")


def test_a_list_of_ids_may_stand_twice_in_one_statement(acme: Organization) -> None:
    anna, group_id = acme.scim.create_user(), acme.scim.create_group()
    both = union_all(
        select(users.c.id).where(users.c.org_id == ORG_ID, is_one_of(users.c.id, "ids")),
        select(groups.c.id).where(groups.c.org_id == ORG_ID, is_one_of(groups.c.id, "ids")),
    )
    with in_organization(acme.app, acme.id) as services:
        assert set(services.uow.execute(both, {"ids": [anna, group_id]}).scalars()) == {anna, group_id}
