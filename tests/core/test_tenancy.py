"""P5: the wall in code. A statement that is not pinned to one organization does not run."""

import pytest
from sqlalchemy import Executable, and_, delete, exists, func, insert, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.tenancy import ORG_ID, UnfencedStatementError, check_fence, check_unscoped, everywhere
from app.directory.models import groups, memberships, users

other = users.alias("other")
pinned = users.c.org_id == ORG_ID

FENCED = [
    select(users.c.id).where(pinned),
    select(func.count()).select_from(users).where(pinned, users.c.active),
    select(users.c.id).where(
        pinned, exists().where(memberships.c.org_id == users.c.org_id, memberships.c.user_id == users.c.id)
    ),
    select(users.c.id)
    .select_from(users.join(memberships, and_(memberships.c.org_id == users.c.org_id, true())))
    .where(pinned),
    select(other.c.id).where(other.c.org_id == ORG_ID),
    update(users).where(pinned).values(active=False),
    delete(memberships).where(memberships.c.org_id == ORG_ID),
    insert(users),
    upsert(memberships).on_conflict_do_nothing().returning(memberships.c.user_id),
]
UNFENCED = [
    select(users.c.id),
    select(func.count()).select_from(users),
    select(users.c.id).where(or_(pinned, users.c.active)),
    select(users.c.id).where(or_(pinned, true())),
    select(users.c.id).where(users.c.org_id != ORG_ID),
    select(users.c.id).where(pinned, exists().where(memberships.c.user_id == users.c.id)),
    select(users.c.id).select_from(users.join(groups, groups.c.id == users.c.id)).where(pinned),
    select(users.c.id).join(memberships, memberships.c.user_id == users.c.id).where(pinned),
    select(other.c.id),
    select(users.c.id, other.c.id).where(pinned),
    update(users).values(active=False),
    update(users).where(users.c.id == "x").values(active=False),
    delete(memberships),
    delete(memberships).where(memberships.c.org_id == ORG_ID, memberships.c.user_id.in_(select(users.c.id))),
    insert(memberships).from_select(["org_id", "user_id"], select(users.c.org_id, users.c.id)),
    select(select(users.c.id).subquery().c.id),
]


@pytest.mark.parametrize("statement", FENCED, ids=range(len(FENCED)))
def test_a_statement_tied_to_one_organization_passes(statement: Executable) -> None:
    check_fence(statement)


@pytest.mark.parametrize("statement", UNFENCED, ids=range(len(UNFENCED)))
def test_a_statement_that_could_see_another_organization_is_refused(statement: Executable) -> None:
    with pytest.raises(UnfencedStatementError):
        check_fence(statement)


def test_a_question_to_every_organization_is_fenced_and_enters_each() -> None:
    with pytest.raises(UnfencedStatementError):
        everywhere(select(users.c.id).where(users.c.active))
    asked = everywhere(select(users.c.id).where(pinned))
    check_unscoped(asked)
    assert ORG_ID.key not in asked.compile().params
